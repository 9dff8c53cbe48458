/**
 * What an agent changed as commits on top of another commit: its delta alone, so that what the caller
 * had not committed when the task started is in none of them, whether it was committed since or not.
 */
import { AppError } from '../../domain/errors.ts'
import type { CommitId } from '../../domain/ids.ts'
import { baseTreeCommit } from '../../domain/task.ts'
import type { PickOrder } from '../../ports/applications.ts'
import { parsePath, shownPath } from '../files/paths.ts'
import { splitAtNul } from '../git/conversion.ts'
import { type Git, GitError, type GitPlace } from '../git/git.ts'
import { commitTree, findOwnCommits, HOLDFAST, requireId, resolve } from './branch.ts'

type ReplayOrder = Pick<PickOrder, 'task' | 'base' | 'result' | 'message'>

/** `head` itself where it has all of it. Refuses with `conflict`, naming the paths. */
export async function replayOnto(
  git: Git,
  place: GitPlace,
  order: ReplayOrder,
  head: CommitId,
): Promise<CommitId> {
  const { base, result, message } = order
  const own = await findOwnCommits(git, place, base, result)
  const isOnBase = own !== null && head === base.commit
  const commits = own === null || isOnBase ? null : await listInLine(git, place, base.commit, own)
  let tip = isOnBase ? own : head
  for (const { commit, parent } of commits ?? []) {
    const tree = await merge(git, place, order, { tip, parent, commit })
    if (tree !== (await treeOf(git, place, tip)))
      tip = await copyCommit(git, place, commit, tree, tip)
  }
  const parent = own !== null && (isOnBase || commits !== null) ? own : baseTreeCommit(base)
  const tree = await merge(git, place, order, { tip, parent, commit: result })
  if (tree === (await treeOf(git, place, tip))) return tip
  return await commitTree(git, place, tree, tip, message)
}

const treeOf = (git: Git, place: GitPlace, commit: CommitId) =>
  resolve(git, place, `${commit}^{tree}`)

interface Step {
  readonly parent: CommitId
  readonly commit: CommitId
}

/** Oldest first; null: there is a merge among them, which is no change of its own. */
async function listInLine(
  git: Git,
  place: GitPlace,
  from: CommitId,
  to: CommitId,
): Promise<Step[] | null> {
  const words = ['rev-list', '--reverse', '--topo-order', '--parents', `${from}..${to}`]
  const { stdout } = await git.run(words, { place })
  const steps: Step[] = []
  for (const line of stdout.toString('latin1').trim().split('\n')) {
    const [commit, parent, ...others] = line.split(' ').map(requireId)
    const expected = steps.at(-1)?.commit ?? from
    if (commit === undefined || parent !== expected || others.length > 0) return null
    steps.push({ commit, parent })
  }
  return steps
}

/**
 * parent → commit on the tip, as a merge whose other side is made a child of the parent with the
 * tip's tree (git 2.39 takes no merge base by name).
 */
async function merge(
  git: Git,
  place: GitPlace,
  { task, base }: ReplayOrder,
  { tip, parent, commit }: Step & { readonly tip: CommitId },
): Promise<CommitId> {
  const tree = await treeOf(git, place, tip)
  const ours = await commitTree(git, place, tree, parent, 'holdfast: where it goes', HOLDFAST)
  const { status, stdout } = await git.run(
    ['merge-tree', '--write-tree', '-z', '--name-only', '--no-messages', ours, commit],
    { place, answers: [1] },
  )
  const [merged, ...paths] = splitAtNul(stdout)
  if (status === 0) return requireId(merged?.toString('latin1') ?? '')
  const named = paths.filter(path => path.length > 0).map(path => shownPath(parsePath(path)))
  const extra =
    base.changes === null ? '' : ' (--with-base-changes takes what was uncommitted, too)'
  throw new AppError(
    'conflict',
    `nothing was picked: it conflicts with HEAD in ${named.join(', ')}`,
    {
      hint: `as a branch, to be merged by hand: holdfast branch ${task} NAME${extra}`,
    },
  )
}

/** Author, encoding and message stay, to the byte; a signature would be of another commit. */
async function copyCommit(
  git: Git,
  place: GitPlace,
  commit: CommitId,
  tree: CommitId,
  parent: CommitId,
): Promise<CommitId> {
  const { stdout } = await git.run(['cat-file', 'commit', commit], { place })
  const original = stdout.toString('latin1')
  const end = original.indexOf('\n\n')
  const lines = original.slice(0, end).split('\n')
  const kept = (name: string) => lines.filter(line => line.startsWith(`${name} `))
  const committer = (await committerOf(git, place)).toString('latin1').trim()
  const header = [
    `tree ${tree}`,
    `parent ${parent}`,
    ...kept('author'),
    `committer ${committer}`,
    ...kept('encoding'),
  ]
  const input = Buffer.from(header.join('\n') + original.slice(end), 'latin1')
  const made = await git.run(['hash-object', '-t', 'commit', '-w', '--stdin'], { place, input })
  return requireId(made.stdout.toString('latin1').trim())
}

/** Of ours where git knows no name. */
async function committerOf(git: Git, place: GitPlace): Promise<Buffer> {
  const words = ['var', 'GIT_COMMITTER_IDENT']
  try {
    return (await git.run(words, { place })).stdout
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    return (await git.run(words, { place, config: HOLDFAST })).stdout
  }
}
