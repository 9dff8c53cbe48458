/**
 * Spare worktrees. A task takes one over only if it is, beyond doubt, what was made: a few files say
 * so, and git's own status once the task's files are in it. Nobody else ever works in one.
 */
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import type { CommitId, WorktreeId } from '../../domain/ids.ts'
import { type Base, baseTreeCommit } from '../../domain/task.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Locks } from '../../ports/lock.ts'
import type { ProcessTable } from '../../ports/process-table.ts'
import type { SpareWorktree, WorktreeRecord } from '../../ports/worktrees.ts'
import { readDelta } from '../capture/read-back.ts'
import { type BytePath, parsePath } from '../files/paths.ts'
import type { Git } from '../git/git.ts'
import { isPartialClone } from '../git/partial-clone.ts'
import { isLockedFor, lockReason, lookAtWorktree, withRepositoryLock } from '../git/registration.ts'
import { readSettings, type Settings } from '../git/settings.ts'
import { readStatus } from '../git/status.ts'
import { fillWorktree, recordOf } from './create.ts'

/** A difference of more than this share of the files costs as much as writing all of them. */
const MOST_DIFFERING = 0.15

/** All that git leaves in the git directory of a worktree in which nothing was ever done. */
const OWN_FILES = new Set('HEAD ORIG_HEAD commondir gitdir index locked logs refs'.split(' '))

/** Where they differ between two commits, unchanged files may look otherwise too. */
const RULES = /(?:^|\/)\.git(?:attributes|modules)$/

const INDEX_HEADER = 12

const SECOND_MS = 1_000
/** File systems take their time from a clock that is late by as much. */
const TICK_MS = 20

/** How many files an index has, by its header; null: there is none. */
export function countFiles(gitDir: string): number | null {
  let file: number
  try {
    file = openSync(join(gitDir, 'index'), 'r')
  } catch {
    return null
  }
  try {
    const header = Buffer.alloc(INDEX_HEADER)
    return readSync(file, header) === INDEX_HEADER ? header.readUInt32BE(8) : null
  } finally {
    closeSync(file)
  }
}

/** By which it is known that nobody wrote an index since. */
export function stampOf({ gitDir }: Pick<WorktreeRecord, 'gitDir'>): string {
  const { ino, size, mtimeNs, ctimeNs } = lstatSync(join(gitDir, 'index'), { bigint: true })
  return [ino, size, mtimeNs, ctimeNs].join()
}

/** See `Worktrees.makeSpare`. `make` makes a worktree with nothing but the commit in it. */
export async function makeSpare(
  git: Git,
  clock: Clock,
  commit: CommitId,
  commonDir: string,
  make: () => Promise<WorktreeRecord>,
): Promise<SpareWorktree | null> {
  const { fingerprint, sparse } = await readSettings(git, { gitDir: commonDir })
  if (sparse !== null || isPartialClone(commonDir)) return null
  const record = await make()
  await settle(git, clock, record)
  return { record, commit, rules: fingerprint, index: stampOf(record) }
}

/**
 * Sets a spare on another commit. Null: it is only to be dropped, for its files would stay as the old
 * rules say.
 */
export async function aimSpare(
  git: Git,
  clock: Clock,
  spare: SpareWorktree,
  commit: CommitId,
): Promise<SpareWorktree | null> {
  const { record, commit: from, rules } = spare
  const base: Base = { commit, changes: null }
  const settings = await readSettings(git, { gitDir: record.commonDir })
  if (settings.fingerprint !== rules) return null
  if (whyTooFar(record, [...(await findMoved(git, record, from, base))]) !== null) return null
  await putInto(git, spare, base, settings)
  await settle(git, clock, record)
  return { ...spare, commit, index: stampOf(record) }
}

async function putInto(
  git: Git,
  { record, commit }: SpareWorktree,
  base: Base,
  settings: Settings,
): Promise<void> {
  const { gitDir, commonDir } = record
  const moveHead = async () => {
    if (commit === base.commit) return
    const place = { gitDir, commonDir }
    await git.run(['update-ref', '--no-deref', 'HEAD', base.commit], { place })
  }
  await Promise.all([fillWorktree(git, record, base, async () => settings), moveHead()])
}

