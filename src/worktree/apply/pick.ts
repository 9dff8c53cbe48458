/**
 * Picks a result: commits on top of HEAD, which no ref has yet; a look at the paths that they change,
 * none of which may have changes of the user's; and only then files, HEAD and index.
 */
import { mkdirSync } from 'node:fs'
import { reach } from '../../domain/crash-points.ts'
import { AppError } from '../../domain/errors.ts'
import type { CommitId } from '../../domain/ids.ts'
import type { HeadMove } from '../../domain/task.ts'
import type { FileChange, PickOrder, PickOutcome, UnpickOrder } from '../../ports/applications.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { type RawDelta, readDelta } from '../capture/read-back.ts'
import { placeOf, readSource } from '../capture/source-status.ts'
import { type BytePath, shownPath } from '../files/paths.ts'
import type { Git, GitPlace } from '../git/git.ts'
import type { StatusEntry } from '../git/status.ts'
import { replayOnto } from '../result/replay-onto.ts'
import { explained } from './apply.ts'
import { clearExchangeDirectory } from './exchange-directory.ts'
import { clearScratch } from './journal.ts'
import { findBranch } from './move-head.ts'
import { directoriesAbove } from './obstacles.ts'
import { planApplication, refuseAtOnce } from './plan-application.ts'
import { EVERYTHING, refuseOperation, refuseUnmerged } from './target.ts'
import { describeChange } from './undo.ts'
import { type Applying, writeApplication } from './write-application.ts'

export interface Picking extends Omit<Applying, 'order'> {
  readonly order: PickOrder
}

/** What a pick and the taking back of one have in common. */
type Moving = Omit<Applying, 'order'> & {
  readonly order: Pick<PickOrder, 'task' | 'base' | 'target' | 'isStopped'>
}

/** See `Applications.pick`. */
export async function pickResult(git: Git, picking: Picking): Promise<PickOutcome> {
  const { order } = picking
  const { target } = order
  return await prepared(picking, async scratch => {
    const place = placeOf(target)
    const commit = await replayOnto(git, place, order, target.head)
    reach('pick.committed')
    const branch = await findBranch(git, target)
    const move = { from: target.head, commit, branch }
    const moved = await moveTo(git, picking, move, scratch, 'pick')
    if (moved === null) return { kind: 'in_place' }
    const commits = await countCommits(git, place, move)
    return { kind: 'picked', ...move, commits, ...moved }
  })
}

/** See `Applications.unpick`. */
export async function takeBackPick(
  git: Git,
  picking: Omit<Picking, 'order'> & { readonly order: UnpickOrder },
): Promise<readonly FileChange[]> {
  const { from, commit } = picking.order.head
  refuseMoved(picking.order.target, commit)
  return await prepared(picking, async scratch => {
    const move = { from: commit, commit: from }
    const moved = await moveTo(git, picking, move, scratch, 'pick --undo')
    return moved?.files ?? []
  })
}

/** `work` in a private directory of its own. */
async function prepared<T>(
  { order: { task, target }, directoryOf }: Moving,
  work: (scratch: string) => Promise<T>,
): Promise<T> {
  const directory = directoryOf(task)
  refuseOperation(target)
  const scratch = clearScratch(directory, target.place.root)
  clearExchangeDirectory(target, directory)
  mkdirSync(scratch, { mode: 0o700 })
  try {
    return await work(scratch)
  } catch (error) {
    throw explained(error, target)
  } finally {
    clearScratch(directory, target.place.root)
  }
}

/** HEAD, index and files to a commit; null: they have all of it. */
async function moveTo(
  git: Git,
  moving: Moving,
  move: HeadMove,
  scratch: string,
  reason: 'pick' | 'pick --undo',
): Promise<{ readonly files: readonly FileChange[]; readonly hasStaged: boolean } | null> {
  const { order } = moving
  const { target } = order
  const place = placeOf(target)
  const { from, commit } = move
  const delta = await readDelta(git, place, ['diff-tree', '-r'], [from, commit])
  if (delta.size === 0) return null
  const merge = { place, before: from, after: commit, delta, conflicts: [], untracked: [] }
  refuseAtOnce(merge, target.place.root)
  const hasStaged = await refuseDirty(git, order, delta, scratch)
  const plan = await planApplication(git, merge, target, scratch)
  await writeApplication(git, moving, plan, move, reason)
  const files = plan.changes.map(({ path, before, after }) => describeChange(path, before, after))
  return { files, hasStaged }
}

/** Refuses where a path that is to change has changes already. Whether anything else is staged. */
async function refuseDirty(
  git: Git,
  { task, target }: Moving['order'],
  delta: RawDelta,
  scratch: string,
): Promise<boolean> {
  const { status } = await readSource(git, target, EVERYTHING, scratch, () => undefined)
  refuseUnmerged(status)
  refuseMoved(target, status.head)
  const above = new Set([...delta.keys()].flatMap(directoriesAbove))
  const isTouched = (path: BytePath) =>
    delta.has(path) || above.has(path) || directoriesAbove(path).some(one => delta.has(one))
  const dirty = status.entries.filter(({ path }) => isTouched(path))
  if (dirty.length === 0) return status.entries.some(isStaged)
  const named = dirty.slice(0, 5).map(entry => `${shownPath(entry.path)} (${describeDirt(entry)})`)
  const more = dirty.length > named.length ? ` and ${dirty.length - named.length} more` : ''
  throw new AppError(
    'refused_in_state',
    `nothing was picked: you have changes of your own in ${named.join(', ')}${more}`,
    {
      hint: `commit or stash them first; into the files as they are: holdfast apply ${task}; if that is what is there: holdfast apply --undo ${task}`,
    },
  )
}

function refuseMoved({ head, place }: Checkout, now: CommitId | null): void {
  if (now === head) return
  throw new AppError('changed_since', `HEAD of ${place.root} moved meanwhile`, {
    hint: 'try again',
  })
}

const isStaged = (entry: StatusEntry) => entry.kind === 'tracked' && entry.staged !== '.'

function describeDirt(entry: StatusEntry): string {
  if (entry.kind !== 'tracked') return entry.kind
  return entry.staged === '.' ? 'not staged' : 'staged'
}

async function countCommits(git: Git, place: GitPlace, { from, commit }: HeadMove) {
  const counted = await git.run(['rev-list', '--count', `${from}..${commit}`], { place })
  return Number(counted.stdout.toString('latin1'))
}
