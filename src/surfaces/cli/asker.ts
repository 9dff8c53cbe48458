/** Who hands a task in once more. */
import type { Asker } from '../../engine/resubmit.ts'
import { callerEnvironment, whoByDefault } from '../hand-in-ports.ts'
import type { CommandContext } from './command.ts'
import { parseTimeout } from './flags.ts'

/** For the commands that hand a task in once more. */
export const timeoutFlag = {
  timeout: { about: 'end it after so much working time (default: as before)', value: 'DURATION' },
} as const

/** Who asks, and what for. */
export async function askerOf(
  { timeout, wait }: { readonly timeout?: string; readonly wait?: boolean },
  context: CommandContext,
): Promise<Asker> {
  return {
    caller: context.caller,
    environment: callerEnvironment(context),
    timeoutMs: timeout === undefined ? null : parseTimeout(timeout),
    budget: null,
    notify: await whoByDefault(wait === true, context),
  }
}
