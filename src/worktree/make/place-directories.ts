/**
 * Big directories that git ignores (`node_modules`, build output) brought along from the caller's
 * checkout, each in the way that the repository names. What was brought came from set-up, and is
 * nobody's work. Nothing is written to the checkout, and nothing that is in the worktree is replaced.
 */
import { lstatSync, mkdirSync, readFileSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Bounds } from '../../domain/configuration.ts'
import { LOCK_FILE_NAMES } from '../../domain/ecosystems.ts'
import { messageOf } from '../../domain/errors.ts'
import type { DirectoryOrder } from '../../domain/set-up.ts'
import type { WorktreeRecord } from '../../ports/worktrees.ts'
import { discardTree } from '../files/discard.ts'
import { type BytePath, joinPaths, parsePath, pathOnDisk } from '../files/paths.ts'
import type { Git } from '../git/git.ts'
import { copyTree } from './copy-tree.ts'

/** See `Worktrees.placeDirectories`. */
export async function placeDirectories(
  git: Git,
  worktree: WorktreeRecord,
  source: string,
  orders: readonly DirectoryOrder[],
  bounds: Bounds,
): Promise<readonly string[]> {
  const problems: string[] = []
  for (const order of orders) {
    const problem = await placeOne(git, worktree, source, order, bounds).catch(messageOf)
    if (problem !== null) problems.push(`${order.path}: ${problem}`)
  }
  return problems
}

/** In words why it is not there, or not whole; null: it is. */
async function placeOne(
  git: Git,
  worktree: WorktreeRecord,
  source: string,
  { path: text, way }: DirectoryOrder,
  bounds: Bounds,
): Promise<string | null> {
  const path = parsePath(Buffer.from(text))
  const isReal = (root: string, inside: string) =>
    lstatSync(pathOnDisk(root, inside as BytePath), { throwIfNoEntry: false })?.isDirectory() ===
    true
  // Through no link, on either side: it leads who knows where.
  const parents = text.split('/').map((_, n, parts) => parts.slice(0, n + 1).join('/'))
  const wrong = parents.find(one => !isReal(source, parsePath(Buffer.from(one))))
  if (wrong !== undefined) return `not brought along: ${wrong} is no directory in ${source}`
  const upper = parents.slice(0, -1)
  const lacking = upper.find(one => !isReal(worktree.path, parsePath(Buffer.from(one))))
  if (lacking !== undefined) return `not brought along: ${lacking} is no directory here`
  if (lstatSync(pathOnDisk(worktree.path, path), { throwIfNoEntry: false }) !== undefined) {
    return 'not brought along: there is one already'
  }
  return way === 'symlink'
    ? await link(git, worktree, source, path)
    : await copy(git, worktree, source, path, way, bounds)
}

async function copy(
  git: Git,
  worktree: WorktreeRecord,
  source: string,
  path: BytePath,
  way: 'clone' | 'copy',
  bounds: Bounds,
): Promise<string | null> {
  const place = pathOnDisk(worktree.path, path)
  mkdirSync(place)
  const isIgnored = await isIgnoredIn(git, worktree, path)
  rmdirSync(place)
  if (!isIgnored) return 'not brought along: git does not ignore it here'
  try {
    const copied = await copyTree(source, worktree.path, path, way, bounds)
    if ('passedOver' in copied) {
      const { passedOver } = copied
      return passedOver === 0
        ? null
        : `${passedOver} in it did not come along: links out of the checkout, and what was no file`
    }
    await discardTree(place.toString())
    return `not brought along by ${way}: ${copied.problem}`
  } catch (error) {
    // Half a directory would be worse than none.
    await discardTree(place.toString())
    throw error
  }
}

/** Only while what is in it is what the worktree would have installed. */
async function link(
  git: Git,
  worktree: WorktreeRecord,
  source: string,
  path: BytePath,
): Promise<string | null> {
  const beside = dirname(path)
  const read = (root: string, name: string) => readIfThere(join(root, beside, name))
  const locks = LOCK_FILE_NAMES.flatMap(name => {
    const [theirs, ours] = [read(source, name), read(worktree.path, name)]
    return theirs === undefined && ours === undefined ? [] : [{ name, theirs, ours }]
  })
  if (locks.length === 0) return 'not linked: there is no lock file beside it to go by'
  const other = locks.find(({ theirs, ours }) => !theirs || !ours?.equals(theirs))
  if (other !== undefined) return `not linked: ${other.name} is not the same in ${source}`
  const place = pathOnDisk(worktree.path, path)
  symlinkSync(pathOnDisk(source, path), place)
  if (await isIgnoredIn(git, worktree, path)) return null
  unlinkSync(place)
  return 'not linked: git does not ignore a link of this name (a pattern that ends in a slash is for directories)'
}

function readIfThere(file: string): Buffer | undefined {
  // A link, or a FIFO, is none.
  if (lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true) return undefined
  return readFileSync(file)
}

async function isIgnoredIn(
  git: Git,
  { gitDir, commonDir, path: workTree }: WorktreeRecord,
  path: BytePath,
): Promise<boolean> {
  const { status } = await git.run(['check-ignore', '--quiet', '-z', '--stdin'], {
    place: { gitDir, commonDir, workTree },
    input: joinPaths([path]),
    answers: [1],
  })
  return status === 0
}
