/**
 * Leaves without a trace, losing nothing unasked. First it is seen what speaks against it; then, in
 * an order in which each step can be done again after a death: worktrees, through the proof that
 * nothing in them is lost; refs; the store, so that nobody hands a task in any more; the state
 * directory. Until the refs go, all results are still there.
 */
import { reach } from '../domain/crash-points.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import type { CommitId, TaskId } from '../domain/ids.ts'
import type { Snapshot } from '../domain/snapshot.ts'
import { baseTreeCommit, hasEnded, type Task } from '../domain/task.ts'
import { isUntaken } from '../domain/untaken.ts'
import type { Application, Applications } from '../ports/applications.ts'
import type { Store, StoredWorktree, UnreadableTask } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { Worktrees } from '../ports/worktrees.ts'
import { retireWorktree } from './retire.ts'

/** What there is, and what would be lost. */
export interface HomeSurvey {
  readonly tasks: readonly Task[]
  readonly notEnded: readonly Task[]
  /** Their changes are nowhere but here. */
  readonly untaken: readonly Task[]
  /** They were killed half-way: only their journal says what the files were before. */
  readonly interrupted: readonly Application[]
  /** Nobody knows what they came to. */
  readonly unreadable: readonly UnreadableTask[]
  readonly worktrees: readonly StoredWorktree[]
  /** Of worktrees that are not there, and are of no task. */
  readonly putAway: readonly Snapshot[]
}

export async function surveyHome(
  store: Store,
  applications: Pick<Applications, 'list'>,
): Promise<HomeSurvey> {
  const tasks = await store.listTasks({})
  return {
    tasks,
    notEnded: tasks.filter(({ state }) => !hasEnded(state)),
    untaken: tasks.filter(task => isLost(task, tasks)),
    interrupted: tasks.flatMap(({ request }) =>
      applications.list(request.id).filter(({ isWhole }) => !isWhole),
    ),
    unreadable: store.unreadable(),
    worktrees: await store.listWorktrees(),
    putAway: await store.listPutAwayAlone(),
  }
}

/** Its changes were not taken; where another task went on from them, they are in that one's too. */
function isLost({ request, state, taken, worktree }: Task, tasks: readonly Task[]): boolean {
  const result = hasEnded(state) ? state.result : null
  if (!isUntaken({ result, taken, worktree: worktree ?? request.workplace })) return false
  return !tasks.some(
    other =>
      other.request.follows === request.id &&
      hasEnded(other.state) &&
      other.state.result?.commit != null,
  )
}

interface PurgePorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly applications: Pick<Applications, 'list'>
}

interface PurgeReport {
  readonly worktrees: number
  readonly refs: number
  /** What is still there, each with its reason; the state directory stays for it. */
  readonly left: readonly string[]
  /** What was given up, or is out of reach, each in words. */
  readonly passedOver: readonly string[]
}

/**
 * Removes worktrees, refs and registrations. `discard`: the user gives up what cannot be proven to
 * be kept elsewhere. Where anything is left, the refs stay too: they hold what it is compared with.
 */
export async function purgeRepositories(
  survey: HomeSurvey,
  discard: boolean,
  ports: PurgePorts,
): Promise<PurgeReport> {
  const left: string[] = []
  const passedOver: string[] = []
  const giveUp = (what: string) => void (discard ? passedOver : left).push(what)
  const repositories = await findRepositories(survey, ports)

  let removed = 0
  const standing: StoredWorktree[] = []
  for (const worktree of survey.worktrees) {
    if (await removeWorktree(worktree, survey.tasks, discard, giveUp, ports)) removed++
    else if (isOfOurs(worktree)) standing.push(worktree)
  }
  for (const snapshot of survey.putAway) {
    if (await hasNothing(snapshot, ports)) continue
    const { worktree, path } = snapshot
    giveUp(`${path} was put away, and is nowhere else (holdfast restore ${worktree})`)
  }
  for (const problem of await removeStrays([...repositories.keys()], standing, discard, ports)) {
    giveUp(problem)
  }
  for (const { path } of ports.worktrees.listTrash(ports.files.trash())) {
    const outcome = await ports.worktrees.purgeTrash(ports.files.trash(), path, () => true)
    if (typeof outcome !== 'object') continue
    giveUp(`${path} is kept: ${outcome.kept}`)
    if (discard) await ports.worktrees.discardStray(ports.files.trash(), path, null)
  }
  for (const spare of await ports.store.listSpares()) {
    await ports.worktrees.dropSpare(spare, spare.claimedBy)
  }
  reach('uninstall.worktrees-removed')
  if (left.length > 0) return { worktrees: removed, refs: 0, left, passedOver }

  let refs = 0
  for (const [repository, tasks] of repositories) {
    try {
      const dropped = await ports.worktrees.dropRefs(repository, [...tasks])
      if (dropped === null) passedOver.push(`the repository ${repository} is gone`)
      else refs += dropped
    } catch (error) {
      giveUp(`the refs in ${repository} could not be removed: ${messageOf(error)}`)
    }
  }
  reach('uninstall.refs-dropped')
  return { worktrees: removed, refs, left, passedOver }
}

