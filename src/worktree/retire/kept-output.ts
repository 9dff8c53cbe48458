/**
 * Build output of a worktree that was put away, in a spare one. Its tree is never used again itself:
 * git's status tells nothing of permissions, hard links and files that a process still holds open,
 * and its git directory may have been written by an agent. A spare is made anew; only directories
 * that a program fills anew (`isRebuilt`), and that the proven snapshot has named as left out, are
 * renamed into it.
 */
import { type Dirent, lstatSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import type { SpareWorktree, TrashedTree } from '../../ports/worktrees.ts'
import { isText, parsePath, shownPath } from '../files/paths.ts'
import type { Git } from '../git/git.ts'
import { readIndexFacts } from '../git/private-index.ts'
import { findDoubt } from '../make/spare.ts'
import { asideIn } from './build-output.ts'
import { isAmong, isRebuilt } from './ignored.ts'
import { listDropped } from './trash.ts'

/** A directory with more in it is left to the trash: it is looked through once, for repositories. */
const MOST_ENTRIES = 500_000

/** See `Worktrees.furnishSpare`. */
export async function furnishSpare(
  git: Git,
  spare: SpareWorktree,
  { path: tree }: Pick<TrashedTree, 'path'>,
): Promise<SpareWorktree | null> {
  const { record } = spare
  const { gitDir, commonDir, path: root } = record
  const found = listDropped(tree, commonDir).filter(name => isFit(tree, root, name))
  if (found.length === 0) return spare
  const { gitlinks } = await readIndexFacts(git, { gitDir, commonDir, workTree: root })
  // A spare has no submodules; what is in the place of one git does not look at.
  const isInside = isAmong([...gitlinks.keys()].map(path => `${shownPath(path)}/`))
  const paths = found.filter(name => !isInside(parsePath(Buffer.from(name))))
  for (const name of paths) {
    renameSync(join(tree, name), join(root, name))
    reach('spare.output-moved')
  }
  if (paths.length === 0) return spare
  const furnished = { ...spare, output: [...(spare.output ?? []), ...paths] }
  return (await findDoubt(git, furnished)) === null ? furnished : null
}

/** See `Worktrees.stripSpare`. */
export function stripSpare({ output = [], ...spare }: SpareWorktree, trash: string): SpareWorktree {
  mkdirSync(trash, { recursive: true, mode: 0o700 })
  for (const name of output) {
    if (!isReal(spare.record.path, name)) continue
    renameSync(join(spare.record.path, name), asideIn(trash, spare.record.id))
    reach('spare.output-removed')
  }
  return spare
}

/** `name` is that of a directory, with a slash. */
function isFit(tree: string, root: string, name: string): boolean {
  const path = parsePath(Buffer.from(name))
  if (!name.endsWith('/') || !isText(path) || shownPath(path) !== name) return false
  if (!isReal(tree, name) || !isRebuilt(tree, path)) return false
  const parent = name.slice(0, name.lastIndexOf('/', name.length - 2) + 1)
  const isFree = lstatSync(join(root, name), { throwIfNoEntry: false }) === undefined
  return isFree && isReal(root, parent) && holdsNoRepository(join(tree, name))
}

/** Whether all on the way to it are directories: a link leads who knows where. */
function isReal(root: string, name: string): boolean {
  const parts = name.split('/').filter(part => part !== '')
  if (parts.some(part => part === '..' || part === '.' || part.toLowerCase() === '.git')) {
    return false
  }
  return [...parts.keys()].every(n => {
    const at = join(root, ...parts.slice(0, n + 1))
    return lstatSync(at, { throwIfNoEntry: false })?.isDirectory() === true
  })
}

/** A repository in it would be taken for the work of whoever is next. */
function holdsNoRepository(top: string): boolean {
  const open = [top]
  let seen = 0
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const entry of entriesOf(at)) {
      if (entry.name === '.git' || ++seen > MOST_ENTRIES) return false
      if (entry.isDirectory()) open.push(join(at, entry.name))
    }
  }
  return true
}

/** Of a directory that is closed it cannot be seen what it holds: then it may be one. */
function entriesOf(directory: string): readonly Pick<Dirent, 'name' | 'isDirectory'>[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch {
    return [{ name: '.git', isDirectory: () => false }]
  }
}
