/**
 * Measures what is ours on the disk: in bounded time, beside the work, and never on a command's path
 * but `gc`'s. What was measured before and has not changed since is believed; what there is no time
 * for is left to the next round, and said to be missing.
 */
import { type DiskUse, isFresh, type Measured } from '../domain/disk-budget.ts'
import { asFence, type Fence, type TaskId, type WorktreeId } from '../domain/ids.ts'
import type { RawState } from '../domain/raw-output.ts'
import { hasEnded, type Task } from '../domain/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Disk } from '../ports/disk.ts'
import type { RawOutput } from '../ports/raw-output.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { Known } from './retention.ts'

export interface MeasurePorts {
  readonly files: TaskFiles
  readonly disk: Disk
  readonly rawOutput: RawOutput
  readonly clock: Clock
}

/** A round of measuring takes no longer; a tree of 100,000 files takes about two seconds. */
const ROUND_MS = 20_000

/** The raw output of one attempt. */
export interface RawRun {
  readonly task: TaskId
  readonly fence: Fence
  readonly runDirectory: string
  /** When its task ended; null: it has not. */
  readonly endedAt: number | null
  readonly state: RawState
}

export interface MeasuredDisk {
  readonly use: DiskUse
  readonly worktrees: ReadonlyMap<WorktreeId, number>
  readonly runs: readonly RawRun[]
  /** What holds no longer, since something of it went: it is measured anew. */
  forget(of: { readonly task: TaskId } | { readonly worktree: WorktreeId }): void
}

export async function measureDisk(
  known: readonly Known[],
  tasks: readonly Task[],
  ports: MeasurePorts,
  leave: AbortSignal,
): Promise<MeasuredDisk> {
  const { files, disk, clock } = ports
  const until = AbortSignal.any([leave, AbortSignal.timeout(ROUND_MS)])
  const ours = known.filter(
    ({ worktree: { kind, record } }) => kind !== 'borrowed' && record?.adoptedFrom === undefined,
  )
  const wanted: Wanted[] = [
    { key: 'trash', path: files.trash(), changedAt: null },
    { key: 'pool', path: files.pool(), changedAt: null },
    { key: 'snapshots', path: files.snapshots(), changedAt: null },
    { key: 'agent homes', path: files.agentHomes(), changedAt: null },
    ...tasks.map(task => ({
      key: keyOfTask(task.request.id),
      path: files.directory(task.request.id),
      changedAt: hasEnded(task.state) ? task.stateSince : Infinity,
    })),
    ...ours.map(({ worktree, candidate }) => ({
      key: keyOfWorktree(worktree.id),
      path: worktree.path,
      changedAt: candidate.isInUse ? Infinity : candidate.idleSince,
    })),
  ]
  const before = disk.loadMeasured()
  const measured = await measureAll(wanted, before, disk, clock, until)
  const runs = tasks.flatMap(task => runsOf(task, before, measured, ports))
  disk.saveMeasured(measured)
  const of = (key: string) => measured.get(key)?.bytes ?? 0
  const rawOutput = sum(runs.map(({ state }) => state.bytes))
  const ofTasks = tasks.map(task => of(keyOfTask(task.request.id)))
  const sizes = new Map<WorktreeId, number>()
  for (const { worktree } of ours) {
    const found = measured.get(keyOfWorktree(worktree.id))
    if (found !== undefined) sizes.set(worktree.id, found.bytes)
  }
  return {
    use: {
      worktrees: sum([...sizes.values()]),
      pool: of('pool'),
      trash: of('trash'),
      snapshots: of('snapshots'),
      tasks: of('agent homes') + Math.max(0, sum(ofTasks) - rawOutput),
      rawOutput,
      isWhole: wanted.every(({ key }) => measured.has(key)),
    },
    worktrees: sizes,
    runs,
    forget(what) {
      measured.delete('task' in what ? keyOfTask(what.task) : keyOfWorktree(what.worktree))
      disk.saveMeasured(measured)
    },
  }
}

const keyOfTask = (id: TaskId) => `task ${id}`
const keyOfRaw = (id: TaskId) => `raw ${id}`
const keyOfWorktree = (id: WorktreeId) => `worktree ${id}`

interface Wanted {
  readonly key: string
  readonly path: string
  /** Infinity: it is being changed; null: it is measured in each round. */
  readonly changedAt: number | null
}

/** What was never measured first, then what was so longest ago; what is not wanted is forgotten. */
async function measureAll(
  wanted: readonly Wanted[],
  before: ReadonlyMap<string, Measured>,
  disk: Disk,
  clock: Clock,
  until: AbortSignal,
): Promise<Map<string, Measured>> {
  const measured = new Map<string, Measured>()
  const stale: (Wanted & { readonly at: number })[] = []
  for (const one of wanted) {
    const found = before.get(one.key)
    if (found !== undefined) measured.set(one.key, found)
    const { changedAt } = one
    const isKnown = found !== undefined && changedAt !== null
    if (!isKnown || !isFresh(found, changedAt, clock.now())) {
      stale.push({ ...one, at: found?.at ?? 0 })
    }
  }
  for (const { key, path } of stale.sort((a, b) => a.at - b.at)) {
    const at = clock.now()
    const tree = await disk.measure(path, until)
    if (tree === undefined) break
    measured.set(key, { bytes: tree.bytes, at })
  }
  return measured
}

/** What has ended without raw output, or had it dropped, is not looked at again. */
function runsOf(
  task: Task,
  before: ReadonlyMap<string, Measured>,
  measured: Map<string, Measured>,
  { files, rawOutput, clock }: MeasurePorts,
): readonly RawRun[] {
  const { id } = task.request
  const endedAt = hasEnded(task.state) ? task.state.endedAt : null
  const known = before.get(keyOfRaw(id))
  if (endedAt !== null && known?.bytes === 0 && known.at >= task.stateSince) {
    measured.set(keyOfRaw(id), known)
    return []
  }
  const runs = Array.from({ length: task.attempts }, (_, n) => {
    const fence = asFence(n + 1)
    const runDirectory = files.runDirectory(id, fence)
    return { task: id, fence, runDirectory, endedAt, state: rawOutput.look(runDirectory) }
  })
  const bytes = sum(runs.map(({ state }) => state.bytes))
  measured.set(keyOfRaw(id), { bytes, at: clock.now() })
  return runs
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0)
