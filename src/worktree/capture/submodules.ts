/**
 * Submodules that the caller has populated come along, changes and all: each is captured as a base
 * of its own, in its own repository, and the new worktree gets a repository for it where git itself
 * would put it, below the worktree's git directory, that borrows the objects of the caller's.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs'
import { join, relative, sep } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import { AppError, messageOf, type RefusalCode } from '../../domain/errors.ts'
import { type CommitId, parseCommitId } from '../../domain/ids.ts'
import type { Base, BaseChanges, SubmoduleBase } from '../../domain/task.ts'
import type { CaptureOrder, Checkout } from '../../ports/worktrees.ts'
import { type BytePath, isText, parsePath, pathOnDisk, shownPath } from '../files/paths.ts'
import { splitAtNul } from '../git/conversion.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { writeAlternates } from '../git/own-repository.ts'
import { writeSettings } from '../git/settings.ts'
import { GITLINK } from '../git/status.ts'
import { openCheckout } from './checkout.ts'

export interface CapturedSubmodules {
  readonly submodules: readonly SubmoduleBase[]
  /** What could not be taken, in words, each with its path. */
  readonly leftOut: readonly string[]
}

/** What stands against the whole task. */
const SERIOUS: readonly RefusalCode[] = ['changes_too_large', 'no_space']

/** Captures one, as any checkout is. */
export type CaptureSubmodule = (submodule: Checkout, order: CaptureOrder) => Promise<Base>

/** Where git keeps the repositories of submodules, below that of their own. */
export const modulesOf = (gitDir: string) => join(gitDir, 'modules')

/**
 * Captures those of the paths that are populated. `orderOf`: what is taken of each; undefined:
 * nothing, as the commit that the task starts from has no such submodule.
 */
export async function captureSubmodules(
  git: Git,
  checkout: Checkout,
  paths: readonly BytePath[],
  orderOf: (path: BytePath) => CaptureOrder | undefined,
  capture: CaptureSubmodule,
): Promise<CapturedSubmodules> {
  const submodules: SubmoduleBase[] = []
  const leftOut: string[] = []
  for (const path of paths) {
    const order = orderOf(path)
    if (order === undefined) continue
    if (!isPopulated(checkout.place.root, path)) {
      if (isFilled(checkout.place.root, path)) {
        leftOut.push(`${shownPath(path)}: not taken: files in the place of a submodule`)
      }
      continue
    }
    try {
      const { inner, name } = await openSubmodule(git, checkout, path)
      const base = await capture(inner, order)
      reach('base.submodule-captured')
      submodules.push({ path, name, base })
      const within = base.changes?.leftOut ?? []
      leftOut.push(...within.map(line => `${shownPath(path)}/${line}`))
    } catch (error) {
      const isRefused = error instanceof AppError && !SERIOUS.includes(error.code)
      if (!isRefused) throw error
      leftOut.push(`${shownPath(path)}: not taken: ${messageOf(error)}`)
    }
  }
  return { submodules, leftOut }
}

/** It has a `.git`; without one, git takes what is in it for part of the repository around it. */
function isPopulated(root: string, path: BytePath): boolean {
  return existsSync(pathOnDisk(root, `${path}/.git` as BytePath))
}

function isFilled(root: string, path: BytePath): boolean {
  try {
    return readdirSync(pathOnDisk(root, path)).length > 0
  } catch {
    // It is no directory: then it is a change of its own.
    return false
  }
}

async function openSubmodule(
  git: Git,
  { place: { root, commonDir } }: Checkout,
  path: BytePath,
): Promise<{ inner: Checkout; name: string }> {
  if (!isText(path)) {
    throw new AppError('refused_in_state', 'a submodule whose name is no UTF-8')
  }
  const directory = pathOnDisk(root, path).toString('utf8')
  const inner = await openCheckout(git, directory)
  if (inner.place.root !== realpathSync(directory)) {
    throw new AppError('refused_in_state', 'a submodule without a repository of its own')
  }
  const name = relative(modulesOf(commonDir), inner.place.commonDir).split(sep).join('/')
  if (name === '' || name.startsWith('../')) {
    throw new AppError(
      'refused_in_state',
      'a submodule whose repository does not lie in the main one; the task finds it empty',
    )
  }
  return { inner, name }
}

