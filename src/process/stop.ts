/**
 * Ending every process of an attempt. Who belongs to it is looked up before the first signal:
 * afterwards orphans can no longer be told by their parents. Forcefully means: all are stopped
 * (SIGSTOP) until a look finds nobody new, and only then killed, so that none can fork meanwhile.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { FoundProcess, StopOrder, StopReport } from '../ports/process-host.ts'
import { isAlive, type LocalIdentity } from './identity.ts'

/** A member that can be recognised later. */
export type Member = FoundProcess & LocalIdentity

/** Where members come from. */
export interface MemberSource {
  /** The agent process, if it wrote itself down. */
  readonly agent: LocalIdentity | undefined
  /** The wrapper, likewise. */
  readonly wrapper: LocalIdentity | undefined
  /**
   * One scan. Those in `known` count, wherever they have gone; one that bears the mark is shown to
   * `onSight` as soon as it is seen.
   */
  readonly find: (
    known: readonly LocalIdentity[],
    onSight: (bearer: LocalIdentity) => void,
  ) => readonly Member[]
}

/** The forceful end takes some milliseconds; what resists for this long sleeps in the kernel. */
const FORCEFUL_LIMIT_MS = 3_000
/**
 * What outlives agent and wrapper has been told nothing by anybody (most agents leave their tools
 * behind), so there is no end to wait for; only what is just about to end gets its moment.
 */
const ORPHANS_MS = 500
/** A look at ten processes costs 0.1 ms. */
const LOOK_MS = 10
/** A process that is just in its `exec` shows no environment: one empty look proves nothing. */
const QUIET_LOOKS = 2

/** As `ProcessHost.stop`, on an attempt of this machine, boot and PID namespace. */
export async function stopMembers(source: MemberSource, order: StopOrder): Promise<StopReport> {
  const known = new Map<string, Member>()
  const living = () => [...known.values()].filter(isAlive)
  const look: Look = onSight => {
    for (const member of source.find([...known.values()], onSight)) {
      // Why it was counted at first says more than that it is known by now.
      if (!known.has(keyOf(member))) known.set(keyOf(member), member)
    }
    return living()
  }

  look(() => undefined)
  if (living().length > 0 && order.graceful !== null) {
    await endGracefully(source, order.graceful, order.graceMs, living)
    look(() => undefined)
  }
  const deadline = performance.now() + FORCEFUL_LIMIT_MS
  while (living().length > 0 && performance.now() < deadline) {
    await freeze(look, deadline)
    for (const member of known.values()) signal(member, 'SIGKILL')
    while (living().length > 0 && performance.now() < deadline) await sleep(LOOK_MS)
    look(() => undefined)
  }
  const left = living()
  const ended = left.length === 0
  return { ended, processes: (ended ? [...known.values()] : left).map(asFound) }
}

/** Scans, and returns all members known by then that live. */
type Look = (onSight: (process: LocalIdentity) => void) => readonly Member[]

async function endGracefully(
  source: MemberSource,
  graceful: NodeJS.Signals,
  graceMs: number,
  living: () => readonly Member[],
): Promise<void> {
  const { agent, wrapper } = source
  if (agent === undefined || !signal(agent, graceful)) return
  // One that the user has suspended must be awake to end itself.
  signal(agent, 'SIGCONT')
  const deadline = performance.now() + graceMs
  let orphansUntil = Number.POSITIVE_INFINITY
  while (performance.now() < Math.min(deadline, orphansUntil) && living().length > 0) {
    const held = isAlive(agent) || (wrapper !== undefined && isAlive(wrapper))
    if (!held) orphansUntil = Math.min(orphansUntil, performance.now() + ORPHANS_MS)
    await sleep(LOOK_MS)
  }
}

/** Stops all members, until looks find nobody who was not stopped yet. */
async function freeze(look: Look, deadline: number): Promise<void> {
  const frozen = new Set<string>()
  let fresh = 0
  const freezeOne = (process: LocalIdentity) => {
    if (frozen.has(keyOf(process))) return
    frozen.add(keyOf(process))
    fresh += 1
    signal(process, 'SIGSTOP')
  }
  for (let quiet = 0; quiet < QUIET_LOOKS && performance.now() < deadline; ) {
    fresh = 0
    look(freezeOne).forEach(freezeOne)
    quiet = fresh === 0 ? quiet + 1 : 0
    await nextTurn()
  }
}

/** Signals a process if it is still the one that is meant; false if it is gone, or not ours. */
function signal(process_: LocalIdentity, name: NodeJS.Signals): boolean {
  if (!isAlive(process_)) return false
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
