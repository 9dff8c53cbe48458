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
import { lookUp } from '../look-up.ts'
import { type ClaudeFailure, NOT_ASKED, ownState } from './state.ts'

const LOGIN = 'claude auth login'

/**
 * Claude Code's own words and what they come to; the first that fits. Each was seen from 2.1.197 or
 * 2.1.329, or stands in the program.
 */
const WORDS: readonly (readonly [RegExp, FailureCode, hint?: string])[] = [
  [/No conversation found/, 'session_lost'],
  // Only the words of a subscription: an API key meets limits of a minute.
  [/\bhit your\b.*\blimit\b|usage limit reached|out of (?:extra )?usage/i, 'usage_limit'],
  // A confined Claude Code cannot renew its login; the next launch does.
  [/token has expired/i, 'model_unavailable'],
  [
    /not logged in|please run \/login|invalid api key|authentication_error|failed to authenticate|token has been revoked|API Error: 40[13]\b/i,
    'auth',
    LOGIN,
  ],
  [/credit balance is too low/i, 'auth', 'add credits, or log in to another account'],
  [/prompt is too long|context (?:window|limit|length)|input is too long/i, 'context_overflow'],
  [/\(429\)|API Error: 429\b|rate limit/i, 'rate_limited'],
  [
    /API Error: 5\d\d\b|overloaded|connection|network|timed? ?out|socket|ECONN\w+|ENOTFOUND|EAI_AGAIN|fetch failed|internal server error|server_error/i,
    'model_unavailable',
  ],
]

/** The same by the kind that Claude Code names, where its words say nothing. */
const KINDS: Readonly<Record<string, readonly [FailureCode, hint?: string]>> = {
  authentication_failed: ['auth', LOGIN],
  billing_error: ['auth', 'add credits, or log in to another account'],
  rate_limit: ['rate_limited'],
  server_error: ['model_unavailable'],
  overloaded: ['model_unavailable'],
}

/** Lines of stderr that say nothing about an end. */
const NOISE = /^\[claude-code:unrecognized_model\]|^Warning: Unknown --effort value/

/** Pure. Only a `result` without error proves a success: interrupted, Claude Code exits with 0. */
export function judge(translation: Translation, ending: AgentEnding): AttemptOutcome {
  const { turn } = translation
  const { failure, limit, background } = ownState(translation)
  if (turn === null) return judgeSilence(ending)
  if (turn.ok) {
    // It waited for what it had started, to go on with that; ending by itself, it has given that up.
    const waited = background > 0 && ending.exit.kind !== 'exited'
    if (!waited) return { kind: 'succeeded' }
    const message = `Claude Code ended while it waited for commands in the background: ${describeExit(ending.exit)}`
    return outcomeOf({ code: 'agent_crashed', message })
  }

  if (failure?.ending?.startsWith('aborted')) {
    const message = `Claude Code was interrupted before its turn ended: ${describeExit(ending.exit)}`
    return outcomeOf({ code: 'agent_crashed', message })
  }
  if (failure?.subtype === NOT_ASKED) {
    return outcomeOf({ code: 'model_error', message: turn.message })
  }
  const classified = classify(turn.message, failure)
  // A limit was met, and then words came that do not name it.
  const found: Failure =
    limit !== null && classified.code === 'rate_limited'
      ? { code: 'usage_limit', message: turn.message }
      : classified
  const resetsAt = found.code === 'usage_limit' ? (limit?.resetsAt ?? null) : null
  const passesAt =
    resetsAt === null
      ? parseResetTime(turn.message, ending.saidAt, ending.timeZone)
      : resetsAt * 1_000
  return outcomeOf(found, passesAt)
}

/** It ended without a `result`. */
function judgeSilence({ exit, stderr }: AgentEnding): AttemptOutcome {
  const lastWords = findLastWords(stderr, NOISE)
  // The id that was chosen names another session, or one of which only the end was not seen: the
  // prompt is given again under a new one.
  if (/is already in use|No conversation found/.test(stderr)) {
    return outcomeOf({ code: 'session_lost', message: lastWords })
  }
  // Also with exit 0, which it gives where it is interrupted and has no time left to say so.
  const message = `Claude Code ended before its turn did: ${describeExit(exit)}`
  return outcomeOf({
    code: 'agent_crashed',
    message: lastWords === '' ? message : `${message}: ${lastWords}`,
  })
}

function classify(message: string, failure: ClaudeFailure | null): Failure {
  for (const [words, code, hint] of WORDS) {
    if (words.test(message)) return withHint(code, message, hint)
  }
  const [code, hint] = lookUp(KINDS, failure?.kind) ?? []
  if (code !== undefined) return withHint(code, message, hint)
  const { status = null } = failure ?? {}
  if (status !== null && status >= 500) return { code: 'model_unavailable', message }
  if (status === 429) return { code: 'rate_limited', message }
  return { code: 'model_error', message }
}

function withHint(code: FailureCode, message: string, hint: string | undefined): Failure {
  return hint === undefined ? { code, message } : { code, message, hint }
}
