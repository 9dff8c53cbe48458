/**
 * The repositories inside of a worktree: what an agent has done in submodules, and repositories that
 * it has made or cloned. A submodule's work is captured as a worktree's is, against what it started
 * from. The files of any other repository are taken as plain ones. Commits are kept in any case.
 */
import { join } from 'node:path'
import { messageOf } from '../../domain/errors.ts'
import { type CommitId, parseCommitId } from '../../domain/ids.ts'
import { type Base, baseTreeCommit } from '../../domain/task.ts'
import { type BytePath, isText, parsePath, pathOnDisk, shownPath } from '../files/paths.ts'
import { splitAtNul } from '../git/conversion.ts'
import { startFastImport } from '../git/fast-import.ts'
import { withOwnFilters } from '../git/filters.ts'
import { type Git, GitError, type GitPlace } from '../git/git.ts'
import { GITLINK } from '../git/status.ts'
import type { Tree, TreeCapture } from './capture-tree.ts'
import type { Change } from './change.ts'
import { type CaptureTree, type InnerCapture, type InnerSearch, openInner } from './inner-search.ts'
import { takePlain } from './plain-repositories.ts'
import { modulesOf, readGitlinksOf } from './submodules.ts'
import type { Survey } from './survey.ts'
import { pathsIn, readTraits } from './traits.ts'

export interface InnerFindings {
  /** The survey's, with what was found out about the repositories. */
  readonly changes: readonly Change[]
  readonly inner: readonly InnerCapture[]
  readonly leftOut: readonly string[]
}

/** No spawn where there are none. */
export async function captureInner(
  git: Git,
  tree: Tree,
  place: GitPlace,
  survey: Survey,
  capture: TreeCapture,
  captureTree: CaptureTree,
): Promise<InnerFindings> {
  const { changes, populated, nested } = survey
  if (populated.length + nested.length === 0) return { changes, inner: [], leftOut: [] }
  const found = { gitlinks: new Map(), plain: new Map(), inner: [], leftOut: [] }
  const search: InnerSearch = { git, captureTree, tree, place, capture, ...found }
  const named = await readGitlinksOf(git, place, baseTreeCommit(tree.base))
  const replaced = new Set<string>(nested)
  for (const path of populated) {
    await orSay(search, path, async () => {
      if ((await takeSubmodule(search, path, named.get(path))) === 'plain') replaced.add(path)
    })
  }
  const before = pathsIn(await readTraits(git, place, tree.base), 'nested')
  for (const path of nested) {
    const name = path.slice(0, -1) as BytePath
    if (before.has(path)) {
      search.leftOut.push(`${shownPath(path)}: not taken: a repository inside the repository`)
    } else {
      await orSay(search, path, () => takePlain(search, name, openInner(search, name, null)))
    }
  }
  const { gitlinks, plain, inner, leftOut } = search
  const known = new Set(changes.map(({ path }) => path))
  const moved = [...gitlinks].flatMap(([path, gitlink]) => {
    const object = named.get(path)
    if (object === undefined || known.has(path)) return []
    const before = { mode: GITLINK, object }
    return [{ path, before, present: true, gitlink, indexMode: GITLINK, unchecked: null }]
  })
  const tracked = plain.size > 0 ? await readPaths(git, place) : new Set<BytePath>()
  return {
    changes: [
      ...changes
        .filter(({ path }) => !replaced.has(path) && !plain.has(path))
        .map(change => ({ ...change, gitlink: gitlinks.get(change.path) ?? change.gitlink })),
      ...moved,
      ...[...plain.values()].filter(({ path }) => !tracked.has(path)),
    ],
    inner,
    leftOut,
  }
}

/** What git cannot make anything of costs that repository, and not the rest of the work. */
async function orSay(
  { leftOut, gitlinks }: InnerSearch,
  path: BytePath,
  take: () => Promise<void>,
): Promise<void> {
  const refuse = (why: string) => {
    leftOut.push(`${shownPath(path)}: not taken: ${why}`)
    gitlinks.set(path, { refused: 'a change of a submodule that cannot be read' })
  }
  // The directory is handed to programs as text.
  if (!isText(path)) return refuse('a repository whose name is no UTF-8')
  try {
    await take()
  } catch (error) {
    if (!(error instanceof GitError) || error.isFull) throw error
    refuse(messageOf(error))
  }
}

