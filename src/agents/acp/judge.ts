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
import { ownOf } from './state.ts'

/** The protocol's own: who is asked has to log in first; what is asked for is not there. */
const AUTH_REQUIRED = -32_000
const NOT_FOUND = -32_002

/**
 * Words of the agents and of the models behind them, and what they come to; the first that fits.
 * An agent may put any of them into the error's message or its data.
 */
const WORDS: readonly (readonly [RegExp, FailureCode])[] = [
  [
    /usage.?limit|out of credits|hit your\b.*\blimit|limit reached|quota exceeded|exceeded your current quota|exhausted your .{0,20}quota|insufficient_quota/i,
    'usage_limit',
  ],
  [
    /\b401\b|authentication (?:required|failed)|auth_required|not (?:logged|signed) in|please (?:log|sign) in|invalid.{0,10}api.?key|api key not valid|log out and sign in/i,
    'auth',
  ],
  [/\b429\b|rate.?limit|too many requests|resource.?exhausted/i, 'rate_limited'],
  [
    /context (?:window|length)|maximum context|prompt is too long|token count.{0,40}exceeds/i,
    'context_overflow',
  ],
  [/\b(?:status|code):? 400\b|\b400 Bad Request\b/i, 'model_error'],
  [
    /\b5\d\d\b|overloaded|high demand|server_error|unavailable|stream disconnected|connection|(?:cannot|unable to|failed to) connect|terminated|timed? ?out|fetch failed|socket|ECONN|ENOTFOUND/i,
    'model_unavailable',
  ],
]

const LOST = /not found|no previous sessions|no (?:such )?session|unknown session|does not exist/i

/** Only the answer to the prompt proves a success; the exit is used where none came. Pure. */
export function judge(
  translation: Translation,
  { exit, stderr, saidAt, timeZone }: AgentEnding,
  loginHint: string,
): AttemptOutcome {
  const { turn } = translation
  if (turn?.ok === true) return { kind: 'succeeded' }
  if (turn !== null) {
    const failure = classify(translation, turn.message, loginHint)
    return outcomeOf(failure, parseResetTime(turn.message, saidAt, timeZone))
  }
  const lastWords = findLastWords(stderr)
  const withWords = (message: string) => (lastWords === '' ? message : `${message}: ${lastWords}`)
  if (exit.kind === 'exited' && exit.code === 0) {
    return outcomeOf({
      code: 'no_proof',
      message: withWords('the agent ended without saying that its turn was finished'),
    })
  }
  const message = withWords(`the agent ended before its turn did: ${describeExit(exit)}`)
  const isLoggedOut = exit.kind === 'exited' && codeOf(lastWords) === 'auth'
  return outcomeOf(
    isLoggedOut ? { code: 'auth', message, hint: loginHint } : { code: 'agent_crashed', message },
  )
}

function classify(translation: Translation, message: string, loginHint: string): Failure {
  const { failure } = ownOf(translation)
  if (failure?.code === AUTH_REQUIRED || failure?.at === 'authenticate') {
    return { code: 'auth', message, hint: loginHint }
  }
  if (failure?.at === 'session' && (failure.code === NOT_FOUND || LOST.test(message))) {
    return { code: 'session_lost', message }
  }
  // Whoever asks for a cancel knows what follows; of itself a turn is cancelled by a shutdown.
  if (message === CANCELLED) return { code: 'agent_crashed', message }
  const code = codeOfStatus(failure?.code ?? null, message) ?? codeOf(message) ?? 'model_error'
  return code === 'auth' ? { code, message, hint: loginHint } : { code, message }
}

/** Some pass on the HTTP status of the model's service as the code: it says more than words. */
function codeOfStatus(status: number | null, words: string): FailureCode | undefined {
  if (status === null || status < 400 || status > 599) return undefined
  const said = codeOf(words)
  if (status >= 500) return 'model_unavailable'
  if (status === 401 || status === 403) return 'auth'
  if (status === 429) return said === 'usage_limit' ? said : 'rate_limited'
  return said === 'context_overflow' ? said : 'model_error'
}

/** As `translate.ts` says it. */
const CANCELLED = 'the turn was cancelled'

function codeOf(words: string): FailureCode | undefined {
  return WORDS.find(([pattern]) => pattern.test(words))?.[1]
}
