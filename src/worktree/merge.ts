/**
 * Merges base → result into what a checkout holds, in a repository of our own: whatever comes of it,
 * the target and its objects are as they were.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../domain/errors.ts'
import type { CommitId, TaskId } from '../domain/ids.ts'
import { type Base, baseTreeCommit } from '../domain/task.ts'
import type { Checkout } from '../ports/worktrees.ts'
import { splitAtNul } from './conversion.ts'
import { startFastImport } from './fast-import.ts'
import { type Git, GitError, type GitPlace } from './git.ts'
import { makeOwnRepository } from './own-repository.ts'
import { type BytePath, parsePath } from './paths.ts'
import { copyIndex } from './private-index.ts'
import { type RawDelta, readDelta } from './read-back.ts'
import { placeOf } from './source-status.ts'
import { sameEntry, type TreeEntry } from './status.ts'
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

export interface PathConflict {
  readonly path: BytePath
  /** In git's words; of a path that is the user's own and unknown to git, in ours. */
  readonly why: string
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
  await requireObjects(git, order, place, repository)

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

/** The base and the result, from the task's bundle where the target has them not, or no longer. */
async function requireObjects(
  git: Git,
  { task, base, result, target, directory }: MergeOrder,
  place: GitPlace,
  repository: string,
): Promise<void> {
  const wanted = [base.commit, baseTreeCommit(base), result]
  const [from, ...others] = await Promise.all(wanted.map(commit => hasCommit(git, place, commit)))
  if (from !== true) {
    throw new AppError(
      'unrelated_repository',
      `${target.place.root} does not have the commit ${base.commit} that ${task} started from`,
      { hint: `take it as a patch instead: holdfast diff ${task} | git apply --3way` },
    )
  }
  if (!others.includes(false)) return
  const bundle = join(directory, 'result.bundle')
  if (!existsSync(bundle)) {
    throw new AppError('no_result', `the commits of ${task} are gone, and so is ${bundle}`, {
      hint: `holdfast diff ${task}, if its patch is still there`,
    })
  }
  await git.run(['index-pack', '--stdin', '--fix-thin'], {
    place: { gitDir: repository },
    input: packOf(readFileSync(bundle)),
  })
}

async function hasCommit(git: Git, place: GitPlace, commit: CommitId): Promise<boolean> {
  const { status } = await git.run(['cat-file', '-e', `${commit}^{commit}`], {
    place,
    answers: [1, 128],
  })
  return status === 0
}

/**
 * A bundle is a few lines, an empty one, and a pack. `git bundle unbundle` wants the base to be
 * reachable from a ref, which one that was amended away is not.
 */
function packOf(bundle: Buffer): Buffer {
  return bundle.subarray(bundle.indexOf('\n\n') + 2)
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

/**
 * The paths, an empty field, then messages: how many paths, the paths, what kind of message, the
 * message. Only those of conflicts count.
 */
function parseConflicts(fields: readonly Buffer[]): PathConflict[] {
  const end = fields.findIndex(field => field.length === 0)
  const reasons = new Map<BytePath, string[]>()
  for (const field of fields.slice(0, end)) reasons.set(parsePath(field), [])
  for (let at = end + 1; at < fields.length; ) {
    const count = Number(fields[at]?.toString('latin1'))
    const paths = fields.slice(at + 1, at + 1 + count).map(parsePath)
    const [kind, message] = fields.slice(at + 1 + count, at + 3 + count)
    at += 3 + count
    if (!kind?.toString('latin1').startsWith('CONFLICT')) continue
    const [path] = paths
    if (path === undefined) continue
    const known = reasons.get(path) ?? []
    reasons.set(path, [...known, describeConflict(message?.toString('utf8') ?? '')])
  }
  return [...reasons].map(([path, why]) => ({ path, why: why.join('; ') || 'see the others' }))
}

/** `CONFLICT (modify/delete): a deleted in YOURS and …  Version … left in tree.` */
function describeConflict(message: string): string {
  return message
    .trim()
    .replace(/^CONFLICT \((.*?)\): /, '$1: ')
    .replace(/ {2}Version .* left in tree\.$/s, '')
}
