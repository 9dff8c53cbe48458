import {
  type AgentExit,
  type AttemptOutcome,
  describeExit,
  type Failure,
  type FailureCode,
} from '../../domain/outcome.ts'
import type { Translation } from '../../ports/agent.ts'

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
]

/** Lines of stderr that say nothing about an end. */
const NOISE = /^Reading (?:additional input|prompt) from stdin|^WARNING: proceeding, even though/

/** The longest part of stderr that goes into a message. */
const LINE_KEPT = 500

/**
 * Only Codex's own `turn.completed` proves a success; its exit code is used only where no terminal
 * event came. Pure.
 */
export function judge({ turn }: Translation, exit: AgentExit, stderr: string): AttemptOutcome {
  if (turn?.ok === true) return { kind: 'succeeded' }
  if (turn !== null) return { kind: 'failed', failure: classify(turn.message) }

  const lastWords = findLastWords(stderr)
  if (/no rollout found/.test(stderr)) {
    // Killed in the moment after it had named its session, before it wrote it down.
    return { kind: 'interrupted', failure: { code: 'session_lost', message: lastWords } }
  }
  if (exit.kind === 'exited' && exit.code === 0) {
    const message = 'Codex ended without saying that its turn was finished'
    return { kind: 'failed', failure: { code: 'no_proof', message } }
  }
  // "already has an active writer" (a process of the last attempt still dies) is one of these.
  const message = `Codex ended before its turn did: ${describeExit(exit)}`
  return {
    kind: 'interrupted',
    failure: {
      code: 'agent_crashed',
      message: lastWords === '' ? message : `${message}: ${lastWords}`,
    },
  }
}

function classify(message: string): Failure {
  for (const [words, code, hint] of WORDS) {
    if (words.test(message)) return hint === undefined ? { code, message } : { code, message, hint }
  }
  return { code: 'model_error', message }
}

/** Its last error, else its last line: a backtrace may follow an error. */
function findLastWords(stderr: string): string {
  const lines = stderr.split('\n').map(line => line.trim())
  const said = lines.filter(line => line !== '' && !NOISE.test(line))
  return (said.findLast(line => line.startsWith('Error:')) ?? said.at(-1) ?? '').slice(0, LINE_KEPT)
}
