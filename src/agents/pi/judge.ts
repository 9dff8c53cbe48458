import { stripVTControlCharacters } from 'node:util'
import { parseResetTime } from '../../domain/limits.ts'
import {
  type AttemptOutcome,
  describeExit,
  type Failure,
  type FailureCode,
  outcomeOf,
} from '../../domain/outcome.ts'
import type { AgentEnding, Translation } from '../../ports/agent.ts'
import { findLastWords } from '../last-words.ts'
import { findLongWait } from './long-waits.ts'

/** A limit that is further away than this is no matter of a busy minute. */
const LONG_LIMIT_MS = 10 * 60_000

const LOG_IN = 'start pi and type /login'

/**
 * Pi's and its providers' words and what they come to; the first that fits. Most errors are told as
 * the HTTP status and the provider's message ("429 slow down"). Each was seen from 0.73.1, or
 * stands in its sources.
 */
const WORDS: readonly (readonly [RegExp, FailureCode, hint?: string])[] = [
  [/usage limit|quota|out of credits|credit balance|billing/i, 'usage_limit'],
  [
    /^40[13]\b|unauthorized|invalid (?:x-)?api.key|no api key found|no models available|authentication failed|token refresh failed/i,
    'auth',
    LOG_IN,
  ],
  [/^429\b|rate.?limit|too many requests|throttl/i, 'rate_limited'],
  [
    /context.?(?:window|length|size|overflow)|prompt (?:is )?too long|input is too long|too many tokens|token (?:limit|count).*exceed|token limit exceeded|request_too_large|reduce the length|maximum prompt length/i,
    'context_overflow',
  ],
  [
    // What Pi itself tries again.
    /^5\d\d\b|overloaded|provider.?returned.?error|service.?unavailable|server.?error|internal.?error|network.?error|connection|websocket|other side closed|fetch failed|upstream.?connect|reset before headers|socket hang up|ended without|http2|timed? ?out|terminated/i,
    'model_unavailable',
  ],
  [/\baborted\b/i, 'agent_crashed'],
]

/** What Pi says of a session that it does not find, or not in this directory. */
const NO_SESSION =
  /No session found matching|Session found in different project|Stored session working directory/

/**
 * Only the model's own last word proves a success: in JSON mode Pi exits with 0 also after an error.
 * Pure.
 */
export function judge(
  { turn }: Translation,
  { exit, stderr, saidAt, timeZone }: AgentEnding,
): AttemptOutcome {
  if (turn?.ok === true) return { kind: 'succeeded' }
  const wait = findLongWait(stderr)
  if (turn !== null) {
    const failure = classify(turn.message)
    if (failure.code !== 'usage_limit' && failure.code !== 'rate_limited') return outcomeOf(failure)
    const passesAt =
      wait?.until ?? parseResetTime(turn.message.replaceAll('~', ''), saidAt, timeZone)
    const isLong = passesAt !== null && passesAt - saidAt > LONG_LIMIT_MS
    return outcomeOf(isLong ? { ...failure, code: 'usage_limit' } : failure, passesAt)
  }

  const lastWords = findLastWords(stripVTControlCharacters(stderr))
  if (NO_SESSION.test(stderr)) {
    // Pi writes a session down with the model's first answer: killed before, it has left none.
    return outcomeOf({ code: 'session_lost', message: lastWords })
  }
  const known = classify(lastWords, 'no_proof')
  if (known.code === 'auth' || /^(?:error: )?model ".*" not found/i.test(lastWords)) {
    // Before any turn: it has nobody to ask.
    return outcomeOf(known.code === 'auth' ? known : { code: 'model_error', message: lastWords })
  }
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

function classify(message: string, otherwise: FailureCode = 'model_error'): Failure {
  for (const [words, code, hint] of WORDS) {
    if (words.test(message)) return hint === undefined ? { code, message } : { code, message, hint }
  }
  return { code: otherwise, message }
}
