/**
 * What an agent changed: base → its working files, as a commit, a patch and a bundle. Nothing that
 * lies in the worktree is believed: not its `.git`, not its index, not its submodules.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type CrashPoint, reach } from '../domain/crash-points.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import type { CommitId, TaskId } from '../domain/ids.ts'
import { type Base, baseTreeCommit } from '../domain/task.ts'
import type { CollectedResult, SetUpTime, WorktreeRecord } from '../ports/worktrees.ts'
import { cameFromSetUp } from './came-from-set-up.ts'
import { presentPaths, startCapture, withCapture } from './capture.ts'
import type { Change } from './change.ts'
import { splitAtNul } from './conversion.ts'
import { type Git, GitError, type GitPlace } from './git.ts'
import { type BytePath, pathOnDisk, shownPath } from './paths.ts'
import {
  clearHiddenFlags,
  copyIndex,
  emptyIndex,
  hiddenPaths,
  type IndexFacts,
  type PrivateIndex,
  readIndexFacts,
} from './private-index.ts'
import { readDelta, verifyCommits } from './read-back.ts'
import { refOf } from './refs.ts'
import { requirePresent } from './registration.ts'
import { GITLINK, isDeletion, readStatus, type StatusReport, type TreeEntry } from './status.ts'

/** The same for every patch, whatever the user's configuration of `git diff` says. */
const PATCH = [
  'diff-tree',
  '-p',
  '-U3',
  '--binary',
  '--full-index',
  '--no-renames',
  '--no-ext-diff',
  '--no-textconv',
  '--no-color',
  '--src-prefix=a/',
  '--dst-prefix=b/',
]

export interface Collection {
  readonly worktree: WorktreeRecord
  readonly base: Base
  readonly task: TaskId
  readonly setUpAt: SetUpTime
  /** Milliseconds since 1970. */
  readonly now: number
}

/** See `Worktrees.collectResult`. */
export async function collectResult(
  git: Git,
  collection: Collection,
  directory: string,
): Promise<CollectedResult> {
  const { worktree, base, task } = collection
  const place: GitPlace = { gitDir: worktree.commonDir }
  const baseTree = baseTreeCommit(base)
  return await namingFailure(async () => {
    const { commit, leftOut } = await captureWorktree(git, collection, place, directory)
    if (commit === baseTree) {
      await git.run(['update-ref', refOf(task, 'result'), baseTree], { place })
      reach('collect.ref-made')
    }
    await writeDurably(directory, 'patch', async (_path, file) => {
      await git.run([...PATCH, baseTree, commit, '--'], { place, outputTo: file })
    })
    if (commit === baseTree) {
      rmSync(join(directory, 'result.bundle'), { force: true })
    } else {
      await writeDurably(directory, 'bundle', async path => {
        const range = [refOf(task, 'result'), `^${base.commit}`]
        await git.run(['bundle', 'create', '--quiet', path, ...range], { place })
      })
    }
    const counts = await countLines(git, place, baseTree, commit)
    reach('collect.counted')
    return { commit, ...counts, leftOut }
  })
}

/**
 * See `Worktrees.diffNow`. Nothing is written to the user's repository: the objects go to a
 * repository of our own that borrows the rest.
 */
export async function diffNow(
  git: Git,
  collection: Collection,
  scratch: string,
): Promise<Uint8Array> {
  const { worktree, base } = collection
  const repository = mkdtempSync(join(scratch, 'diff-'))
  return await namingFailure(async () => {
    try {
      makeBorrowing(repository, worktree.commonDir, base.commit)
      const place: GitPlace = { gitDir: repository }
      const { commit } = await captureWorktree(git, collection, place, scratch)
      const { stdout } = await git.run([...PATCH, baseTreeCommit(base), commit, '--'], { place })
      return stdout
    } finally {
      rmSync(repository, { recursive: true, force: true })
    }
  })
}

