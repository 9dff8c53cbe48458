/** Leaving a repository: what we wrote into it goes by name, and what git leaves empty with it. */
import { existsSync, lstatSync, readdirSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { TaskId, WorktreeId } from '../../domain/ids.ts'
import type { Locks } from '../../ports/lock.ts'
import type { Stray, WorktreePlan } from '../../ports/worktrees.ts'
import { mayHaveRef } from '../capture/refs.ts'
import { findModules } from '../capture/submodules.ts'
import { discardTree, removeIfEmpty } from '../files/discard.ts'
import type { Git } from '../git/git.ts'
import {
  findRegistration,
  LOCK_PREFIX,
  listRegistered,
  withRepositoryLock,
} from '../git/registration.ts'
import { discardWorktree } from '../make/create.ts'

const NAMESPACE = 'refs/holdfast'

/** See `Worktrees.dropRefs`. Two spawns, and two for each submodule that has any. */
export async function dropRefs(
  git: Git,
  commonDir: string,
  tasks: readonly TaskId[],
): Promise<number | null> {
  if (!existsSync(commonDir)) return null
  let count = await dropRefsIn(git, commonDir, tasks)
  for (const gitDir of findModules(commonDir)) {
    if (mayHaveRef(gitDir, NAMESPACE)) count += await dropRefsIn(git, gitDir, tasks)
  }
  return count
}

async function dropRefsIn(git: Git, gitDir: string, tasks: readonly TaskId[]): Promise<number> {
  const place = { gitDir }
  const { stdout } = await git.run(['for-each-ref', '--format=%(refname)', `${NAMESPACE}/`], {
    place,
  })
  const ours = new Set<string>(tasks)
  const refs = stdout
    .toString('utf8')
    .split('\n')
    .filter(ref => ours.has(ref.split('/')[2] ?? ''))
  if (refs.length > 0) {
    const input = Buffer.from(refs.map(ref => `delete ${ref}\n`).join(''))
    await git.run(['update-ref', '--stdin'], { place, input })
  }
  // Git spares the directory right below `refs`; logs are there where the user has all refs logged.
  for (const directory of [join(gitDir, NAMESPACE), join(gitDir, 'logs', NAMESPACE)]) {
    for (const task of tasks) removeEmpty(join(directory, task))
    removeIfEmpty(directory)
  }
  return refs.length
}

/** A directory of directories that hold no file. */
function removeEmpty(directory: string): void {
  const found = lstatSync(directory, { throwIfNoEntry: false })
  if (found?.isDirectory() !== true) return
  for (const name of readdirSync(directory)) removeEmpty(join(directory, name))
  removeIfEmpty(directory)
}

/** See `Worktrees.findStrays`. */
export async function findStrays(
  git: Git,
  commonDir: string,
  root: string,
  known: readonly WorktreeId[],
): Promise<Stray[]> {
  if (!existsSync(commonDir) || !existsSync(root)) return []
  const within = `${realpathSync(root)}/`
  return (await listRegistered(git, commonDir)).flatMap(({ path, lockReason }): Stray[] => {
    if (!path.startsWith(within)) return []
    if (lockReason?.startsWith(LOCK_PREFIX) !== true) return [{ id: null, path }]
    const id = lockReason.slice(LOCK_PREFIX.length) as WorktreeId
    return known.includes(id) ? [] : [{ id, path }]
  })
}

/** See `Worktrees.listStanding`. */
export function listStanding(
  root: string,
  known: readonly Pick<WorktreePlan, 'path'>[],
): readonly string[] {
  if (!existsSync(root)) return []
  const real = realpathSync(root)
  const names = new Set(known.map(({ path }) => basename(path)))
  return readdirSync(real).flatMap(name => (names.has(name) ? [] : [join(real, name)]))
}

/** See `Worktrees.discardStray`. */
export async function discardStray(
  git: Git,
  locks: Locks,
  root: string,
  path: string,
  commonDir: string | null,
): Promise<void> {
  if (!path.startsWith(`${realpathSync(root)}/`)) throw new Error(`${path} is not below ${root}`)
  await discardTree(path)
  if (commonDir === null) return
  await withRepositoryLock(locks, commonDir, async () => {
    if (findRegistration(commonDir, path) === undefined) return
    await git.run(['worktree', 'remove', '-f', '-f', path], { place: { gitDir: commonDir } })
  })
  removeIfEmpty(join(commonDir, 'worktrees'))
}

/** See `Worktrees.discardWorktree`. */
export async function discardForGood(
  locks: Locks,
  id: WorktreeId,
  path: string,
  commonDir: string,
): Promise<void> {
  if (!existsSync(commonDir) || !existsSync(dirname(path))) return
  // As git wrote it down.
  const order = { id, path: join(realpathSync(dirname(path)), basename(path)), commonDir }
  await withRepositoryLock(locks, commonDir, () => discardWorktree(order))
}
