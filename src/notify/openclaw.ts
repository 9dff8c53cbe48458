/** The OpenClaw of this user, by its own command; its gateway must be up. It forgets what it was told when it restarts. */
import type { Channel } from '../ports/notifier.ts'
import { makeMessage, textOf } from './message.ts'
import { type Environment, runProgram } from './run-program.ts'

/** `environment`: the worker's, with a PATH on which no agent put anything. */
export function makeOpenclawChannel(environment: Environment): Channel<'openclaw'> {
  return {
    async send(_subscriber, notices, signal) {
      const text = textOf(makeMessage(notices))
      const argv = ['openclaw', 'system', 'event', '--text', text, '--mode', 'now'] as const
      await runProgram(argv, environment, signal)
    },
  }
}
