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
import { presentPaths, startCapture, withCapture } from './capture.ts'
import { splitAtNul } from './conversion.ts'
import type { Git, GitPlace } from './git.ts'
import type { PrivateIndex } from './private-index.ts'
import { verifyCommits } from './read-back.ts'
import { refOf } from './refs.ts'
import { requirePresent } from './registration.ts'
import { copyUsableIndex, surveyWorktree } from './survey.ts'

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
export function makeBorrowing(path: string, commonDir: string, commit: CommitId): void {
  mkdirSync(join(path, 'objects', 'info'), { recursive: true })
  mkdirSync(join(path, 'refs'))
  writeFileSync(join(path, 'HEAD'), 'ref: refs/heads/none\n')
  writeFileSync(join(path, 'objects', 'info', 'alternates'), `${commonDir}/objects\n`)
  const format = commit.length === 64 ? '[extensions]\n\tobjectFormat = sha256\n' : ''
  const version = format === '' ? 0 : 1
  const core = `[core]\n\trepositoryFormatVersion = ${version}\n\tbare = true\n`
  writeFileSync(join(path, 'config'), core + format)
}
