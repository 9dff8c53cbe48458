/**
 * A worktree's registration: its own git directory below `worktrees/` of the repository. Whether it
 * is still what was made is seen from a few files, without git.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import type { WorktreeId } from '../../domain/ids.ts'
import type { Locks } from '../../ports/lock.ts'
import type { PlaceState, RegisteredWorktree, WorktreeRecord } from '../../ports/worktrees.ts'
import { discardTree, removeIfEmpty } from '../files/discard.ts'
import { splitAtNul } from './conversion.ts'
import type { Git } from './git.ts'

/** Registering takes 5 ms; a hundred may wait in line, on a loaded machine. */
const LOCK_LIMIT_MS = 60_000

/**
 * Alone among all of ours that change the registrations of this repository: git's own
 * `worktree add` fails when two run at once.
 */
export function withRepositoryLock<T>(
  locks: Locks,
  commonDir: string,
  work: () => Promise<T>,
): Promise<T> {
  const name = createHash('sha256').update(realpathSync(commonDir)).digest('hex').slice(0, 16)
  return locks.withLock(`repo-${name}`, LOCK_LIMIT_MS, work)
}

/** What `git worktree list` shows to people who wonder whose it is. */
export const LOCK_PREFIX = 'holdfast '
export const lockReason = (id: WorktreeId) => `${LOCK_PREFIX}${id}`

/** See `Worktrees.lookAtWorktree`. */
export function lookAtWorktree(worktree: WorktreeRecord): PlaceState {
  try {
    return lookInside(worktree)
  } catch (error) {
    if (!isRefusal(error)) throw error
    return 'unseen'
  }
}

/** The system's own: a door that is closed, a disk that cannot be read. */
function isRefusal(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).syscall !== undefined
}

function lookInside(worktree: WorktreeRecord): Exclude<PlaceState, 'unseen'> {
  const located = findRegistered(worktree)
  if (located === undefined) return 'repository_lost'
  const { path, gitDir, commonDir, device, inode } = located
  const directory = lstatSync(path, { throwIfNoEntry: false })
  if (directory?.isDirectory() !== true) return 'worktree_lost'
  if (directory.dev !== device || directory.ino !== inode) return 'worktree_lost'
  // A main checkout has its git directory inside, or, like a submodule, points to it.
  const isInside = gitDir === join(path, '.git') && isDirectory(gitDir)
  const pointsThere = isInside || readPointer(path) === gitDir
  const named = linkIn(readSteadyLine(join(gitDir, 'commondir')), gitDir)
  const isLinked = named === undefined ? isSame(gitDir, commonDir) : named === commonDir
  return pointsThere && isLinked && exists(join(gitDir, 'HEAD')) ? 'present' : 'worktree_lost'
}

/**
 * See `Worktrees.locateWorktree`. An agent can write the pointer in its worktree, but no directory
 * with the inode and the time of birth of the one that was made.
 */
export function locateWorktree(worktree: WorktreeRecord): WorktreeRecord {
  return findRegistered(worktree) ?? worktree
}

/** Undefined: there is no repository, neither where it was nor where the worktree points to. */
function findRegistered(worktree: WorktreeRecord): WorktreeRecord | undefined {
  const { path, commonDir, gitDirIdentity } = worktree
  if (isRepository(commonDir)) return worktree
  const gitDir = gitDirIdentity == null ? undefined : readPointer(path)
  if (gitDir === undefined || identityOf(gitDir) !== gitDirIdentity) return undefined
  const moved = { ...worktree, gitDir, commonDir: dirname(dirname(gitDir)) }
  return isRepository(moved.commonDir) ? moved : undefined
}

/** Null: the file system does not say when it was born, and inodes alone are given out again. */
export function identityOf(directory: string): string | null {
  const stats = lstatSync(directory, { bigint: true, throwIfNoEntry: false })
  if (stats?.isDirectory() !== true || stats.birthtimeNs === 0n) return null
  return [stats.dev, stats.ino, stats.birthtimeNs].join()
}

