/**
 * The trash: trees that were retired, and are hashed once more before they are unlinked. That takes
 * seconds and makes the disk slow for others, so it waits for a quiet time.
 *
 * `<id>` is a tree on its way out of git; `<id>.<inode>` one that git has forgotten, and beside it a
 * note of what it is held against.
 */
import { lstatSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { reach } from '../../domain/crash-points.ts'
import { messageOf } from '../../domain/errors.ts'
import { parseCommitId, type WorktreeId } from '../../domain/ids.ts'
import type { TrashedTree, WorktreeRecord } from '../../ports/worktrees.ts'
import { cameFromSetUp } from '../files/came-from-set-up.ts'
import { discardTree } from '../files/discard.ts'
import type { BytePath } from '../files/paths.ts'
import { withOwnFilters } from '../git/filters.ts'
import type { Git } from '../git/git.ts'
import { unblocked } from '../git/unblock.ts'
import { isAmong } from './ignored.ts'
import { findUnproven, type Proof } from './proof.ts'

const NAME = /^([a-z0-9-]+)\.\d+$/
const NOTE = '.json'

const noteSchema = z.object({
  commonDir: z.string(),
  path: z.string(),
  commit: z.string(),
  /** Ignored, and made anew by a program: other trees may share such files, which changes their times. */
  dropped: z.array(z.string()),
  /** Why it is kept: it was looked at, and not all that is in it is elsewhere. */
  kept: z.string().nullable(),
})

const nameOf = ({ id, inode }: WorktreeRecord) => `${id}.${inode}`

/** Written before a proof: a later change of the tree has a later time. */
export function noteInTrash(
  trash: string,
  worktree: WorktreeRecord,
  { commit, dropped }: Proof,
): void {
  const { commonDir, path } = worktree
  const note = { commonDir, path, commit: commit ?? '', dropped: [...dropped], kept: null }
  writeNote(join(trash, nameOf(worktree)), note)
}

/** The worktree stays: it is as it was. */
export function dropNote(trash: string, worktree: WorktreeRecord): void {
  rmSync(join(trash, nameOf(worktree) + NOTE), { force: true })
}

/** Git has forgotten it. */
export function leaveInTrash(trash: string, worktree: WorktreeRecord): void {
  renameSync(join(trash, worktree.id), join(trash, nameOf(worktree)))
}

/** What of a tree was left out of its snapshot, as it is shown; none of one that is kept, or of another repository. */
export function listDropped(tree: string, commonDir: string): readonly string[] {
  const note = readNote(tree)
  return note?.kept === null && note.commonDir === commonDir ? note.dropped : []
}

function writeNote(tree: string, note: z.infer<typeof noteSchema>): void {
  writeFileSync(tree + NOTE, JSON.stringify(note), { mode: 0o600 })
}

/** Undefined: there is none, or none that can be read. */
function readNote(tree: string): z.infer<typeof noteSchema> | undefined {
  try {
    return noteSchema.parse(JSON.parse(readFileSync(tree + NOTE, 'utf8')))
  } catch {
    return undefined
  }
}

/** See `Worktrees.listTrash`. */
export function listTrash(trash: string): readonly TrashedTree[] {
  const names = new Set(namesIn(trash))
  const found: TrashedTree[] = []
  for (const name of names) {
    const bare = name.endsWith(NOTE) ? name.slice(0, -NOTE.length) : name
    const id = NAME.exec(bare)?.[1] as WorktreeId | undefined
    if (id === undefined || (bare !== name && names.has(bare))) continue
    // A note alone may be of a tree that is on its way.
    if (bare !== name && names.has(id)) continue
    const tree = join(trash, bare)
    const note = readNote(tree)
    const kept = note === undefined ? 'nothing says what it is held against' : note.kept
    found.push({
      id,
      path: tree,
      worktreePath: note?.path ?? null,
      commonDir: note?.commonDir ?? null,
      kept,
    })
  }
  return found
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    // Nothing was ever put there.
    return []
  }
}

/** See `Worktrees.purgeTrash`. */
export async function purgeTrash(
  git: Git,
  trash: string,
  tree: string,
  goesOn: () => boolean,
): Promise<'gone' | 'later' | { readonly kept: string }> {
  const note = readNote(tree)
  if (lstatSync(tree, { throwIfNoEntry: false }) !== undefined) {
    if (note === undefined) return { kept: 'nothing says what it is held against' }
    if (note.kept !== null) return { kept: note.kept }
    const why = await whyKept(git, trash, tree, note)
    if (why !== null) {
      writeNote(tree, { ...note, kept: why })
      return { kept: why }
    }
    reach('purge.proven')
    if (!(await unlinkWhile(tree, goesOn))) return 'later'
    reach('purge.unlinked')
  }
  rmSync(tree + NOTE, { force: true })
  return 'gone'
}

async function whyKept(
  git: Git,
  trash: string,
  tree: string,
  { commonDir, commit, dropped }: z.infer<typeof noteSchema>,
): Promise<string | null> {
  const proof = parseCommitId(commit)
  if (proof === undefined) return 'nothing says what it is held against'
  const notedAt = lstatSync(tree + NOTE, { bigint: true }).mtimeNs
  // What is ignored was kept or given up before; only what came later can be lost with it.
  const isDropped = isAmong(dropped)
  const isKept = (path: BytePath) => isDropped(path) || cameFromSetUp(tree, path, notedAt + 1n)
  try {
    const own = await withOwnFilters(unblocked(git, tree), commonDir)
    const held = { commit: proof, isKept, since: notedAt }
    const late = await findUnproven(own, commonDir, tree, held, trash)
    return late === null ? null : `it holds what came in late: ${late}`
  } catch (error) {
    return `it could not be compared: ${messageOf(error)}`
  }
}

/** So deep it goes entry by entry. */
const STEPPED_DEPTH = 2

/** Stops between two entries. */
async function unlinkWhile(tree: string, goesOn: () => boolean): Promise<boolean> {
  // A directory that its owner may not write to keeps its entries; the last call opens it.
  const all = await unlinkEntries(tree, goesOn, 0).catch(unlessClosed)
  if (all) await discardTree(tree)
  return all
}

function unlessClosed(error: unknown): true {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'EACCES' && code !== 'EPERM') throw error
  return true
}

async function unlinkEntries(
  directory: string,
  goesOn: () => boolean,
  depth: number,
): Promise<boolean> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!goesOn()) return false
    const path = join(directory, entry.name)
    if (!entry.isDirectory() || depth === STEPPED_DEPTH) await discardTree(path)
    else if (!(await unlinkEntries(path, goesOn, depth + 1))) return false
  }
  return true
}
