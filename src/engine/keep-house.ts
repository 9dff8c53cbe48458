/**
 * Does what `planHouse` has planned, one after the other, until `leave`: what takes nothing from
 * anybody first, worktrees last; and unlinks what lies in the trash, as long as `goesOn` says so. What
 * cannot be done is told, and the rest is done all the same.
 */
import type { DiskUse } from '../domain/disk-budget.ts'
import { messageOf } from '../domain/errors.ts'
import type { WorktreeId } from '../domain/ids.ts'
import type { UnleasedWorktree } from '../ports/worktrees.ts'
import type { BuildReclaim, HousePlan, HousePorts, RawReclaim } from './plan-house.ts'
import { type Purged, purgeTrash } from './purge.ts'
import { inUse, isPresent, refuseInhabited } from './put-away.ts'
import { type Retained, retain } from './retention.ts'
import { requireUnleased } from './retire.ts'
import { isStoreTrouble } from './trouble.ts'
import { withWorktree } from './worktree-lock.ts'

export interface HouseKept {
  readonly worktrees: readonly Retained[]
  readonly reclaimed: readonly Reclaimed[]
  /** What became of build output that was kept, a line each. */
  readonly furnished: readonly string[]
  readonly purged: readonly Purged[]
}

export interface Reclaimed {
  readonly what: BuildReclaim | RawReclaim
  /** Null: it was done. */
  readonly problem: string | null
}

/** `furnish`: keeps what is wanted of the trash before it is emptied. */
export async function keepHouse(
  plan: HousePlan,
  ports: HousePorts,
  leave: AbortSignal,
  goesOn: () => boolean,
  furnish: () => Promise<readonly string[]> = async () => [],
): Promise<HouseKept> {
  const reclaimed: Reclaimed[] = []
  const attempt = async (what: Reclaimed['what'], work: () => Promise<void>) => {
    if (leave.aborted) return
    try {
      await work()
      reclaimed.push({ what, problem: null })
    } catch (error) {
      if (isStoreTrouble(error)) throw error
      reclaimed.push({ what, problem: messageOf(error) })
    }
  }
  // Also what somebody left there who was killed.
  await ports.worktrees.discardBuildOutput(ports.files.trash())
  for (const one of plan.buildOutput) await attempt(one, () => reclaimBuildOutput(one, plan, ports))
  for (const one of plan.rawOutput) await attempt(one, () => reclaimRawOutput(one, plan, ports))
  const worktrees = await retain(plan.fates, ports, leave)
  const furnished = await furnish()
  const purged = await purgeTrash(ports, goesOn)
  const kept = { worktrees, reclaimed, furnished, purged }
  await recordUse(plan, kept, ports, leave)
  return kept
}

/** Out of a worktree that nobody uses; its log says so, for whoever goes on in it. */
async function reclaimBuildOutput(
  { of: { worktree, task }, output }: BuildReclaim,
  { measured }: HousePlan,
  ports: HousePorts,
): Promise<void> {
  const { store, worktrees, files, clock } = ports
  const { id } = worktree
  await withWorktree(id, ports, async () => {
    const { record, path, pinned } = await requireUnleased(id, ['managed'], store)
    if (pinned || record === null || !isPresent(record, ports)) return
    refuseInhabited(path, ports)
    const isFree = async () => (await store.findLease(id)) === undefined
    const own = record as UnleasedWorktree
    const isGone = await worktrees.moveBuildOutput(own, output, files.trash(), isFree)
    if (!isGone && !(await isFree())) throw inUse(path)
  })
  await worktrees.discardBuildOutput(files.trash())
  measured.forget({ worktree: id })
  if (task === null) return
  const text = `${output.shown} was taken out of its worktree: the disk budget was exceeded`
  await store.recordNote(task.request.id, null, 'task_changed', text, clock.now())
}

async function reclaimRawOutput(
  { run, fate }: RawReclaim,
  { measured }: HousePlan,
  { rawOutput }: HousePorts,
): Promise<void> {
  await rawOutput[fate](run.runDirectory)
  measured.forget({ task: run.task })
}

/** What is left, as far as it is known without measuring it again: `status` warns by it. */
async function recordUse(
  { measured, ordinaryBytes, fates }: HousePlan,
  { worktrees, reclaimed }: HouseKept,
  { files, rawOutput, disk, clock }: HousePorts,
  leave: AbortSignal,
): Promise<void> {
  const gone = new Set<WorktreeId>(
    worktrees.filter(({ problem }) => problem === null).map(({ id }) => id),
  )
  let [trees, raw] = [measured.use.worktrees, measured.use.rawOutput]
  for (const { id, bytes } of fates) if (gone.has(id)) trees -= bytes ?? 0
  for (const { what, problem } of reclaimed) {
    if (problem !== null) continue
    if (what.kind === 'raw_output') {
      raw -= what.run.state.bytes - rawOutput.look(what.run.runDirectory).bytes
    } else if (!gone.has(what.of.worktree.id)) trees -= what.bytes
  }
  const trash = (await disk.measure(files.trash(), leave))?.bytes ?? measured.use.trash
  const snapshots = (await disk.measure(files.snapshots(), leave))?.bytes ?? measured.use.snapshots
  const rest = { worktrees: Math.max(0, trees), trash, snapshots, rawOutput: raw }
  const use: DiskUse = { ...measured.use, ...rest }
  disk.saveUse({ use, budgetBytes: ordinaryBytes, measuredAt: clock.now() })
}