/** What is in it is in the repository's own checkout too. */
async function hasNothing(
  { commonDir, state, ignored }: Snapshot,
  { worktrees }: PurgePorts,
): Promise<boolean> {
  if (ignored.files > 0 || (state.submodules ?? []).length > 0) return false
  try {
    return await worktrees.isContained(commonDir, baseTreeCommit(state))
  } catch {
    return false // It cannot be told.
  }
}

const isOfOurs = ({ kind, record }: StoredWorktree) =>
  kind !== 'borrowed' && record?.adoptedFrom === undefined

/** Every repository that we wrote to, with the tasks whose refs are in it. */
async function findRepositories(
  { tasks, unreadable, worktrees, putAway }: HomeSurvey,
  { files, applications, worktrees: git }: PurgePorts,
): Promise<Map<string, Set<TaskId>>> {
  const found = new Map<string, Set<TaskId>>()
  const add = (repository: string, task?: TaskId) => {
    const members = found.get(repository) ?? new Set()
    if (task !== undefined) members.add(task)
    found.set(repository, members)
  }
  for (const { request } of tasks) {
    add(request.repo.commonDir, request.id)
    // What a deleted worktree had left is held by its own name.
    add(request.repo.commonDir, request.workplace.id as string as TaskId)
  }
  for (const { id, repository } of unreadable) add(repository, id)
  for (const { id, commonDir } of worktrees) add(commonDir, id as string as TaskId)
  for (const { worktree, commonDir } of putAway) add(commonDir, worktree as string as TaskId)
  // The old contents of a file are held in the repository that a result was applied to.
  for (const { request } of tasks) {
    for (const { root, task } of applications.list(request.id)) {
      const target = await git.openCheckout(root).catch(() => undefined)
      // Gone, with all that was in it.
      if (target !== undefined) add(target.place.commonDir, task)
    }
  }
  // Of submissions that were killed before they had a row.
  for (const { task, repository } of await files.list())
    if (repository !== null) add(repository, task)
  return found
}

/** False: it is still there, or was never ours to take away. */
async function removeWorktree(
  worktree: StoredWorktree,
  tasks: readonly Task[],
  discard: boolean,
  giveUp: (what: string) => void,
  ports: PurgePorts,
): Promise<boolean> {
  const { id, kind, path, commonDir } = worktree
  if (kind === 'borrowed') return false
  // Another tool has made it: it stays, with all that is in it, and our lock goes.
  if (worktree.record?.adoptedFrom !== undefined) {
    await ports.worktrees.releaseWorktree(id, path, commonDir)
    return false
  }
  try {
    await retireWorktree(id, lastCommit(worktree, tasks), ports, ['managed', 'permanent'])
    return true
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    giveUp(error.message)
    if (!discard) return false
    await ports.worktrees.discardWorktree(id, path, commonDir)
    return true
  }
}

/** What the newest task that worked in it was collected as; null: nothing ever was. */
function lastCommit({ id }: StoredWorktree, tasks: readonly Task[]): CommitId | null {
  for (const { state, request } of tasks) {
    const commit = hasEnded(state) ? state.result?.commit : undefined
    if (request.workplace.id === id && commit != null) return commit
  }
  return null
}

/**
 * What is in our directory once our worktrees are gone, registered or not: an agent's `../x` lands
 * there. Nothing is known of the work in it. `standing`: was spoken of already. In words, each.
 */
async function removeStrays(
  repositories: readonly string[],
  standing: readonly StoredWorktree[],
  discard: boolean,
  { files, worktrees }: PurgePorts,
): Promise<readonly string[]> {
  const root = files.worktreesDirectory()
  const problems: string[] = []
  const told = new Set<string>()
  const known = standing.map(({ id }) => id)
  for (const repository of repositories) {
    try {
      for (const { id, path } of await worktrees.findStrays(repository, root, known)) {
        told.add(path)
        problems.push(`${path} is registered in ${repository}, and of no task`)
        if (!discard) continue
        if (id === null) await worktrees.discardStray(root, path, repository)
        else await worktrees.discardWorktree(id, path, repository)
      }
    } catch (error) {
      problems.push(`the worktrees of ${repository} could not be looked at: ${messageOf(error)}`)
    }
  }
  for (const path of worktrees.listStanding(root, standing)) {
    if (!told.has(path)) problems.push(`${path} is of no task`)
    if (discard) await worktrees.discardStray(root, path, null)
  }
  return problems
}
