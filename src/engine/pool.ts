/**
 * The warm pool: keeps spare worktrees for the repositories that are in use, and gives one to a task.
 * Only a worker does either; what a dead one has left half done is dropped by the next.
 */
import { reach } from '../domain/crash-points.ts'
import { messageOf } from '../domain/errors.ts'
import type { WorktreeId } from '../domain/ids.ts'
import {
  mayHaveOutput,
  type PooledRepository,
  type PoolPolicy,
  planPool,
  type Spare,
} from '../domain/spare.ts'
import type { Task, TaskRequest } from '../domain/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store, StoredSpare } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { WorktreePlan, WorktreeRecord, Worktrees } from '../ports/worktrees.ts'
import { isMachineTrouble, isStoreTrouble } from './trouble.ts'

export interface PoolPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly clock: Clock
}

/**
 * Drops, sets and makes spares until all is as the policy says, or until `goesOn` says no. What it
 * did, a line each.
 */
export async function keepPool(
  policy: PoolPolicy,
  hasRoom: boolean,
  ports: PoolPorts,
  goesOn: () => boolean,
): Promise<readonly string[]> {
  const { store, worktrees, clock } = ports
  const done: string[] = []
  await dropRemains(ports)
  const spares = (await store.listSpares()).filter(({ claimedBy }) => claimedBy === null)
  const repositories = findRepositories(await store.listTasks({}), worktrees)
  const plan = planPool(repositories, spares.flatMap(describe), policy, hasRoom, clock.now())
  const steps = [
    ...plan.drop.map(id => () => drop(id, spares, ports)),
    ...plan.aim.map(
      ({ id, commit }) =>
        () =>
          aim(id, commit, spares, ports),
    ),
    ...plan.make.map(wanted => () => make(wanted, ports)),
  ]
  for (const step of steps) {
    if (!goesOn()) break
    try {
      const line = await step()
      if (line !== null) done.push(line)
    } catch (error) {
      if (isStoreTrouble(error)) throw error
      done.push(`a spare worktree: ${messageOf(error)}`)
    }
  }
  return done
}

/** Gives all of them back that nobody takes over at this moment; how many. For whoever needs the room. */
export async function dropPool(ports: Pick<PoolPorts, 'store' | 'worktrees'>): Promise<number> {
  let dropped = 0
  const ready = (await ports.store.listSpares()).filter(
    ({ spare, claimedBy }) => spare !== null && claimedBy === null,
  )
  for (const { id } of ready) {
    if ((await drop(id, ready, ports)) !== null) dropped++
  }
  return dropped
}

const describe = ({ id, commonDir, umask, spare }: StoredSpare): readonly Spare[] =>
  spare === null
    ? []
    : [{ id, commonDir, umask, commit: spare.commit, hasOutput: spare.output !== undefined }]

/** What has no row, or a row that nobody will come back to. */
async function dropRemains({ store, files, worktrees }: PoolPorts): Promise<void> {
  const known: StoredSpare[] = []
  for (const spare of await store.listSpares()) {
    if (await isWanted(spare, store)) known.push(spare)
    else await dropRow(spare, { store, worktrees })
  }
  const root = files.pool()
  for (const path of worktrees.listStanding(root, known)) {
    await worktrees.discardStray(root, path, null)
  }
}

/** One that is being taken over is left alone; whoever makes one has it to the end. */
async function isWanted({ spare, claimedBy }: StoredSpare, store: Store): Promise<boolean> {
  if (claimedBy === null) return spare !== null
  const stored = await store.findWorktree(claimedBy)
  return stored !== undefined && stored.leasedTo !== null && stored.record === null
}

export async function dropRow(
  spare: StoredSpare,
  { store, worktrees }: Pick<PoolPorts, 'store' | 'worktrees'>,
): Promise<void> {
  await worktrees.dropSpare(spare, spare.claimedBy)
  reach('spare.dropped')
  await store.forgetSpare(spare.id)
}

