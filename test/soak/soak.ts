/** One soak: hands in and disturbs, goes on more calmly, waits for every end, and counts. */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { readRows, readTasks } from '../faults/rows.ts'
import { Dice } from './dice.ts'
import { interfere, kill } from './disturb.ts'
import { handIn } from './hand-in.ts'
import { Place } from './place.ts'
import { Tally } from './tally.ts'
import { complaintsAbout, doctorsComplaints, leftBehind } from './verify.ts'
import { leakedDescriptors, lookAtWorker, type WorkerLook } from './watch-worker.ts'

export interface Wish {
  readonly tasks: number
  readonly minutes: number
  readonly seed: number
  readonly keep: boolean
}

export interface Outcome {
  readonly lines: readonly string[]
  readonly complaints: readonly string[]
}

/** Of all the time: tasks are handed in, the worker is killed, anybody is disturbed. */
const HANDING_IN = 0.5
const WORKER_DIES = 0.3
const DISTURBING = 0.6
/** From then on whatever has not ended is cancelled; the rest of the time is for counting. */
const CANCEL_ALL = 0.75
const TERMINALS = 4
const PEOPLE = 2
const KILL_EVERY_MS = 900
const DEED_EVERY_MS = 700
const LOOK_MS = 500
/** What a worker may take more than after its warm-up. */
const GROWTH_BYTES = 40_000_000
/** Of one that was just started, before the first task; some are opened when they are first needed. */
const MORE_DESCRIPTORS = 6

/** Beyond its minutes, if it must be. */
const TOLD_WITHIN_MS = 60_000

const ENDED = ['succeeded', 'failed', 'cancelled']

export function soak(wish: Wish): {
  readonly over: Promise<Outcome>
  readonly abandon: () => void
} {
  const place = new Place()
  return { over: run(wish, place), abandon: () => place.abandon() }
}

async function run({ tasks, minutes, seed, keep }: Wish, place: Place): Promise<Outcome> {
  const began = performance.now()
  const totalMs = minutes * 60_000
  const until = (share: number) =>
    Math.max(0, Math.round(began + totalMs * share - performance.now()))
  const [dice, tally, complaints] = [new Dice(seed), new Tally(), [] as string[]]
  const actor = () => ({ place, dice: dice.fork(), tally, complaints })
  let isFailed = true
  try {
    await place.run(['worker', 'start'])
    const fresh = lookAtWorker(place)
    const [terminals, killer] = [actor(), actor()]
    const people = Array.from({ length: PEOPLE }, actor)
    const disturbing = AbortSignal.timeout(until(DISTURBING))
    const isCalm = () => until(WORKER_DIES) === 0
    const looks: WorkerLook[] = []
    const looking = watch(looks, place, isCalm, AbortSignal.timeout(until(CANCEL_ALL)))
    const [own, , ...others] = await Promise.all([
      handIn(
        tasks,
        until(HANDING_IN),
        TERMINALS,
        AbortSignal.timeout(until(DISTURBING)),
        terminals,
      ),
      kill(KILL_EVERY_MS, isCalm, disturbing, killer),
      ...people.map(one => interfere(DEED_EVERY_MS, disturbing, one)),
    ])
    // A machine that is busy with something else takes its time; that loses nothing.
    tally.count('not handed in for want of time', tasks - own.length)
    if (own.length < tasks / 2)
      complaints.push(`only ${own.length} of ${tasks} tasks were handed in`)
    await settle(place, () => until(CANCEL_ALL), tally)
    await settle(place, () => until(1), tally, true)
    looks.push(...[lookAtWorker(place)].filter(look => look !== undefined))
    await looking
    await untilAllIsSent(place, TOLD_WITHIN_MS)
    complaints.push(
      ...(await beforeItLeaves(place, [...own, ...others.flat()], fresh, looks, tally)),
    )
    await place.run(['worker', 'stop'])
    complaints.push(...(await leftBehind(place)))
    isFailed = complaints.length > 0
  } finally {
    place.abandon(keep && isFailed)
  }
  const kept = existsSync(place.scratch) ? [`  kept in ${place.scratch}`] : []
  const seconds = ((performance.now() - began) / 1000).toFixed(0)
  return { lines: [...tally.lines, ...kept, `  took ${seconds} s`], complaints }
}

