/** An OpenClaw of this user, by its own command; its gateway must be up. It forgets what it was told when it restarts. */
import type { Channel } from '../ports/notifier.ts'
import { makeMessage, textOf } from './message.ts'
import { type Environment, runProgram } from './run-program.ts'

/**
 * Seconds of CPU time before it says a word: a minute where the machine is busy. Ended too soon it
 * may have been heard, and is heard again.
 */
const LIMIT_MS = 180_000
/** Its log, as in `[sqlite/transaction] slow`. */
const NOISE = /^\[(?!error|fatal)[a-z][\w./-]*\]/i

/** `environment`: the worker's, with a PATH on which no agent put anything. */
export function makeOpenclawChannel(environment: Environment): Channel<'openclaw'> {
  return {
    async send({ session, environment: own }, notices, signal) {
      const text = textOf(makeMessage(notices))
      // One word: a key may begin with a dash.
      const to = session === null ? [] : [`--session-key=${session}`]
      const argv = ['openclaw', 'system', 'event', '--text', text, '--mode', 'now', ...to] as const
      await runProgram(argv, { ...environment, ...own }, signal, {
        limitMs: LIMIT_MS,
        noise: NOISE,
      })
    },
  }
}
