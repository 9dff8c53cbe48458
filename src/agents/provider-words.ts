/**
 * What model providers say of a failure, for agents that pass their words on: an HTTP status where
 * there is one, and the provider's message ("429 slow down").
 */
import type { Failure, FailureCode } from '../domain/outcome.ts'

/** The first that fits. Each was seen, or stands in the sources of Pi 0.73.1 or OpenCode 1.18.33. */
const WORDS: readonly (readonly [RegExp, FailureCode])[] = [
  [
    /usage.?limit|quota|(?<!rate )limit reached|out of credits|credit balance|billing/i,
    'usage_limit',
  ],
  [
    /^40[13]\b|unauthorized|invalid (?:x-)?api.key|no api key found|no models available|api.?key is missing|authentication failed|token refresh failed|ProviderAuthError/i,
    'auth',
  ],
  [/^429\b|rate.?limit|too many requests|throttl|slow down/i, 'rate_limited'],
  [
    /context.?(?:window|length|size|overflow)|prompt (?:is )?too long|input is too long|too many tokens|token (?:limit|count).*exceed|token limit exceeded|request_too_large|reduce the length|maximum prompt length/i,
    'context_overflow',
  ],
  [
    // What agents themselves try again.
    /^5\d\d\b|overloaded|at capacity|provider.?returned.?error|service.?unavailable|server.?error|internal.?error|network.?error|cannot connect|connection|econn|etimedout|enotfound|websocket|other side closed|fetch failed|upstream.?connect|reset before headers|socket|ended without|http2|timed? ?out|terminated/i,
    'model_unavailable',
  ],
  [/\baborted\b/i, 'agent_crashed'],
]

/** `logIn`: what helps against a login that is missing or refused. */
export function classifyWords(
  message: string,
  logIn: string,
  otherwise: FailureCode = 'model_error',
): Failure {
  const code = WORDS.find(([words]) => words.test(message))?.[1] ?? otherwise
  return code === 'auth' ? { code, message, hint: logIn } : { code, message }
}

/** A limit that is further away than this is no matter of a busy minute. */
const LONG_LIMIT_MS = 10 * 60_000

/** A busy minute passes by itself; what lasts longer is waited for without an attempt. */
export function weighLimit(failure: Failure, passesAt: number | null, saidAt: number): Failure {
  const isLong = passesAt !== null && passesAt - saidAt > LONG_LIMIT_MS
  return failure.code === 'rate_limited' && isLong ? { ...failure, code: 'usage_limit' } : failure
}
