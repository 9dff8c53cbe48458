/**
 * Moves HEAD and the index of a checkout to a commit whose files stand there already. HEAD first, by
 * compare and swap: from there on it only goes forward, and whoever dies then is followed by one who
 * ends it.
 */
import { reach } from '../../domain/crash-points.ts'
import { AppError } from '../../domain/errors.ts'
import type { CommitId } from '../../domain/ids.ts'
import type { HeadMove } from '../../domain/task.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { readDelta } from '../capture/read-back.ts'
import { placeOf } from '../capture/source-status.ts'
import { type BytePath, pathBytes } from '../files/paths.ts'
import { type Git, GitError } from '../git/git.ts'
import { copyIndex } from '../git/private-index.ts'
import type { TreeEntry } from '../git/status.ts'
import { Edited } from './exchange.ts'
import { type IndexLock, lockIndex } from './index-lock.ts'

/** Under the lock since before the files were moved. Whatever fails leaves HEAD as it was. */
export async function moveHead(
  git: Git,
  target: Checkout,
  move: HeadMove,
  { lock, scratch, reason }: { lock: IndexLock; scratch: string; reason: string },
): Promise<void> {
  const { from, commit } = move
  await fillLock(git, target, move, { lock, scratch, isStrict: true })
  reach('pick.index-filled')
  try {
    await git.run(['update-ref', '-m', reason, 'HEAD', commit, from], { place: placeOf(target) })
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    throw new AppError('changed_since', `HEAD of ${target.place.root} could not be moved`, {
      hint: `${error.stderr}; try again`,
      cause: error,
    })
  }
  reach('pick.head-moved')
  lock.commit()
  reach('pick.index-moved')
}

/** See `Applications.findBranch`. In full, since what git takes for short depends on what else there is. */
export async function findBranch(git: Git, target: Checkout): Promise<string | null> {
  const { status, stdout } = await git.run(['symbolic-ref', '--quiet', 'HEAD'], {
    place: placeOf(target),
    answers: [1],
  })
  return status === 0
    ? stdout
        .toString('utf8')
        .trim()
        .replace(/^refs\/heads\//, '')
    : null
}

/** Whether HEAD has come to it, and perhaps gone on from there; of a move backwards, has left. */
export async function hasMoved(git: Git, target: Checkout, move: HeadMove): Promise<boolean> {
  const isIn = async (one: string, other: string) => {
    const { status } = await git.run(['merge-base', '--is-ancestor', one, other], {
      place: placeOf(target),
      answers: [1, 128],
    })
    return status === 0
  }
  const { from, commit } = move
  return (await isIn(commit, from)) ? !(await isIn(from, 'HEAD')) : await isIn(commit, 'HEAD')
}

/** Of one that was killed after HEAD had moved; what the user has staged since stays. */
export async function endMove(
  git: Git,
  target: Checkout,
  move: HeadMove,
  scratch: string,
): Promise<void> {
  using lock = lockIndex(target)
  await fillLock(git, target, move, { lock, scratch, isStrict: false })
  lock.commit()
}

/** Only the entries that differ between the two commits change. */
async function fillLock(
  git: Git,
  target: Checkout,
  { from, commit }: HeadMove,
  { lock, scratch, isStrict }: { lock: IndexLock; scratch: string; isStrict: boolean },
): Promise<void> {
  using index = copyIndex(target.gitDir, scratch)
  const place = { ...placeOf(target), indexFile: index.file }
  // Of a split one, git would put a part into the git directory.
  const config = { 'core.splitIndex': 'false' }
  const delta = await readDelta(git, placeOf(target), ['diff-tree', '-r'], [from, commit])
  const staged = await readDelta(git, place, ['diff-index', '--cached'], [from])
  const wanted: [BytePath, TreeEntry | null][] = []
  for (const [path, { after }] of delta) {
    if (!staged.has(path)) wanted.push([path, after])
    else if (isStrict) throw new Edited(path)
  }
  await git.run(['update-index', '-z', '--index-info'], {
    place,
    config,
    input: lines(wanted, from),
  })
  // So that git need not read the new files to see that they are what it says.
  await git.run(['update-index', '-q', '--refresh'], { place, config, answers: [1] })
  lock.fill(index.file)
}

/** What goes, goes first: a file may stand where a directory was. */
function lines(wanted: readonly [BytePath, TreeEntry | null][], { length }: CommitId): Buffer {
  const none = { mode: '0', object: '0'.repeat(length) }
  const ordered = [...wanted].sort(([, a], [, b]) => Number(a !== null) - Number(b !== null))
  return Buffer.concat(
    ordered.flatMap(([path, entry]) => {
      const { mode, object } = entry ?? none
      return [Buffer.from(`${mode} ${object}\t`), pathBytes(path), Buffer.from('\0')]
    }),
  )
}