/** Looks at the worker while it is not killed any more: its memory is then that of one process. */
async function watch(
  looks: WorkerLook[],
  place: Place,
  isCalm: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
    const look = isCalm() ? lookAtWorker(place) : undefined
    if (look !== undefined) looks.push(look)
    if (isCalm() && isAllOver(place) && looks.length > 0) return
  }
}

const openTasks = (place: Place) =>
  readTasks(place.home).filter(({ state }) => !ENDED.includes(state))
const isAllOver = (place: Place) => openTasks(place).length === 0

/** Waits until all have ended, or the time is up. `byForce`: cancels those that have not. */
async function settle(
  place: Place,
  left: () => number,
  tally: Tally,
  byForce = false,
): Promise<void> {
  const open = openTasks(place).length
  if (byForce && open > 0) {
    tally.count('cancelled at the end', open)
    await place.run(['cancel', '--all'], '/')
  }
  while (left() > 0 && !isAllOver(place)) {
    // As the next command would: it starts a worker if there is none.
    if (place.workerPid() === undefined) await place.run(['worker', 'start'], '/')
    await sleep(LOOK_MS)
  }
}

/** The last ends are told half a minute after those before them, in one message. */
async function untilAllIsSent(place: Place, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs
  const isOwed = () =>
    readRows(place.home)?.deliveries.some(
      ({ channel, state }) => channel !== 'inbox' && state === 'owed',
    )
  while (isOwed() && performance.now() < deadline) await sleep(LOOK_MS)
}

/** What holds while the worker is still up. */
async function beforeItLeaves(
  place: Place,
  handedIn: readonly string[],
  fresh: WorkerLook | undefined,
  looks: readonly WorkerLook[],
  tally: Tally,
): Promise<string[]> {
  const found = complaintsAbout(place, handedIn, tally)
  const last = looks.at(-1)
  const own = looks.filter(({ pid }) => pid === last?.pid)
  if (fresh === undefined || last === undefined || own.length < 2) {
    return [...found, 'the worker could not be looked at']
  }
  found.push(...memoryGrown(own, tally))
  const leaked = leakedDescriptors(last, place.home)
  tally.count('worker: descriptors at first', fresh.descriptors.length)
  tally.count('worker: descriptors at the end', last.descriptors.length)
  if (leaked.length > 0) found.push(`the worker still holds ${leaked.join(', ')}`)
  if (last.descriptors.length > fresh.descriptors.length + MORE_DESCRIPTORS) {
    found.push(
      `the worker holds ${last.descriptors.length} descriptors: ${last.descriptors.join(' ')}`,
    )
  }
  return [...found, ...(await doctorsComplaints(place))]
}

/** Warm is a worker that has been at it for a third of its calm time. */
function memoryGrown(looks: readonly WorkerLook[], tally: Tally): string[] {
  const megabytes = (bytes: number) => Math.round(bytes / 1e6)
  const middle = (some: readonly WorkerLook[]) => {
    const sorted = some.map(({ rssBytes }) => rssBytes).sort((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 2)] ?? 0
  }
  const third = Math.max(1, Math.floor(looks.length / 3))
  const [warm, end] = [middle(looks.slice(third, 2 * third)), middle(looks.slice(-third))]
  tally.count('worker: MB when warm', megabytes(warm))
  tally.count('worker: MB at the end', megabytes(end))
  return end <= warm + GROWTH_BYTES
    ? []
    : [`the worker grew from ${megabytes(warm)} to ${megabytes(end)} MB`]
}