function findRepositories(
  tasks: readonly Task[],
  worktrees: Worktrees,
): readonly PooledRepository[] {
  const found = new Map<string, TaskRequest[]>()
  for (const { request } of tasks) {
    if (request.workplace.kind !== 'managed') continue
    const { commonDir } = request.repo
    found.set(commonDir, [...(found.get(commonDir) ?? []), request])
  }
  return [...found].flatMap(([commonDir, requests]) => {
    const taskTimes = requests.map(({ createdAt }) => createdAt)
    const newest = requests.reduce((a, b) => (b.createdAt > a.createdAt ? b : a))
    const { commit } = newest.base
    const files = worktrees.countFiles(commonDir)
    return [{ commonDir, taskTimes, newest: { commit, umask: newest.umask }, files }]
  })
}

async function drop(
  id: WorktreeId,
  spares: readonly StoredSpare[],
  ports: Pick<PoolPorts, 'store' | 'worktrees'>,
): Promise<string | null> {
  const spare = spares.find(one => one.id === id)
  if (spare === undefined || !(await ports.store.recordSpare(id, null))) return null
  await dropRow(spare, ports)
  return `spare worktree ${id} dropped`
}

async function aim(
  id: WorktreeId,
  commit: Spare['commit'],
  spares: readonly StoredSpare[],
  { store, worktrees }: PoolPorts,
): Promise<string | null> {
  const stored = spares.find(one => one.id === id)
  // While it is on its way nobody may take it.
  if (stored?.spare == null || !(await store.recordSpare(id, null))) return null
  const own = worktrees.withUmask(stored.umask).inBackground()
  const aimed = await own.aimSpare(stored.spare, commit)
  await store.recordSpare(id, aimed)
  if (aimed !== null) return `spare worktree ${id} set on ${commit}`
  await dropRow(stored, { store, worktrees })
  return `spare worktree ${id} dropped`
}

async function make(
  { commonDir, commit, umask }: Omit<Spare, 'id'>,
  { store, files, worktrees, clock }: PoolPorts,
): Promise<string | null> {
  const id = `spare-${clock.uuid()}` as WorktreeId
  const path = `${files.pool()}/${id}`
  // The row first: nothing on disk is without an owner.
  await store.planSpare({ id, path, commonDir, umask })
  reach('spare.planned')
  const own = worktrees.withUmask(umask).inBackground()
  const spare = await own.makeSpare(id, path, commit, commonDir)
  reach('spare.made')
  if (spare === null) {
    await store.forgetSpare(id)
    return null
  }
  await store.recordSpare(id, spare)
  reach('spare.recorded')
  return `spare worktree ${id} made for ${commonDir}`
}

export type ClaimedSpare =
  | { readonly worktree: WorktreeRecord; readonly spare: WorktreeId }
  /** In words why there is none; null: none was there. */
  | { readonly worktree: null; readonly why: string | null }

/**
 * Makes a spare the worktree of a task. Where there is any doubt the spare is given up, and the
 * worktree is to be made in the ordinary way. Once it is written down: `forgetSpare`.
 */
export async function claimSpare(
  { request }: Pick<Task, 'request'>,
  { id, path, commonDir }: Omit<WorktreePlan, 'kind'>,
  { store, worktrees, files }: Pick<PoolPorts, 'store' | 'worktrees' | 'files'>,
): Promise<ClaimedSpare> {
  const order = { id, path, commonDir, umask: request.umask }
  const taken = await store.takeSpare(order, request.base.commit)
  if (taken?.spare == null) return { worktree: null, why: null }
  reach('spare.taken')
  try {
    const mayHave = mayHaveOutput(taken.spare.rights ?? 'agents', request)
    const spare = mayHave ? taken.spare : worktrees.stripSpare(taken.spare, files.trash())
    const claimed = await worktrees.claimSpare(spare, id, path, request.base)
    if (!('unfit' in claimed)) return { worktree: claimed, spare: taken.id }
    return { worktree: null, why: claimed.unfit }
  } catch (error) {
    if (isStoreTrouble(error) || isMachineTrouble(error)) throw error
    return { worktree: null, why: messageOf(error) }
  }
}
