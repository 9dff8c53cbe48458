/** Ignored files of a worktree that a hand-off does not take along: they are in no commit. */
import type { LeftBehind, SetUpTime, WorktreeRecord } from '../../ports/worktrees.ts'
import { cameFromSetUp } from '../files/came-from-set-up.ts'
import { shownPath } from '../files/paths.ts'
import type { Git } from '../git/git.ts'
import { ALL_IGNORED, listOthers } from '../make/included.ts'
import { outermost } from './ignored.ts'

/** As many as people read. */
const NAMED = 20

/** See `Worktrees.listLeftBehind`. */
export async function listLeftBehind(
  git: Git,
  { gitDir, commonDir, path: root }: WorktreeRecord,
  setUpAt: SetUpTime,
): Promise<LeftBehind> {
  const place = { gitDir, commonDir, workTree: root }
  const all = outermost(await listOthers(git, place, ALL_IGNORED))
  const own = all.filter(path => !cameFromSetUp(root, path, setUpAt))
  return { paths: own.slice(0, NAMED).map(shownPath), more: Math.max(0, own.length - NAMED) }
}
