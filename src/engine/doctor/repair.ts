/**
 * Does what a finding plans. Each repair looks again first, may be done twice, and throws where
 * what it found is no longer so, or cannot be mended; then nothing was changed.
 */
import { AppError } from '../../domain/errors.ts'
import type { TaskId, WorktreeId } from '../../domain/ids.ts'
import { restoredState } from '../../domain/restored.ts'
import type { WorktreePlan } from '../../ports/worktrees.ts'
import { adopt } from '../adopt.ts'
import { type PutAwayPorts, putAway } from '../put-away.ts'
import { clearAway } from '../reconcile.ts'
import { restoreWorktree } from '../restore.ts'
import type { DoctorOrder, DoctorPorts } from './examine.ts'
import { isInUse } from './find-home.ts'
import { isUnderWay } from './find-processes.ts'
import type { Repair } from './finding.ts'

/** `directory`: where the caller stands. */
type RepairPorts = DoctorPorts & Pick<DoctorOrder, 'directory'>

export async function repair(
  plan: Repair,
  ports: RepairPorts,
): Promise<readonly string[] | undefined> {
  if (plan.kind === 'salvage_store') return await salvageStore(ports)
  await carryOut(plan, ports)
  return undefined
}

async function carryOut(
  plan: Exclude<Repair, { kind: 'salvage_store' }>,
  ports: RepairPorts,
): Promise<void> {
  const { upkeep, worktrees } = ports
  switch (plan.kind) {
    case 'make_private':
      return upkeep.makePrivate()
    case 'remove_leftover':
      if (await isInUse(plan.leftover, await ports.store())) throw changed('it is in use again')
      return upkeep.removeLeftover(plan.leftover)
    case 'mend_lock':
      return upkeep.mendLock(plan.name)
    case 'remove_card':
      return (await ports.presence()).removeCard()
    case 'clear_damage':
      return await (await ports.store()).clearDamage()
    case 'dead_letters': {
      const store = await ports.store()
      if (plan.fate === 'retry') await store.retryDeadLetters()
      else await store.dropDeadLetters(ports.clock.now())
      return
    }
    case 'restore_task':
      return await restoreTask(plan.task, ports)
    case 'clear_away':
      return await clearAway(plan.leftover, { ...ports, store: await ports.store() })
    case 'release_lease':
      return await releaseLease(plan.worktree, ports)
    case 'register_worktree':
      return await (await ports.store()).registerWorktree(plan.record, plan.worktree)
    case 'forget_worktree':
      return await forgetWorktree(plan.place, plan.hasRow, ports)
    case 'put_away':
      await putAway(plan.worktree, await putAwayPorts(ports), [plan.of])
      return
    case 'restore_worktree':
      await restoreWorktree(plan.worktree, null, await putAwayPorts(ports))
      return
    case 'adopt':
      await adopt(plan.adoptable, { ...ports, store: await ports.store() })
      return
    case 'record_snapshot':
      return await (await ports.store()).recordSnapshot(plan.snapshot)
    case 'remove_git_lock':
      return worktrees.removeStaleLock(plan.place, plan.path)
    case 'end_processes': {
      const { task } = plan.processes
      const isAgain = await isUnderWay(task, plan.fence, await ports.store())
      if (isAgain) throw changed('it is under way again')
      const { ended, processes } = await ports.host.stop(plan.processes, NO_GRACE)
      if (ended) return
      throw changed(`they do not end: ${processes.map(({ pid }) => pid).join(', ')}`)
    }
    case 'end_gits':
      return await worktrees.endOrphans(plan.worktreePath)
    case 'install_boot':
      await (await ports.boot()).install(plan.method)
      return
  }
}

async function putAwayPorts(ports: RepairPorts): Promise<PutAwayPorts> {
  return { ...ports, ...ports.cleaning, store: await ports.store() }
}

/** They had their time when their attempt was ended. */
const NO_GRACE = { graceful: null, graceMs: 0 } as const

const changed = (why: string) => new AppError('refused_in_state', why)

/** Alone: no worker may come up, and nothing of ours has it open. */
async function salvageStore({
  upkeep,
  presence,
  closeStore,
}: DoctorPorts): Promise<readonly string[]> {
  const lock = await (await presence()).blockPost()
  if (lock === undefined) throw changed('a worker is up: holdfast worker stop, then again')
  try {
    await closeStore()
    const { keptIn, notes } = await upkeep.salvageStore()
    return keptIn === null ? notes : [`the damaged store is kept in ${keptIn}`, ...notes]
  } finally {
    lock.release()
  }
}

async function releaseLease(worktree: WorktreeId, { store }: DoctorPorts): Promise<void> {
  if (!(await (await store()).releaseLease(worktree))) throw changed('its task goes on')
}

/** The row last: while it is there, what git still has is not forgotten. */
async function forgetWorktree(
  place: WorktreePlan,
  hasRow: boolean,
  { store, worktrees, files }: DoctorPorts,
): Promise<void> {
  if ((await (await store()).findLease(place.id)) !== undefined) throw changed('it is in use again')
  await worktrees.forgetLost(place)
  if (!hasRow) return
  if (!(await (await store()).forgetWorktree(place.id))) throw changed('it is in use again')
  await files.clearSetUpMark(place.id)
}

/** From the copies in its directory, its run directories, and what is left of its row. */
async function restoreTask(task: TaskId, ports: DoctorPorts): Promise<void> {
  const { files, worktrees, clock } = ports
  const store = await ports.store()
  const { request, end } = await files.readCopies(task)
  if (request === null) {
    throw new AppError('store_unreadable', `nothing says what was asked of ${task}`, {
      hint: `prompt, output and patch are in ${files.directory(task)}`,
    })
  }
  const row = (await store.findRemains(task)) ?? null
  const attempts = await files.listRuns(task)
  const hasEnvironment = (await files.list()).some(one => one.task === task && one.hasEnvironment)
  const runs = attempts.map(({ fence }) => fence)
  const state = restoredState({ request, row, end, hasEnvironment, runs }, clock.now())
  const { kind, id, path } = request.workplace
  const place = {
    id,
    kind,
    path: path ?? files.worktreePath(id as string as TaskId),
    commonDir: request.repo.commonDir,
  }
  const worktree = worktrees.recogniseWorktree(place) ?? null
  await store.restoreTask({ request, state, attempts, worktree })
}
