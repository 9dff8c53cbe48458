import { stripVTControlCharacters } from 'node:util'
import { parseResetTime } from '../../domain/limits.ts'
import { type AttemptOutcome, describeExit, type Failure, outcomeOf } from '../../domain/outcome.ts'
import type { AgentEnding, Translation } from '../../ports/agent.ts'
import { findLastWords } from '../last-words.ts'
import { classifyWords, weighLimit } from '../provider-words.ts'
import { memoryOf } from './translate.ts'

const LOG_IN = 'opencode auth login'

/** A line of OpenCode's log, of which we let it write the errors. */
const LOGGED = /^timestamp=(\S+) level=ERROR .*?\b(?:error\.)?error="((?:[^"\\]|\\.)*)"/gm

/** What stands in an event in place of an error that only the log names. */
const UNNAMED = /^Unexpected server error/

/**
 * OpenCode never says that it is done: that it exits with 0 after a step that ended with `stop` is
 * the proof. Killed after such a step it may have had more to do, and a resume costs a request at
 * most, since its session holds the answer. Pure.
 */
export function judge(translation: Translation, ending: AgentEnding): AttemptOutcome {
  const { turn } = translation
  const { exit, saidAt, timeZone } = ending
  const stderr = stripVTControlCharacters(ending.stderr)
  const logged = findLogged(stderr)
  const hasExited = exit.kind === 'exited' && exit.code === 0
  if (turn?.ok === true && hasExited) return { kind: 'succeeded' }
  if (turn?.ok === false) {
    const words = UNNAMED.test(turn.message) ? (logged?.words ?? turn.message) : turn.message
    return limitedOr(classifyWords(words, LOG_IN), saidAt, timeZone)
  }

  const lastWords = findLastWords(stderr)
  if (/Session not found/.test(stderr)) {
    return outcomeOf({ code: 'session_lost', message: 'OpenCode does not know the session' })
  }
  // It tries again by itself, silently, for as long as it was told to wait: then somebody ended it.
  if (turn === null && !hasExited && logged !== undefined) {
    if (logged.at >= memoryOf(translation).saidAt) {
      const failure = classifyWords(logged.words, LOG_IN, 'model_unavailable')
      return limitedOr(failure, logged.at, timeZone)
    }
  }
  const { refused } = memoryOf(translation)
  if (hasExited && refused !== null) {
    const message = `OpenCode ended its turn, since it was not let do this: ${refused}`
    return outcomeOf({ code: 'permission_denied', message })
  }
  if (hasExited) {
    const message = 'OpenCode ended without an answer of the model'
    return outcomeOf({ code: 'no_proof', message })
  }
  const message = `OpenCode ended before its turn did: ${describeExit(exit)}`
  const words = logged === undefined ? lastWords : logged.words
  return outcomeOf({
    code: 'agent_crashed',
    message: words === '' ? message : `${message}: ${words}`,
  })
}

function limitedOr(failure: Failure, saidAt: number, timeZone: string): AttemptOutcome {
  if (failure.code !== 'usage_limit' && failure.code !== 'rate_limited') return outcomeOf(failure)
  const passesAt = parseResetTime(failure.message, saidAt, timeZone)
  return outcomeOf(weighLimit(failure, passesAt, saidAt), passesAt)
}

/** The last error in the log, without the name of its class. */
function findLogged(stderr: string): { readonly at: number; readonly words: string } | undefined {
  const last = [...stderr.matchAll(LOGGED)].at(-1)
  if (last === undefined) return undefined
  const words = (last[2] ?? '').replace(/\\(.)/g, '$1').replace(/^AI_APICallError: /, '')
  return { at: Date.parse(last[1] ?? '') || 0, words }
}
