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
import { INTERRUPTED, NOT_ASKED, ownOf, type ServerFailure } from './app-server/state.ts'

/**
 * Codex's own words and what they come to; the first that fits. Each was seen from 0.169.0, or
 * stands in its binary (those about signing in again).
 */
const WORDS: readonly (readonly [RegExp, FailureCode])[] = [
  [/usage limit|out of credits/i, 'usage_limit'],
  [/status:? 401\b|not logged in|log out and sign in|Missing environment variable/i, 'auth'],
  [/status:? 429\b/i, 'rate_limited'],
  [/context window|context length|maximum context/i, 'context_overflow'],
  [
    /status:? 5\d\d\b|stream disconnected|error sending request|idle timeout|high demand|overloaded|connection/i,
    'model_unavailable',
  ],
]

/** Lines of stderr that say nothing about an end. */
const NOISE = /^Reading (?:additional input|prompt) from stdin|^WARNING: proceeding, even though/

/** What Codex's app-server calls its errors (0.169.0); of any other the words count. */
const INFOS: Readonly<Record<string, FailureCode>> = {
  usageLimitExceeded: 'usage_limit',
  rateLimitExceeded: 'rate_limited',
  contextWindowExceeded: 'context_overflow',
  unauthorized: 'auth',
  serverOverloaded: 'model_unavailable',
  internalServerError: 'model_unavailable',
  flexUnavailable: 'model_unavailable',
  policyCapacityUnavailable: 'model_unavailable',
  modelNotFound: 'model_error',
  badRequest: 'model_error',
  cyberPolicy: 'model_error',
}

const LOST = /no rollout found|invalid session id|thread not found/

/**
 * Only Codex's own end of the turn proves a success; its exit code is used only where no terminal
 * event came. Pure.
 */
export function judge(
  translation: Translation,
  { exit, stderr, saidAt, timeZone }: AgentEnding,
): AttemptOutcome {
  const { turn } = translation
  if (turn?.ok === true) return { kind: 'succeeded' }
  const { failure } = ownOf(translation)
  // Codex may have died between an error and the end of the turn that follows it.
  const message = turn?.message ?? failure?.message
  if (message !== undefined) {
    const passesAt = failure?.passesAt ?? parseResetTime(message, saidAt, timeZone)
    return outcomeOf(failure === null ? classify(message) : weigh(failure), passesAt)
  }

  const lastWords = findLastWords(stderr, NOISE)
  if (LOST.test(stderr)) {
    // Killed in the moment after it had named its session, before it wrote it down.
    return outcomeOf({ code: 'session_lost', message: lastWords })
  }
  if (exit.kind === 'exited' && exit.code === 0) {
    const message = 'Codex ended without saying that its turn was finished'
    return outcomeOf({ code: 'no_proof', message })
  }
  // "already has an active writer" (a process of the last attempt still dies) is one of these.
  const how = `Codex ended before its turn did: ${describeExit(exit)}`
  return outcomeOf({
    code: 'agent_crashed',
    message: lastWords === '' ? how : `${how}: ${lastWords}`,
  })
}

function weigh({ at, message, word, status }: ServerFailure): Failure {
  if (at === 'thread') {
    // A process of the last attempt may still die, or a setting be wrong: it is tried again.
    return LOST.test(message)
      ? { code: 'session_lost', message }
      : classify(message, 'agent_crashed')
  }
  // Whoever asked for it knows what follows; of itself Codex interrupts no turn.
  if (message === INTERRUPTED) return { code: 'agent_crashed', message }
  // The words are those of whoever kept it back.
  if (word === NOT_ASKED) return { code: 'model_error', message }
  const code = codeOfStatus(status) ?? lookUp(INFOS, word)
  return code === undefined ? classify(message) : withHint(code, message)
}

function codeOfStatus(status: number | null): FailureCode | undefined {
  if (status === null) return undefined
  if (status === 401 || status === 403) return 'auth'
  if (status === 429) return 'rate_limited'
  return status >= 500 ? 'model_unavailable' : undefined
}

function classify(message: string, otherwise: FailureCode = 'model_error'): Failure {
  const code = WORDS.find(([words]) => words.test(message))?.[1] ?? otherwise
  return withHint(code, message)
}

function withHint(code: FailureCode, message: string): Failure {
  return code === 'auth' ? { code, message, hint: 'codex login' } : { code, message }
}
