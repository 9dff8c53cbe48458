/** What is to go, and why: worktrees by their number, age and size; what can be had again; raw output. */
import {
  chooseReclaim,
  type DiskUse,
  diskBudget,
  gainOf,
  type Reclaimable,
  totalOf,
} from '../domain/disk-budget.ts'
import { decideRawOutput } from '../domain/raw-output.ts'
import type { RetentionPolicy } from '../domain/retention.ts'
import type { BuildOutput } from '../ports/worktrees.ts'
import { type MeasuredDisk, type MeasurePorts, measureDisk, type RawRun } from './measure-disk.ts'
import type { PutAwayPorts } from './put-away.ts'
import { type Fate, fatesOf, type Known, lookAtWorktrees } from './retention.ts'

export type HousePorts = PutAwayPorts & MeasurePorts

export interface HousePolicy {
  readonly retention: RetentionPolicy
  /** Null: as it is where nothing is set. */
  readonly diskBytes: number | null
  /** Holds this once, in its place. */
  readonly diskBytesNow?: number
}

/** Build output of a worktree that stays. */
export interface BuildReclaim extends Reclaimable {
  readonly kind: 'build_output'
  readonly of: Known
  readonly output: BuildOutput
  readonly why: string
}

export interface RawReclaim extends Reclaimable {
  readonly kind: 'raw_output'
  readonly run: RawRun
  readonly fate: 'compress' | 'drop'
  readonly why: string
}

export interface HousePlan {
  readonly fates: readonly Fate[]
  readonly buildOutput: readonly BuildReclaim[]
  readonly rawOutput: readonly RawReclaim[]
  readonly measured: MeasuredDisk
  readonly budgetBytes: number
  /** The one that holds when this is over. */
  readonly ordinaryBytes: number
  /** What would still be over when all that is planned is done, in bytes; 0: nothing. */
  readonly stillOver: number
}

/** Looks and measures only. */
export async function planHouse(
  { retention, diskBytes, diskBytesNow }: HousePolicy,
  ports: HousePorts,
  leave: AbortSignal,
): Promise<HousePlan> {
  const { store, disk, clock } = ports
  const tasks = await store.listTasks({})
  const looked = await lookAtWorktrees(tasks, ports)
  const measured = await measureDisk(looked, tasks, ports, leave)
  const known = looked.map(one => withSize(one, measured))
  const now = clock.now()
  const ordinaryBytes = diskBudget(diskBytes, disk.space().totalBytes)
  const budgetBytes = diskBytesNow ?? ordinaryBytes
  const due = measured.runs.flatMap(run => decide(run, now, false))
  const going = bytesOfGoing(fatesOf(known, retention, now, 0))
  const trashed = ports.worktrees.listTrash(ports.files.trash())
  // What cannot be unlinked frees nothing.
  const trash = trashed.some(({ kept }) => kept !== null) ? 0 : measured.use.trash
  const over = totalOf(measured.use) - budgetBytes - sure({ ...measured.use, trash }, due, going)
  const build = over > 0 ? await findBuildOutput(known, ports, leave) : []
  const tight = over > 0 ? packable(measured.runs, due, now) : []
  const reclaim = chooseReclaim<BuildReclaim | RawReclaim>([...build, ...tight], over)
  const fates = fatesOf(known, retention, now, reclaim.over + going)
  return {
    fates,
    buildOutput: reclaim.chosen.filter(one => one.kind === 'build_output'),
    rawOutput: [...due, ...reclaim.chosen.filter(one => one.kind === 'raw_output')],
    measured,
    budgetBytes,
    ordinaryBytes,
    stillOver: Math.max(0, reclaim.over + going - bytesOfGoing(fates)),
  }
}

const withSize = (one: Known, { worktrees }: MeasuredDisk): Known => ({
  ...one,
  candidate: { ...one.candidate, bytes: worktrees.get(one.worktree.id) ?? null },
})

const bytesOfGoing = (fates: readonly Fate[]) =>
  fates.reduce((all, { goes, bytes }) => all + (goes ? (bytes ?? 0) : 0), 0)

/**
 * What goes anyway, or first of all: the trash, worktrees that were made in advance, raw output for its
 * age, and worktrees that are too many or too old.
 */
function sure({ trash, pool }: DiskUse, due: readonly RawReclaim[], going: number): number {
  const raw = due.map(one => (one.fate === 'drop' ? one.bytes : gainOf(one)))
  return raw.reduce((all, one) => all + one, trash + pool + going)
}

function decide(run: RawRun, now: number, isTight: boolean): readonly RawReclaim[] {
  const { state, endedAt } = run
  const fate = decideRawOutput(state, endedAt, now, isTight)
  if (fate === 'stays') return []
  const kind = 'raw_output'
  if (fate === 'drop') return [{ kind, run, fate, bytes: state.bytes, why: 'it is 30 days old' }]
  const why = isTight ? 'the disk budget is exceeded' : 'it is a day old'
  return [{ kind, run, fate, bytes: state.compressible, why }]
}

/** What is not due yet, and may be compressed all the same; the oldest first. */
function packable(
  runs: readonly RawRun[],
  due: readonly RawReclaim[],
  now: number,
): readonly RawReclaim[] {
  const others = runs.filter(run => !due.some(one => one.run === run))
  const byAge = others.sort((a, b) => (a.endedAt ?? now) - (b.endedAt ?? now))
  return byAge.flatMap(run => decide(run, now, true))
}

/** Of managed worktrees that nobody uses nor pinned, the oldest first. */
async function findBuildOutput(
  known: readonly Known[],
  { worktrees, disk }: HousePorts,
  leave: AbortSignal,
): Promise<readonly BuildReclaim[]> {
  const found: BuildReclaim[] = []
  const byAge = [...known].sort((a, b) => a.candidate.idleSince - b.candidate.idleSince)
  for (const of of byAge) {
    const { record } = of.worktree
    const { kind, pinned, retiring, isInUse } = of.candidate
    if (kind !== 'managed' || pinned || retiring || isInUse || record === null) continue
    if (worktrees.lookAtWorktree(record) !== 'present') continue
    for (const output of await listOrNone(record, worktrees)) {
      const tree = await disk.measure(output.place, leave)
      if (tree === undefined) return found
      // Somebody's clone may lie in it, with work of its own.
      if (tree.holdsRepository) continue
      const why = 'the disk budget is exceeded'
      found.push({ kind: 'build_output', of, output, bytes: tree.bytes, why })
    }
  }
  return found
}

/** One whose git cannot say what is ignored keeps all that it has. */
async function listOrNone(
  record: Parameters<HousePorts['worktrees']['findBuildOutput']>[0],
  worktrees: HousePorts['worktrees'],
): Promise<readonly BuildOutput[]> {
  try {
    return await worktrees.findBuildOutput(record)
  } catch {
    return []
  }
}
