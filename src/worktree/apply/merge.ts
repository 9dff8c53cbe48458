/**
 * Merges base → result into what a checkout holds, in a repository of our own: whatever comes of it,
 * the target and its objects are as they were.
 */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { CommitId, TaskId } from '../../domain/ids.ts'
import { type Base, baseTreeCommit } from '../../domain/task.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { type RawDelta, readDelta } from '../capture/read-back.ts'
import { placeOf } from '../capture/source-status.ts'
import type { BytePath } from '../files/paths.ts'
import { splitAtNul } from '../git/conversion.ts'
import { startFastImport } from '../git/fast-import.ts'
import { type Git, GitError, type GitPlace } from '../git/git.ts'
import { makeOwnRepository } from '../git/own-repository.ts'
import { copyIndex } from '../git/private-index.ts'
import { sameEntry, type TreeEntry } from '../git/status.ts'
import { hasCommit, requireObjects } from '../result/task-objects.ts'
import { type PathConflict, parseConflicts } from './conflicts.ts'
import { captureTarget } from './target.ts'

export interface MergeOrder {
  readonly task: TaskId
  readonly base: Base
  readonly result: CommitId
  readonly target: Checkout
  /** Where the target has what a result brought, or what the user made of it: which result. */
  readonly applied: ReadonlyMap<BytePath, CommitId>
  /** The task directory: it has the bundle, for a repository that no longer has the objects. */
  readonly directory: string
  /** A private directory that exists. */
  readonly scratch: string
  readonly now: number
}

export interface Merge {
  /** The target with its own index and files, but with new objects in a repository of our own. */
  readonly place: GitPlace & { readonly workTree: string }
  /** Commit or tree of what the target holds, and the tree that it should. */
  readonly before: CommitId
  readonly after: CommitId
  /** before → after. */
  readonly delta: RawDelta
  readonly conflicts: readonly PathConflict[]
  /** Where the result adds a file, and the target has one that git does not know, and not the same. */
  readonly untracked: readonly BytePath[]
}

/** Not in the refs of the target: these names are what conflict markers show. */
const YOURS = 'YOURS'
const AGENT = 'AGENT'

/** The first git that merges without working files. */
const NEEDS_GIT = '2.38'

export async function mergeResult(git: Git, order: MergeOrder): Promise<Merge> {
  const { base, target, scratch, now } = order
  const { commonDir } = target.place
  const repository = join(scratch, 'merge')
  mkdirSync(repository)
  const format = base.commit.length === 64 ? 'sha256' : 'sha1'
  makeOwnRepository(repository, [join(commonDir, 'objects')], format)
  const place = { ...placeOf(target), newObjects: join(repository, 'objects') }
  await requireObjects(git, { ...order, where: target.place.root }, place, repository)

  const { parent, result, wanted } = await readSides(git, order, place, repository)
  const touched = new Set(wanted.keys())
  const yours = await captureTarget(git, { target, parent, touched, repository, scratch, now })
  const sides = { [YOURS]: yours.commit, [AGENT]: result }
  const { tree, conflicts } = await mergeTrees(git, order, place, repository, sides)
  const after = tree as CommitId
  const delta = await readDelta(git, place, ['diff-tree', '-r'], [yours.commit, after])

  const disputed = new Set(conflicts.map(({ path }) => path))
  const untracked: BytePath[] = []
  for (const [path, { before }] of wanted) {
    if (before !== null || !yours.untracked.has(path)) continue
    if (disputed.has(path) || delta.has(path)) untracked.push(path)
  }
  return { place, before: yours.commit, after, delta, conflicts, untracked }
}

interface Sides {
  /** What both sides come from. */
  readonly parent: CommitId
  readonly result: CommitId
  /** parent → result. */
  readonly wanted: RawDelta
}

/**
 * Base and result; where a part of it was applied before, that part is in both, so that what the
 * user has made of it since is the user's own change and no conflict.
 */
async function readSides(
  git: Git,
  { base, result, applied, now }: MergeOrder,
  place: GitPlace,
  repository: string,
): Promise<Sides> {
  const parent = baseTreeCommit(base)
  const wanted = await readDelta(git, place, ['diff-tree', '-r'], [parent, result])
  const entries = new Map<BytePath, TreeEntry | null>()
  for (const brought of new Set(applied.values())) {
    const delta = await readBrought(git, place, parent, brought)
    for (const [path, { before, after }] of delta) {
      if (applied.get(path) !== brought) continue
      entries.set(path, after)
      const target = wanted.get(path) ?? { before, after: before }
      if (sameEntry(after, target.after)) wanted.delete(path)
      else wanted.set(path, { before: after, after: target.after })
    }
  }
  if (entries.size === 0) return { parent, result, wanted }
  const importer = startFastImport(git, { gitDir: repository })
  const ref = 'refs/heads/sides'
  const time = Math.floor(now / 1000)
  await importer.commit({ ref, time, message: 'base\n', from: parent, merge: [], entries })
  const none = new Map<BytePath, null>()
  await importer.commit({ ref, time, message: 'result\n', from: result, merge: [0], entries: none })
  const [from, to] = await importer.finish()
  if (from === undefined || to === undefined) throw new Error('git fast-import named no commits')
  return { parent: from, result: to, wanted }
}

/** Nothing, if it is no longer there: then what it brought is the user's own, as all else. */
async function readBrought(
  git: Git,
  place: GitPlace,
  parent: CommitId,
  brought: CommitId,
): Promise<RawDelta> {
  if (!(await hasCommit(git, place, brought))) return new Map()
  return await readDelta(git, place, ['diff-tree', '-r'], [parent, brought])
}

/** One spawn. Merge drivers and attributes are the target's, as in a merge of the user's own. */
async function mergeTrees(
  git: Git,
  { target, scratch }: MergeOrder,
  place: GitPlace,
  repository: string,
  sides: Readonly<Record<string, CommitId>>,
): Promise<{ tree: string; conflicts: PathConflict[] }> {
  for (const [name, commit] of Object.entries(sides)) {
    writeFileSync(join(repository, name), `${commit}\n`)
  }
  const configuration = join(target.gitDir, 'config.worktree')
  if (existsSync(configuration)) copyFileSync(configuration, join(repository, 'config.worktree'))
  using index = copyIndex(target.gitDir, scratch)
  const { status, stdout } = await git
    .run(['merge-tree', '--write-tree', '-z', '--name-only', '--messages', YOURS, AGENT], {
      place: { ...place, gitDir: repository, indexFile: index.file },
      answers: [1],
    })
    .catch((error: unknown) => {
      if (!(error instanceof GitError) || error.status !== 129) throw error
      throw new AppError('refused_in_state', 'this git cannot merge without a checkout', {
        hint: `holdfast apply needs git ${NEEDS_GIT} or newer`,
        cause: error,
      })
    })
  const fields = splitAtNul(stdout)
  return {
    tree: fields[0]?.toString('latin1') ?? '',
    conflicts: status === 0 ? [] : parseConflicts(fields.slice(1)),
  }
}