/** A worktree, or a submodule in one, with the repository that its submodules come from. */
export interface Surroundings {
  readonly path: string
  readonly gitDir: string
  readonly origin: string
}

/**
 * Makes the repository of a submodule at `<gitDir>/modules/<name>`, and points to it from the
 * submodule's directory. It has no files yet.
 */
export async function makeSubmodule(
  git: Git,
  around: Surroundings,
  { path, name, base }: SubmoduleBase,
): Promise<Surroundings> {
  const origin = join(modulesOf(around.origin), name)
  const gitDir = join(modulesOf(around.gitDir), name)
  const directory = pathOnDisk(around.path, path as BytePath).toString('utf8')
  if (!existsSync(join(origin, 'HEAD'))) {
    throw new AppError('refused_in_state', `the repository of the submodule ${path} is gone`, {
      hint: `it was ${origin}`,
    })
  }
  const objects = join(gitDir, 'objects')
  mkdirSync(join(objects, 'info'), { recursive: true })
  mkdirSync(join(objects, 'pack'))
  mkdirSync(directory, { recursive: true })
  // Relative: the main repository may be moved, with both in it.
  writeAlternates(gitDir, [relative(objects, join(origin, 'objects'))])
  for (const part of ['config', 'config.worktree', 'refs', 'info', 'shallow']) {
    copyPart(join(origin, part), join(gitDir, part))
  }
  writeFileSync(join(gitDir, 'packed-refs'), packedRefsOf(origin))
  writeFileSync(join(gitDir, 'HEAD'), `${base.commit}\n`)
  const settings = existsSync(join(gitDir, 'config.worktree')) ? 'config.worktree' : 'config'
  await writeSettings(git, join(gitDir, settings), { 'core.worktree': directory })
  writeFileSync(join(directory, '.git'), `gitdir: ${gitDir}\n`)
  reach('worktree.submodule-made')
  return { path: directory, gitDir, origin }
}

/** What we hold in a repository is not the agent's business; locks are nobody's. */
function copyPart(from: string, to: string): void {
  if (!existsSync(from)) return
  cpSync(from, to, {
    recursive: true,
    filter: source => !source.endsWith('.lock') && !source.endsWith(join('refs', 'holdfast')),
  })
}

function packedRefsOf(gitDir: string): string {
  const file = join(gitDir, 'packed-refs')
  if (!existsSync(file)) return ''
  // A line that begins with `^` belongs to the one before it.
  return readFileSync(file, 'latin1').replace(/^\S+ refs\/holdfast\/.*\n(?:\^.*\n)?/gm, '')
}

/** The git directories of the submodules of a repository, and of theirs. */
export function findModules(gitDir: string): string[] {
  const found: string[] = []
  const walk = (directory: string) => {
    if (existsSync(join(directory, 'HEAD')) && existsSync(join(directory, 'objects'))) {
      found.push(directory, ...findModules(directory))
      return
    }
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) walk(join(directory, entry.name))
    }
  }
  const modules = modulesOf(gitDir)
  if (existsSync(modules)) walk(modules)
  return found
}

export function makeBase(
  commit: CommitId,
  changes: BaseChanges | null,
  { submodules }: CapturedSubmodules,
): Base {
  return submodules.length === 0 ? { commit, changes } : { commit, changes, submodules }
}

/** What the working files of each populated submodule stand on, by its path. */
export function headsOf(submodules: readonly SubmoduleBase[]): ReadonlyMap<string, CommitId> {
  return new Map(submodules.map(({ path, base }) => [path, base.commit]))
}

/** The submodules that a commit names, with the commits that they should stand on. */
export async function readGitlinksOf(
  git: Git,
  place: GitPlace,
  commit: CommitId,
): Promise<ReadonlyMap<BytePath, CommitId>> {
  const { stdout } = await git.run(['ls-tree', '-r', '-z', '--full-tree', commit], { place })
  const gitlinks = new Map<BytePath, CommitId>()
  for (const record of splitAtNul(stdout)) {
    if (!record.subarray(0, GITLINK.length).equals(Buffer.from(GITLINK))) continue
    const tab = record.indexOf('\t')
    const id = parseCommitId(record.toString('latin1', 0, tab).split(' ')[2] ?? '')
    if (id !== undefined) gitlinks.set(parsePath(record.subarray(tab + 1)), id)
  }
  return gitlinks
}