function isRepository(commonDir: string): boolean {
  return exists(join(commonDir, 'HEAD')) && exists(join(commonDir, 'objects'))
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** Two names of one directory. */
function isSame(path: string, other: string): boolean {
  if (path === other) return true
  const [a, b] = [path, other].map(name => statSync(name, { throwIfNoEntry: false }))
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev
}

/**
 * Lets us into a worktree of ours whose own directory an agent has closed. The directory alone, and
 * only if it bears our lock: what is borrowed stays as it is.
 */
export function openOwnDirectory({ id, path, gitDir, device, inode }: WorktreeRecord): void {
  try {
    const directory = lstatSync(path)
    const isMade = directory.isDirectory() && directory.dev === device && directory.ino === inode
    if (!isMade || (directory.mode & 0o700) === 0o700 || !isLockedFor(gitDir, id)) return
    chmodSync(path, (directory.mode & 0o7777) | 0o700)
  } catch (error) {
    // Whoever looks into it next says why not.
    if (!isRefusal(error)) throw error
  }
}

/** Refuses with `capture_failed` unless the worktree is still what was made. */
export function requirePresent(worktree: WorktreeRecord): void {
  const state = lookAtWorktree(worktree)
  if (state === 'present') return
  if (state === 'unseen') {
    throw new AppError(
      'capture_failed',
      `${worktree.path} cannot be looked at: ${whyNot(worktree)}`,
    )
  }
  throw new AppError('capture_failed', `${state}: ${worktree.path} is not what it was made as`, {
    hint: 'nothing in it was touched; look at the directory yourself',
  })
}

function whyNot(worktree: WorktreeRecord): string {
  try {
    return lookInside(worktree)
  } catch (error) {
    return messageOf(error)
  }
}

/** The git directory that `<worktree>/.git` points to; undefined: there is no such plain file. */
export function readPointer(path: string): string | undefined {
  return linkIn(readSteadyLine(join(path, '.git')), path, 'gitdir: ')
}

/** The path in a file of one line, which may be relative to `from`. */
function readLink(file: string, from: string, prefix = ''): string | undefined {
  return linkIn(readLine(file), from, prefix)
}

function linkIn(line: string | undefined, from: string, prefix = ''): string | undefined {
  return line?.startsWith(prefix) ? resolve(from, line.slice(prefix.length)) : undefined
}

/** Lines of files that have not changed since: hundreds of worktrees are looked at each second. */
const steadyLines = new Map<string, { readonly stamp: string; readonly line: string | undefined }>()
const STEADY_LINES = 2_000
/** A file may change twice within one tick of its file system's clock, and bear the same time. */
const STEADY_MS = 1_000

/** The line of a plain file; a link or a directory in its place is never followed. */
function readSteadyLine(file: string): string | undefined {
  const stats = lstatSync(file, { throwIfNoEntry: false })
  if (stats?.isFile() !== true) return undefined
  const stamp = `${stats.dev} ${stats.ino} ${stats.size} ${stats.ctimeMs}`
  const known = steadyLines.get(file)
  if (known?.stamp === stamp) return known.line
  const line = readLine(file)
  if (steadyLines.size >= STEADY_LINES) steadyLines.clear()
  // The clock of the file system is the one to compare with, which is why none is passed in.
  if (stats.ctimeMs < Date.now() - STEADY_MS) steadyLines.set(file, { stamp, line })
  return line
}

function readLine(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').replace(/\n$/, '')
  } catch {
    // Not there, or not to be read: either way it says nothing.
    return undefined
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

/** The registration of a path, half made ones too; undefined: there is none. */
export function findRegistration(commonDir: string, path: string): string | undefined {
  const all = join(commonDir, 'worktrees')
  let names: string[]
  try {
    names = readdirSync(all)
  } catch {
    // The repository has no linked worktrees.
    return undefined
  }
  const pointsHere = (name: string) =>
    readLink(join(all, name, 'gitdir'), join(all, name)) === join(path, '.git')
  const found = names.find(pointsHere)
  if (found !== undefined) return join(all, found)
  // Git writes `locked` first and `gitdir` after it: killed in between, only the name says whose.
  const halfMade = join(all, basename(path))
  return names.includes(basename(path)) && !exists(join(halfMade, 'gitdir')) ? halfMade : undefined
}

export function isLockedFor(registration: string, id: WorktreeId): boolean {
  return readLine(join(registration, 'locked')) === lockReason(id)
}

/** See `Worktrees.keepLocked`. */
export async function keepLocked(
  git: Git,
  worktree: WorktreeRecord,
): Promise<'locked' | 'again' | 'refused'> {
  // The common answer first: of a repository that was moved nothing is where it was.
  if (exists(join(worktree.gitDir, 'locked'))) return 'locked'
  const { id, path, gitDir, commonDir } = locateWorktree(worktree)
  if (exists(join(gitDir, 'locked'))) return 'locked'
  const words = ['worktree', 'lock', '--reason', lockReason(id), path]
  const { status } = await git.run(words, { place: { gitDir: commonDir }, answers: [128] })
  return status === 0 ? 'again' : 'refused'
}

/** Within a repository, while a registration is removed. */
const ASIDE = 'holdfast-unregistered'

/**
 * Removes one registration by name, its tree being gone from `path` already; also what a killed git
 * has left half made. At once, so that nobody finds a half of it. Only under the repository's lock.
 */
export async function unregister(commonDir: string, path: string, id: WorktreeId): Promise<void> {
  await removeAside(commonDir)
  const registration = findRegistration(commonDir, path)
  if (registration === undefined) return
  if (!isLockedFor(registration, id)) {
    throw new AppError('refused_in_state', `the registration of ${path} is not of ${id}`, {
      hint: `look at \`git worktree list\`; ${registration} is left as it is`,
    })
  }
  renameSync(registration, join(commonDir, ASIDE))
  reach('registration.aside')
  await removeAside(commonDir)
}

/** What of a registration is left. Only under the repository's lock. */
export async function removeAside(commonDir: string): Promise<void> {
  await discardTree(join(commonDir, ASIDE))
  // As git does it.
  removeIfEmpty(join(commonDir, 'worktrees'))
}

/** See `Worktrees.listRegistered`. */
export async function listRegistered(git: Git, commonDir: string): Promise<RegisteredWorktree[]> {
  const { stdout } = await git.run(['worktree', 'list', '--porcelain', '-z'], {
    place: { gitDir: commonDir },
  })
  const worktrees: RegisteredWorktree[] = []
  let lines: string[] = []
  for (const field of splitAtNul(stdout)) {
    if (field.length > 0) {
      lines.push(field.toString('utf8'))
      continue
    }
    const value = (key: string) => {
      const line = lines.find(text => text === key || text.startsWith(`${key} `))
      return line?.slice(key.length + 1)
    }
    const path = value('worktree')
    if (path !== undefined) {
      const prunable = value('prunable') !== undefined
      const branch = value('branch') ?? null
      worktrees.push({ path, lockReason: value('locked') ?? null, prunable, branch })
    }
    lines = []
  }
  return worktrees
}
