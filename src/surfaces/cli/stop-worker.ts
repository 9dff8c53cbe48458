import { AppError } from '../../domain/errors.ts'
import type { CommandContext } from './command.ts'

/** How long a worker is waited for: on a busy machine its start alone takes seconds. */
const LIMIT_MS = 30_000

/**
 * Ends the worker and its watchdog, also one that is just coming up; agents go on. Does nothing
 * where none is.
 */
export async function stopWorker(context: CommandContext): Promise<void> {
  const presence = await context.holdfast.presence()
  const host = await context.holdfast.host()
  const told = new Set<number>()
  const hasLeft = () => {
    const info = presence.look()
    // A worker that has only just taken the post has yet to say who it is.
    if (typeof info !== 'object') return info === undefined
    const { identity } = info
    // The card may be of a worker that was killed, and its pid anybody's by now.
    const liveness = host.liveness(identity)
    if (liveness === 'unknown') throw outOfReach(identity.pid)
    if (liveness === 'dead' || told.has(identity.pid)) return false
    told.add(identity.pid)
    presence.dismissWatchdog()
    signal(identity.pid, 'SIGTERM')
    // One that somebody has suspended must be awake to end itself.
    signal(identity.pid, 'SIGCONT')
    return false
  }
  // Refuses before anything is done. Then dismissed first and looked at again: where nobody holds
  // the post, somebody may be on the way to it.
  hasLeft()
  presence.dismissWatchdog()
  await untilWorker(hasLeft, 'the worker did not stop', context)
}

function outOfReach(pid: number): AppError {
  return new AppError(
    'refused_in_state',
    `the worker, pid ${pid}, runs in another PID namespace or on another machine`,
    { hint: 'stop it from there' },
  )
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