/**
 * Has git look at the files once more when their second is over. Of those that were written in the
 * same one as the index, it reads every byte each time that it is asked, and there a task waits.
 */
async function settle(
  git: Git,
  clock: Clock,
  { gitDir, commonDir, path }: WorktreeRecord,
): Promise<void> {
  await clock.sleep(SECOND_MS - (clock.now() % SECOND_MS) + TICK_MS)
  const place = { gitDir, commonDir, workTree: path }
  // 1: something differs. Whoever takes it over finds it.
  await git.run(['update-index', '-q', '--refresh', '--force-write-index'], { place, answers: [1] })
}

export interface ClaimOrder {
  readonly id: WorktreeId
  readonly path: string
  readonly base: Base
}

/** Whether somebody stands in a directory. */
function isInhabited(directory: string, processes: ProcessTable): boolean {
  return processes
    .scan('HOLDFAST_TASK', 0, () => undefined)
    .some(one => one.directory === directory || one.directory?.startsWith(`${directory}/`))
}

/** See `Worktrees.claimSpare`. */
export async function claimSpare(
  git: Git,
  locks: Locks,
  spare: SpareWorktree,
  order: ClaimOrder,
  processes: ProcessTable,
): Promise<WorktreeRecord | { readonly unfit: string }> {
  const { record, commit } = spare
  const { base } = order
  const unfit =
    findVeto(spare) ??
    (isInhabited(record.path, processes) ? 'somebody stands in it' : null) ??
    (base.changes?.traits == null ? null : 'its task starts from more than trees can say') ??
    ((base.submodules ?? []).length > 0 ? 'its task has submodules' : null)
  if (unfit !== null) return { unfit }
  const [settings, expected, moved] = await Promise.all([
    readSettings(git, { gitDir: record.commonDir }),
    findChanged(git, record, base),
    findMoved(git, record, commit, base),
  ])
  if (settings.fingerprint !== spare.rules) return { unfit: 'the configuration has changed' }
  const far = whyTooFar(record, [...expected, ...moved])
  if (far !== null) return { unfit: far }
  if (commit !== baseTreeCommit(base) || commit !== base.commit) {
    await putInto(git, spare, base, settings)
  }
  reach('spare.filled')
  const wrong = await findWrong(git, spare, base.commit, expected)
  if (wrong !== null) return { unfit: wrong }
  return await handOver(locks, record, order)
}

/** Seen from a few files, without git; null: nothing speaks against it. */
function findVeto({ record, commit, index, output = [] }: SpareWorktree): string | null {
  const { gitDir } = record
  if (lookAtWorktree(record) !== 'present') return 'it is not what was made'
  if (!isLockedFor(gitDir, record.id)) return 'its lock was taken away'
  if (readFileSync(join(gitDir, 'HEAD'), 'utf8').trim() !== commit) return 'its HEAD was moved'
  const foreign = readdirSync(gitDir).find(name => !OWN_FILES.has(name))
  if (foreign !== undefined) return `${foreign} is in its git directory`
  const lacking = output.find(name => !isDirectory(join(record.path, name)))
  if (lacking !== undefined) return `${lacking} is not there any more`
  return stampOf(record) === index ? null : 'its index was written'
}

const isDirectory = (path: string) =>
  // Without its slash: a link of that name is none.
  lstatSync(path.replace(/\/$/, ''), { throwIfNoEntry: false })?.isDirectory() === true

/** What speaks against it, in words, while it is nobody's; null: nothing. */
export async function findDoubt(git: Git, spare: SpareWorktree): Promise<string | null> {
  return findVeto(spare) ?? (await findWrong(git, spare, spare.commit, new Set()))
}

/** What differs from the commit, once the task's files are in it. */
async function findChanged(
  git: Git,
  { gitDir, commonDir }: WorktreeRecord,
  { commit, changes }: Base,
): Promise<ReadonlySet<BytePath>> {
  if (changes === null) return new Set()
  const place = { gitDir, commonDir }
  const trees = [changes.snapshot, changes.staged].filter(tree => tree !== null)
  const deltas = await Promise.all(
    trees.map(tree => readDelta(git, place, ['diff-tree', '-r'], [commit, tree])),
  )
  return new Set(deltas.flatMap(delta => [...delta.keys()]))
}