async function namingFailure<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError('capture_failed', `the work was not collected: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** The commit that holds the worktree as it is now: the base's own where nothing differs. */
async function captureWorktree(
  git: Git,
  collection: Collection,
  target: GitPlace,
  scratch: string,
): Promise<{ commit: CommitId; leftOut: readonly string[] }> {
  const { worktree, base, task, setUpAt, now } = collection
  requirePresent(worktree)
  const baseTree = baseTreeCommit(base)
  const format = base.commit.length === 64 ? 'sha256' : 'sha1'
  const isElsewhere = target.gitDir !== worktree.commonDir
  const elsewhere = isElsewhere ? { newObjects: join(target.gitDir, 'objects') } : {}

  const { gitDir, commonDir, path } = worktree
  const placeFor = (index: PrivateIndex) => ({
    gitDir,
    commonDir,
    workTree: path,
    indexFile: index.file,
    ...elsewhere,
  })

  using index = await copyUsableIndex(git, gitDir, scratch, placeFor)
  reach('collect.index-copied')
  const place = placeFor(index)
  const survey = await surveyWorktree(git, place, index, { baseTree, setUpAt })
  const source = { place: async () => place, root: path, format, provingIn: null } as const
  const started = startCapture(git, place, target)
  started.conversions.ask(presentPaths(survey.changes))
  return await withCapture(git, started, source, survey.changes, async taken => {
    reach('collect.blobs-given')
    const leftOut = [...taken.leftOut, ...survey.leftOut]
    const moved = survey.head !== null && survey.head !== base.commit ? [survey.head] : []
    if (taken.delta.size === 0 && moved.length === 0) {
      await taken.importer.finish()
      return { commit: baseTree, leftOut }
    }
    await taken.importer.commit({
      ref: refOf(task, 'result'),
      message: `holdfast ${task}: result\n`,
      time: Math.floor(now / 1000),
      from: baseTree,
      merge: moved,
      entries: taken.delta,
    })
    reach('collect.commit-given')
    const storing = taken.importer.finish()
    const parent = baseTree
    await verifyCommits(
      git,
      target,
      storing.then(ids => ids.map(commit => ({ commit, parent, delta: taken.delta }))),
    )
    const [commit] = await storing
    if (commit === undefined) throw new Error('git fast-import named no commit')
    reach('collect.imported')
    return { commit, leftOut }
  })
}

/**
 * A copy of the agent's index; an empty one if git cannot read it. Then every file is hashed, and
 * ignored files that the agent added by force are ignored.
 */
async function copyUsableIndex(
  git: Git,
  gitDir: string,
  scratch: string,
  placeFor: (index: PrivateIndex) => GitPlace,
): Promise<PrivateIndex> {
  const index = copyIndex(gitDir, scratch)
  try {
    await readIndexFacts(git, placeFor(index))
    return index
  } catch (error) {
    index[Symbol.dispose]()
    if (!(error instanceof GitError)) throw error
    return emptyIndex(scratch)
  }
}

interface Survey {
  /** Null: HEAD names no commit. */
  readonly head: CommitId | null
  readonly changes: readonly Change[]
  readonly leftOut: readonly string[]
}

/**
 * The paths where the working files may differ from the base. What the base has but the index has
 * not is put back into the private index: else a file of the caller's that was never added, and
 * that the agent's new `.gitignore` now matches, would look as if it were deleted.
 */
async function surveyWorktree(
  git: Git,
  place: GitPlace & { workTree: string },
  index: PrivateIndex,
  { baseTree, setUpAt }: { readonly baseTree: CommitId; readonly setUpAt: SetUpTime },
): Promise<Survey> {
  const facts = await readIndexFacts(git, place)
  await clearHiddenFlags(git, place, index, await hiddenPaths(git, place, facts))
  const zeros = '0'.repeat(baseTree.length)
  const unmerged = facts.unmerged.map(path => ({ path, mode: '0', object: zeros }))
  await editIndex(git, place, index, unmerged)

  const delta = await readDelta(git, place, ['diff-index', '--cached'], [baseTree])
  const missing: IndexEdit[] = []
  for (const [path, { before, after }] of delta) {
    if (after !== null || before === null) continue
    missing.push({ path, ...before })
    delta.delete(path)
  }
  await editIndex(git, place, index, missing)

  const status = await readStatus(git, place, {
    ignoreSubmodules: 'dirty',
    untrackedFiles: true,
    ignoredFiles: false,
    limit: Number.POSITIVE_INFINITY,
  })
  const isFromSetUp = (path: BytePath) => cameFromSetUp(place.workTree, path, setUpAt)
  const changes = changesAgainstBase(status, delta, isFromSetUp)
  const named = new Set(changes.filter(({ gitlink }) => gitlink).map(({ path }) => path))
  const leftOut = populatedSubmodules(place.workTree, facts)
    .filter(path => !named.has(path))
    .map(path => `${shownPath(path)}: not taken: what is inside of this submodule`)
  return { head: status.head, changes, leftOut: [...leftOut, ...status.warnings] }
}

function changesAgainstBase(
  status: StatusReport,
  delta: ReadonlyMap<BytePath, { before: TreeEntry | null; after: TreeEntry | null }>,
  isFromSetUp: (path: BytePath) => boolean,
): Change[] {
  const changes = new Map<BytePath, Change>()
  for (const [path, { before, after }] of delta) {
    const gitlink = before?.mode === GITLINK || after?.mode === GITLINK
    changes.set(path, { path, before, present: true, gitlink, indexMode: after?.mode ?? null })
  }
  for (const entry of status.entries) {
    const { path } = entry
    const known = changes.get(path)
    if (entry.kind === 'tracked') {
      // Only staged against HEAD, which is not what results are compared with.
      if (entry.unstaged === '.' && known === undefined) continue
      // Where the index equals the base, it says what the base has.
      const before = known === undefined ? entry.index : known.before
      const gitlink = entry.submodule || known?.gitlink === true
      const indexMode = entry.index?.mode ?? null
      // Deleted in the index alone cannot be: the base's files have been put back.
      changes.set(path, { path, before, present: !isDeletion(entry), gitlink, indexMode })
    } else if (known !== undefined || !isFromSetUp(path)) {
      const before = known?.before ?? null
      changes.set(path, { path, before, present: true, gitlink: false, indexMode: null })
    }
  }
  return [...changes.values()]
}

interface IndexEdit extends TreeEntry {
  readonly path: BytePath
}

/** Mode 0 removes a path with all its stages. */
async function editIndex(
  git: Git,
  place: GitPlace,
  index: PrivateIndex,
  edits: readonly IndexEdit[],
): Promise<void> {
  if (edits.length === 0) return
  const lines = edits.map(({ mode, object, path }) => `${mode} ${object}\t${path}\0`)
  const input = Buffer.from(lines.join(''), 'latin1')
  await git.run(['update-index', '-z', '--index-info'], { place, input })
  index.age()
}

/** A fresh worktree has empty directories in their place. */
export function populatedSubmodules(root: string, facts: IndexFacts): BytePath[] {
  return facts.gitlinks.filter(path => {
    try {
      return readdirSync(pathOnDisk(root, path)).length > 0
    } catch {
      // Gone, or a file by now: then it is a change, not a submodule with content.
      return false
    }
  })
}

async function countLines(
  git: Git,
  place: GitPlace,
  from: CommitId,
  to: CommitId,
): Promise<{ files: number; insertions: number; deletions: number }> {
  const { stdout } = await git.run(
    ['diff-tree', '-r', '--numstat', '-z', '--no-renames', from, to],
    {
      place,
    },
  )
  const counts = { files: 0, insertions: 0, deletions: 0 }
  for (const field of splitAtNul(stdout)) {
    const [insertions, deletions] = field.toString('latin1').split('\t', 2)
    counts.files++
    // `-` stands for a binary file, which has no lines.
    counts.insertions += Number.parseInt(insertions ?? '', 10) || 0
    counts.deletions += Number.parseInt(deletions ?? '', 10) || 0
  }
  return counts
}

const PATCH_POINTS = ['collect.patch-written', 'collect.patch-renamed'] as const
const BUNDLE_POINTS = ['collect.bundle-written', 'collect.bundle-renamed'] as const

/** Written beside, synced, renamed, and the directory synced: whole or not there at all. */
async function writeDurably(
  directory: string,
  what: 'patch' | 'bundle',
  write: (path: string, file: number) => Promise<void>,
): Promise<void> {
  const name = `result.${what}`
  const [written, renamed]: readonly [CrashPoint, CrashPoint] =
    what === 'patch' ? PATCH_POINTS : BUNDLE_POINTS
  const beside = join(directory, `.${name}.${process.pid}`)
  const file = openSync(beside, 'w', 0o600)
  try {
    await write(beside, file)
    // Git may have made a file of its own in its place, as the umask says.
    chmodSync(beside, 0o600)
    syncFile(beside)
    reach(written)
    await rename(beside, join(directory, name))
    reach(renamed)
    syncFile(directory)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}

/** By its name, not by an open file: git may have renamed another file into its place. */
function syncFile(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** A repository with nothing of its own, that reads the objects of another one. */
function makeBorrowing(path: string, commonDir: string, commit: CommitId): void {
  mkdirSync(join(path, 'objects', 'info'), { recursive: true })
  mkdirSync(join(path, 'refs'))
  writeFileSync(join(path, 'HEAD'), 'ref: refs/heads/none\n')
  writeFileSync(join(path, 'objects', 'info', 'alternates'), `${commonDir}/objects\n`)
  const format = commit.length === 64 ? '[extensions]\n\tobjectFormat = sha256\n' : ''
  const version = format === '' ? 0 : 1
  const core = `[core]\n\trepositoryFormatVersion = ${version}\n\tbare = true\n`
  writeFileSync(join(path, 'config'), core + format)
}
