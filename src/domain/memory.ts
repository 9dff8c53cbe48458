/** How much memory the processes of a task may use, and whether an attempt ended for want of it. Pure. */
import { type AgentExit, type AttemptOutcome, outcomeOf } from './outcome.ts'

/** No agent comes up with less. */
export const LEAST_MEMORY_BYTES = 64 * 1024 * 1024

const SIZE = /^(\d+(?:\.\d+)?)(?:([KMGT])(?:(i?)B)?)?$/i
const POWERS: Readonly<Record<string, number>> = { K: 1, M: 2, G: 3, T: 4 }

/** `4G`, `512M`, `4GiB` in powers of 1024, as systemd counts; `4GB` in those of 1000; or bytes. */
export function parseMemory(text: string): number | undefined {
  const [whole, count, letter, binary] = SIZE.exec(text) ?? []
  if (whole === undefined) return undefined
  const isDecimal = /B$/i.test(whole) && binary === ''
  const power = letter === undefined ? 0 : (POWERS[letter.toUpperCase()] ?? 0)
  const bytes = Math.floor(Number(count) * (isDecimal ? 1000 : 1024) ** power)
  return bytes >= LEAST_MEMORY_BYTES && Number.isSafeInteger(bytes) ? bytes : undefined
}

/** `4 GiB`, `1.5 GiB`, `700 MiB`. */
export function describeMemory(bytes: number): string {
  const MiB = 1024 * 1024
  const [count, unit] = bytes >= 1024 * MiB ? [bytes / (1024 * MiB), 'GiB'] : [bytes / MiB, 'MiB']
  return `${Number(count.toFixed(1))} ${unit}`
}

/** What a task may use that another one delegates: no more than that one. Null: no limit. */
export function narrowMemory(asked: number | null, parent: number | null): number | null {
  return asked === null || parent === null ? (asked ?? parent) : Math.min(asked, parent)
}

const SIGKILL = 9

/**
 * An agent that was killed by nobody of us, in a control group of its own in which the kernel has
 * killed somebody for want of memory. `kills`: of how many the kernel says so; null: nobody can tell.
 */
export function judgeMemory(
  outcome: AttemptOutcome,
  exit: AgentExit,
  kills: number | null,
  limitBytes: number | null,
): AttemptOutcome {
  const isCrash = 'failure' in outcome && outcome.failure.code === 'agent_crashed'
  const isKilled = exit.kind === 'signalled' && exit.signal === SIGKILL
  if (!isCrash || !isKilled || kills === null || kills === 0) return outcome
  const limit = limitBytes === null ? '' : `: its limit is ${describeMemory(limitBytes)}`
  return outcomeOf({
    code: 'out_of_memory',
    message: `the kernel killed it for want of memory${limit}`,
    hint:
      limitBytes === null
        ? 'holdfast resume goes on with it, once the machine has more memory free'
        : 'holdfast resume goes on with it; --memory sets another limit',
  })
}

/** For the log: somebody of the attempt may have been killed, and the agent gone on. */
export function describeKills(kills: number | null): string {
  if (kills === null || kills === 0) return ''
  return `; for want of memory the kernel killed ${kills} of its processes`
}