/** What differs between the spare's commit and the task's. */
async function findMoved(
  git: Git,
  { gitDir, commonDir }: WorktreeRecord,
  commit: CommitId,
  base: Base,
): Promise<Iterable<BytePath>> {
  if (commit === base.commit) return []
  const place = { gitDir, commonDir }
  return (await readDelta(git, place, ['diff-tree', '-r'], [commit, base.commit])).keys()
}

function whyTooFar({ gitDir }: WorktreeRecord, differing: readonly BytePath[]): string | null {
  if (differing.some(path => RULES.test(path))) return 'its rules for files differ'
  const most = (countFiles(gitDir) ?? 0) * MOST_DIFFERING
  return differing.length > most ? 'too much differs' : null
}

/** Null: the worktree is what the task starts from, and nothing else. */
async function findWrong(
  git: Git,
  { record, output = [] }: Pick<SpareWorktree, 'record' | 'output'>,
  commit: CommitId,
  expected: ReadonlySet<BytePath>,
): Promise<string | null> {
  const { gitDir, commonDir, path } = record
  const place = { gitDir, commonDir, workTree: path }
  const { head, entries, warnings } = await readStatus(git, place, {
    submodules: 'heads',
    untrackedFiles: true,
    // What is in its build output is not gone through.
    ignoredFiles: output.length === 0 ? true : 'collapsed',
    limit: Number.POSITIVE_INFINITY,
  })
  const kept = output.map(name => parsePath(Buffer.from(name)))
  const isKept = (at: BytePath) => kept.some(one => at.startsWith(one))
  if (head !== commit) return 'its HEAD was moved'
  if (warnings.length > 0) return warnings.join(', ')
  const strange = entries.find(({ kind, path: at }) => {
    if (kind === 'ignored') return !isKept(at)
    return kind === 'unmerged' || !expected.has(at) || isKept(at)
  })
  if (strange !== undefined) return `it holds ${strange.path}`
  const unseen = kept.find(one => !entries.some(({ path: at }) => at.startsWith(one)))
  if (unseen !== undefined) return `git does not name ${unseen}`
  const own = entries.filter(({ kind }) => kind !== 'ignored')
  if (own.length !== expected.size) return 'it does not hold all that it should'
  // In the user's own checkout such a file would be theirs; here others have been at its neighbours.
  const mixed = kept.length === 0 ? null : await findTracked(git, record, output)
  return mixed === null ? null : `${mixed} is tracked, among build output`
}

async function findTracked(
  git: Git,
  { gitDir, commonDir }: WorktreeRecord,
  output: readonly string[],
): Promise<string | null> {
  const words = ['ls-files', '-z', '--', ...output.map(name => `:(literal)${name}`)]
  const { stdout } = await git.run(words, { place: { gitDir, commonDir } })
  return stdout.toString('utf8').split('\0', 1)[0] || null
}

/** To its place, and its task's name. Under the repository's lock: git looks at these files. */
async function handOver(
  locks: Locks,
  { path, gitDir, commonDir }: WorktreeRecord,
  order: ClaimOrder,
): Promise<WorktreeRecord | { readonly unfit: string }> {
  const { id } = order
  const parent = dirname(order.path)
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  const place = join(realpathSync(parent), basename(order.path))
  if (lstatSync(place, { throwIfNoEntry: false }) !== undefined)
    return { unfit: 'its place is taken' }
  return await withRepositoryLock(locks, commonDir, async () => {
    replace(join(gitDir, 'locked'), lockReason(id))
    reach('spare.locked')
    replace(join(gitDir, 'gitdir'), join(place, '.git'))
    reach('spare.renamed')
    renameSync(path, place)
    reach('spare.moved')
    return recordOf({ id, path: place, commonDir })
  })
}

function replace(file: string, line: string): void {
  writeFileSync(`${file}.new`, `${line}\n`)
  renameSync(`${file}.new`, file)
}
