/**
 * Ending every process of an attempt. Who belongs to it is looked up before the first signal:
 * afterwards orphans can no longer be told by their parents. Forcefully means: all are frozen
 * (SIGSTOP) until nobody new comes to light, and only then killed, so that none can fork meanwhile.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { reach } from '../domain/crash-points.ts'
import type { FoundProcess, StopOrder, StopReport } from '../ports/process-host.ts'
import type { Chase, LocalIdentity, ProcessTable } from '../ports/process-table.ts'

/** A member that can be recognised later. */
export type Member = FoundProcess & LocalIdentity

type OnSight = (bearer: LocalIdentity) => void

/** Where members come from. */
export interface MemberSource {
  /** What lives as long as the agent: itself or what is put around it; if it wrote itself down. */
  readonly agent: LocalIdentity | undefined
  /** Looks for the process that listens to signals: the agent itself. */
  readonly findListener: () => LocalIdentity | undefined
  /** The wrapper, likewise. */
  readonly wrapper: LocalIdentity | undefined
  /**
   * One scan. Those in `known` count, wherever they have gone; whoever bears the mark is shown to
   * `onSight` as soon as it is seen.
   */
  readonly find: (known: readonly LocalIdentity[], onSight: OnSight) => readonly Member[]
  /** A quick look for newcomers that bear the mark: as `ProcessTable.makeChase`. */
  readonly chase: Pick<Chase, 'quietLooks'> & { readonly look: (onSight: OnSight) => void }
  readonly liveness: ProcessTable['liveness']
}

/**
 * The forceful end takes some milliseconds, and seconds on a busy machine that must ask a program
 * who is there; what resists for this long sleeps in the kernel.
 */
export const FORCEFUL_LIMIT_MS = 10_000
/**
 * What outlives agent and wrapper has been told nothing by anybody (most agents leave their tools
 * behind), so there is no end to wait for; only what is just about to end gets its moment.
 */
const ORPHANS_MS = 500
/** A look at ten processes costs 0.1 ms. */
const LOOK_MS = 10

/** As `ProcessHost.stop`, on an attempt of this machine, boot and PID namespace. */
export async function stopMembers(
  source: MemberSource,
  order: StopOrder,
  limitMs: number,
): Promise<StopReport> {
  const { liveness } = source
  const known = new Map<string, Member>()
  // Who cannot be seen counts as living: it is never reported as ended.
  const living = () => [...known.values()].filter(one => liveness(one) !== 'dead')
  const look = (onSight: OnSight): readonly Member[] => {
    const found = source.find([...known.values()], onSight)
    // Why it was counted at first says more than that it is known by now.
    for (const member of found) if (!known.has(keyOf(member))) known.set(keyOf(member), member)
    return found
  }

  look(() => undefined)
  reach('stop.found')
  if (order.graceful !== null) {
    await endGracefully(source, order.graceful, order.graceMs, living)
  }
  const deadline = performance.now() + limitMs
  // However long it took to look: nobody was met, so nobody is left. A limit on that would never be
  // kept on a machine that is so busy.
  let ended = false
  while (!ended) {
    ended = !(await freezeAll(source, look, deadline)) && living().length === 0
    if (ended) break
    reach('stop.frozen')
    for (const member of known.values()) signal(member, 'SIGKILL', liveness)
    reach('stop.killed')
    while (living().length > 0 && performance.now() < deadline) await sleep(LOOK_MS)
    if (performance.now() >= deadline) break
  }
  reach('stop.ended')
  return { ended, processes: (ended ? [...known.values()] : living()).map(asFound) }
}

async function endGracefully(
  { agent, wrapper, findListener, liveness }: MemberSource,
  graceful: NodeJS.Signals,
  graceMs: number,
  living: () => readonly Member[],
): Promise<void> {
  const listener = findListener()
  if (agent === undefined || listener === undefined) return
  if (!signal(listener, graceful, liveness)) return
  // One that the user has suspended must be awake to end itself.
  signal(listener, 'SIGCONT', liveness)
  reach('stop.asked')
  const deadline = performance.now() + graceMs
  let orphansUntil = Number.POSITIVE_INFINITY
  while (performance.now() < Math.min(deadline, orphansUntil) && living().length > 0) {
    const holders = wrapper === undefined ? [agent] : [agent, wrapper]
    const held = holders.some(one => liveness(one) !== 'dead')
    if (!held) orphansUntil = Math.min(orphansUntil, performance.now() + ORPHANS_MS)
    await sleep(LOOK_MS)
  }
}

/**
 * Stops all members (SIGSTOP), until nobody is met any more who was not stopped yet. True if there
 * was anybody. All of them are known by then.
 */
async function freezeAll(
  source: MemberSource,
  look: (onSight: OnSight) => readonly Member[],
  deadline: number,
): Promise<boolean> {
  const frozen = new Set<string>()
  const freeze = (process: LocalIdentity) => {
    if (frozen.has(keyOf(process))) return
    frozen.add(keyOf(process))
    signal(process, 'SIGSTOP', source.liveness)
  }
  for (;;) {
    const before = frozen.size
    look(freeze).forEach(freeze)
    for (let quiet = 0; frozen.size === before && quiet < source.chase.quietLooks; quiet++) {
      source.chase.look(freeze)
      await nextTurn()
    }
    if (frozen.size === before || performance.now() > deadline) return frozen.size > 0
  }
}

/** Signals a process if it is still the one that is meant; false if it is gone, or not ours. */
function signal(
  process_: LocalIdentity,
  name: NodeJS.Signals,
  liveness: ProcessTable['liveness'],
): boolean {
  if (liveness(process_) !== 'alive') return false
  try {
    return process.kill(process_.pid, name)
  } catch {
    return false // it went in this very moment, or changed its user: the next look tells
  }
}

function keyOf(identity: LocalIdentity): string {
  return `${identity.pid} ${identity.startTime}`
}

function asFound({ pid, command, because }: Member): FoundProcess {
  return { pid, command, because }
}
