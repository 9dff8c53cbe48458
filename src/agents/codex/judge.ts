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

/**
 * Codex's own words and what they come to; the first that fits. Each was seen from 0.169.0, or
 * stands in its binary (those about signing in again).
 */
const WORDS: readonly (readonly [RegExp, FailureCode, hint?: string])[] = [
  [/usage limit|out of credits/i, 'usage_limit'],
  [
    /status:? 401\b|not logged in|log out and sign in|Missing environment variable/i,
    'auth',
    'codex login',
  ],
  [/status:? 429\b/i, 'rate_limited'],
  [/context window|context length|maximum context/i, 'context_overflow'],
  [
    /status:? 5\d\d\b|stream disconnected|error sending request|idle timeout|high demand|overloaded|connection/i,
    'model_unavailable',
  ],
]

/** Lines of stderr that say nothing about an end. */
const NOISE = /^Reading (?:additional input|prompt) from stdin|^WARNING: proceeding, even though/

/**
 * Only Codex's own `turn.completed` proves a success; its exit code is used only where no terminal
 * event came. Pure.
 */
export function judge(
  { turn }: Translation,
  { exit, stderr, saidAt, timeZone }: AgentEnding,
): AttemptOutcome {
  if (turn?.ok === true) return { kind: 'succeeded' }
  if (turn !== null) {
    const passesAt = parseResetTime(turn.message, saidAt, timeZone)
    return outcomeOf(classify(turn.message), passesAt)
  }

  const lastWords = findLastWords(stderr, NOISE)
  if (/no rollout found/.test(stderr)) {
    // Killed in the moment after it had named its session, before it wrote it down.
    return outcomeOf({ code: 'session_lost', message: lastWords })
  }
  if (exit.kind === 'exited' && exit.code === 0) {
    const message = 'Codex ended without saying that its turn was finished'
    return outcomeOf({ code: 'no_proof', message })
  }
  // "already has an active writer" (a process of the last attempt still dies) is one of these.
  const message = `Codex ended before its turn did: ${describeExit(exit)}`
  return outcomeOf({
    code: 'agent_crashed',
    message: lastWords === '' ? message : `${message}: ${lastWords}`,
  })
}

function classify(message: string): Failure {
  for (const [words, code, hint] of WORDS) {
    if (words.test(message)) return hint === undefined ? { code, message } : { code, message, hint }
  }
  return { code: 'model_error', message }
}
