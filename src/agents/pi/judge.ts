import { stripVTControlCharacters } from 'node:util'
import { parseResetTime } from '../../domain/limits.ts'
import { type AttemptOutcome, describeExit, outcomeOf } from '../../domain/outcome.ts'
import type { AgentEnding, Translation } from '../../ports/agent.ts'
import { findLastWords } from '../last-words.ts'
import { classifyWords, weighLimit } from '../provider-words.ts'
import { findLongWait } from './long-waits.ts'
import { memoryOf } from './state.ts'

const LOG_IN = 'start pi and type /login'

/** What Pi says of a session that it does not find, or not in this directory. */
const NO_SESSION =
  /No session found matching|Session found in different project|Stored session working directory/

/** Why it did not even begin. */
const NO_LOGIN = /^.*No (?:models available|model selected|API key found).*$/m
const NO_MODEL = /^.*Model ".*" not found\. .*$/m

/**
 * Only the model's own last word proves a success: in JSON mode Pi exits with 0 also after an error.
 * Pure.
 */
export function judge(
  translation: Translation,
  { exit, stderr: written, saidAt, timeZone }: AgentEnding,
): AttemptOutcome {
  const turn = translation.turn ?? endedRun(translation)
  if (turn?.ok === true) return { kind: 'succeeded' }
  const stderr = stripVTControlCharacters(written)
  const wait = findLongWait(stderr)
  if (turn !== null) {
    const failure = classifyWords(turn.message, LOG_IN)
    if (failure.code !== 'usage_limit' && failure.code !== 'rate_limited') return outcomeOf(failure)
    const passesAt =
      wait?.until ?? parseResetTime(turn.message.replaceAll('~', ''), saidAt, timeZone)
    return outcomeOf(weighLimit(failure, passesAt, saidAt), passesAt)
  }

  const lastWords = findLastWords(stderr)
  if (NO_SESSION.test(stderr)) {
    // Pi writes a session down with the model's first answer: killed before, it has left none.
    return outcomeOf({ code: 'session_lost', message: lastWords })
  }
  const [noLogin] = stderr.match(NO_LOGIN) ?? []
  if (noLogin !== undefined) return outcomeOf({ code: 'auth', message: noLogin, hint: LOG_IN })
  const [noModel] = stderr.match(NO_MODEL) ?? []
  if (noModel !== undefined) return outcomeOf({ code: 'model_error', message: noModel })
  if (wait !== undefined && wait.until > saidAt) {
    const message = `Pi was told to wait (HTTP ${wait.status}), and ended: ${describeExit(exit)}`
    return outcomeOf({ code: 'usage_limit', message }, wait.until)
  }
  if (exit.kind === 'exited' && exit.code === 0) {
    const message = 'Pi ended without saying that its turn was finished'
    return outcomeOf({ code: 'no_proof', message })
  }
  const message = `Pi ended before its turn did: ${describeExit(exit)}`
  return outcomeOf({
    code: 'agent_crashed',
    message: lastWords === '' ? message : `${message}: ${lastWords}`,
  })
}

/** Pi ended before it could say whether it would try again. */
function endedRun(translation: Translation): Extract<Translation['turn'], { ok: false }> | null {
  const trouble = memoryOf(translation).talk?.ended?.trouble ?? null
  return trouble === null ? null : { ok: false, message: trouble }
}