/** `named`: the commit that the worktree started with there; undefined: it had no submodule there. */
async function takeSubmodule(
  search: InnerSearch,
  path: BytePath,
  named: CommitId | undefined,
): Promise<'taken' | 'plain'> {
  const { git, captureTree, tree, capture, gitlinks, inner, leftOut } = search
  const known = tree.base.submodules?.find(submodule => submodule.path === path)
  const made =
    known === undefined || tree.origin === null
      ? null
      : {
          origin: join(modulesOf(tree.origin), known.name),
          gitDir: join(modulesOf(tree.gitDir), known.name),
        }
  const origin = made?.origin ?? null
  const opened = await openInner(search, path, made)
  const { repository, refused } = opened
  const { head, own } = repository
  const isPublic = head !== null && (await isPublished(git, own, head, origin))
  if (named === undefined && !isPublic) {
    await takePlain(search, path, Promise.resolve(opened))
    return 'plain'
  }
  if (refused !== null) {
    leftOut.push(`${shownPath(path)}: not taken: commits of this submodule: ${refused}`)
    gitlinks.set(path, { refused: `a change of a submodule: ${refused}` })
  } else if (head === null || (head !== named && !isPublic)) {
    const where = head === null ? 'no commit' : `${head}, which only its own repository has`
    gitlinks.set(path, { refused: `this submodule stands on ${where}` })
  } else {
    gitlinks.set(path, { commit: head })
  }
  // What others have is not the agent's; unless the caller's changes lie in between.
  const isMoved = isPublic && (known?.base.changes ?? null) === null
  const candidates = [known?.base, makeBase(named), makeBase(head)]
  const base = await chooseBase(git, own, isMoved ? [makeBase(head), ...candidates] : candidates)
  const directory = pathOnDisk(tree.path, path).toString('utf8')
  const captured = await captureTree(
    origin === null ? git : await withOwnFilters(git, origin),
    { path: directory, gitDir: repository.gitDir, place: { gitDir: own }, origin, base },
    { ...capture, target: { gitDir: own } },
  )
  inner.push({ path, repository, origin, work: { base, commit: captured.commit } })
  for (const deeper of captured.inner) {
    inner.push({ ...deeper, path: `${path}/${deeper.path}` as BytePath })
  }
  leftOut.push(...captured.leftOut.map(line => `${shownPath(path)}/${line}`))
  return 'taken'
}

const makeBase = (commit: CommitId | null | undefined): Base | undefined =>
  commit === null || commit === undefined ? undefined : { commit, changes: null }

/** The first whose commits are there; an empty one of our own where none is. */
async function chooseBase(
  git: Git,
  own: string,
  candidates: readonly (Base | undefined)[],
): Promise<Base> {
  const place = { gitDir: own }
  for (const base of candidates) {
    if (base === undefined) continue
    const ids = [base.commit, baseTreeCommit(base)]
    const words = ['rev-list', '--no-walk', '--quiet', ...ids, '--']
    if ((await git.run(words, { place, answers: [128] })).status === 0) return base
  }
  const importer = startFastImport(git, place)
  const order = { ref: 'refs/holdfast/nothing', message: 'nothing\n', time: 0, from: null }
  await importer.commit({ ...order, merge: [], entries: new Map() })
  const [commit] = await importer.finish()
  if (commit === undefined) throw new Error('git fast-import named no commit')
  return { commit, changes: null }
}

/** Others can have it: it is in the user's own repository, or came from a remote. */
async function isPublished(
  git: Git,
  own: string,
  commit: CommitId,
  origin: string | null,
): Promise<boolean> {
  if (origin !== null) {
    const words = ['cat-file', '-e', `${commit}^{commit}`]
    const { status } = await git.run(words, { place: { gitDir: origin }, answers: [1, 128] })
    if (status === 0) return true
  }
  const words = ['rev-list', '--max-count=1', commit, '--not', '--remotes', '--']
  const { stdout } = await git.run(words, { place: { gitDir: own } })
  return parseCommitId(stdout.toString('latin1').trim()) === undefined
}

/** All that the private index has. */
async function readPaths(git: Git, place: GitPlace): Promise<ReadonlySet<BytePath>> {
  const { stdout } = await git.run(['ls-files', '-z'], { place })
  return new Set(splitAtNul(stdout).map(parsePath))
}
