import { AppError } from '../../domain/errors.ts'
import type { CommandContext } from './command.ts'

/** How long a worker is waited for. */
const LIMIT_MS = 10_000

/** Ends the worker and its watchdog; agents go on. Does nothing where none is up. */
export async function stopWorker(context: CommandContext): Promise<void> {
  const presence = await context.holdfast.presence()
  const info = presence.look()
  // The card may be of a worker that was killed, and its pid anybody's by now.
  const liveness =
    typeof info === 'object' ? (await context.holdfast.host()).liveness(info.identity) : 'dead'
  if (typeof info === 'object' && liveness === 'unknown') {
    throw new AppError(
      'refused_in_state',
      `the worker, pid ${info.identity.pid}, runs in another PID namespace or on another machine`,
      { hint: 'stop it from there' },
    )
  }
  presence.dismissWatchdog()
  if (typeof info === 'object' && liveness === 'alive') {
    signal(info.identity.pid, 'SIGTERM')
    // One that somebody has suspended must be awake to end itself.
    signal(info.identity.pid, 'SIGCONT')
  }
  await untilWorker(() => presence.look() === undefined, 'the worker did not stop', context)
}

/** Waits for what was asked of the worker; refuses where it does not come. */
export async function untilWorker(
  condition: () => boolean,
  otherwise: string,
  { holdfast }: CommandContext,
): Promise<void> {
  const { setTimeout: sleep } = await import('node:timers/promises')
  const deadline = performance.now() + LIMIT_MS
  while (!condition()) {
    if (performance.now() > deadline) {
      throw new AppError('refused_in_state', `${otherwise} within ${LIMIT_MS / 1000} s`, {
        hint: `see ${holdfast.home}/worker.log`,
      })
    }
    await sleep(20)
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    // It went by itself, just now.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
