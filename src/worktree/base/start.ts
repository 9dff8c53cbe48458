/** A task that starts from a snapshot of another one's files, on the base of that one. */
import { reach } from '../../domain/crash-points.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import { type CommitId, parseCommitId, type TaskId } from '../../domain/ids.ts'
import { type Base, baseTreeCommit } from '../../domain/task.ts'
import type { WorktreeRecord } from '../../ports/worktrees.ts'
import { readDelta } from '../capture/read-back.ts'
import { refOf } from '../capture/refs.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { copyIndex } from '../git/private-index.ts'
import { checkOutBeyond, readSparseRules } from '../git/sparse.ts'

/** See `Worktrees.holdStart`. Two spawns. */
export async function holdStart(
  git: Git,
  commonDir: string,
  task: TaskId,
  commit: CommitId,
  bundle: string | null,
): Promise<void> {
  const place = { gitDir: commonDir }
  try {
    if (bundle !== null) await git.run(['bundle', 'unbundle', bundle], { place })
    await git.run(['update-ref', refOf(task, 'start'), commit], { place })
  } catch (cause) {
    throw new AppError('no_snapshot', `the snapshot cannot be read: ${messageOf(cause)}`, {
      hint: 'holdfast retry --fresh starts without it',
      cause,
    })
  }
  reach('start.held')
}

/** See `Worktrees.placeStart`. */
export async function placeStart(
  git: Git,
  { gitDir, commonDir, path }: WorktreeRecord,
  base: Base,
  start: CommitId,
): Promise<void> {
  // In its git directory: what a killed try leaves goes with the half-made worktree.
  using index = copyIndex(gitDir, gitDir)
  const place = { gitDir, commonDir, workTree: path, indexFile: index.file }
  const before = baseTreeCommit(base)
  // The index alone: it may have conflicts, and its files differ from the commit.
  await git.run(['read-tree', '-i', '--reset', before], { place })
  // Files that are as the base has them are taken for that, also where git converts them.
  await git.run(['update-index', '-q', '--refresh'], { place, answers: [1] })
  await git.run(['read-tree', '-m', '-u', before, start], { place })
  if ((await readSparseRules(git, place)) !== null) {
    const delta = await readDelta(git, place, ['diff-tree', '-r'], [before, start])
    await checkOutBeyond(git, place, delta.keys())
  }
  await moveHead(git, { gitDir, commonDir, workTree: path }, start)
  reach('worktree.start-placed')
}

/** To the commits that were made on the way: they are work, too. */
async function moveHead(git: Git, place: GitPlace, start: CommitId): Promise<void> {
  const { stdout } = await git.run(['rev-parse', '--verify', '--quiet', `${start}^2`], {
    place,
    answers: [1],
  })
  const head = parseCommitId(stdout.toString('latin1').trim())
  if (head === undefined) return
  await git.run(['update-ref', '--no-deref', 'HEAD', head], { place })
  await git.run(['read-tree', '--reset', head], { place })
  await git.run(['update-index', '-q', '--refresh'], { place, answers: [1] })
}
