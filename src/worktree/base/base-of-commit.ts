/** A base without changes: a commit, the rules of the checkout, and submodules as it names them. */
import type { CommitId } from '../../domain/ids.ts'
import type { Base } from '../../domain/task.ts'
import type { CaptureOrder } from '../../ports/worktrees.ts'
import type { Delta } from '../capture/capture.ts'
import { refOf } from '../capture/refs.ts'
import { placeOf, readGitlinks } from '../capture/source-status.ts'
import {
  type CapturedSubmodules,
  type CaptureSubmodule,
  captureSubmodules,
  makeBase,
  readGitlinksOf,
} from '../capture/submodules.ts'
import { NO_TRAITS } from '../capture/traits.ts'
import type { BytePath } from '../files/paths.ts'
import { startFastImport } from '../git/fast-import.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { readSparseRules } from '../git/sparse.ts'
import type { BaseCapture } from './base.ts'
import { commitBase } from './base-commits.ts'

const NONE: Delta = new Map()

/** Nearly always one spawn. */
export async function captureCommit(
  git: Git,
  capture: BaseCapture,
  commit: CommitId,
  captureSubmodule: CaptureSubmodule,
): Promise<Base> {
  const { checkout, owner, as, now } = capture
  const { commonDir } = checkout.place
  const place: GitPlace = { gitDir: commonDir }
  const found = await captureNamed(git, capture, commit, captureSubmodule)
  const sparse = await readSparseRules(git, placeOf(checkout))
  const counts = { modified: 0, untracked: 0, deleted: 0 }
  const changes = { ...counts, leftOut: found.leftOut }
  if (sparse === null) {
    await git.run(['update-ref', refOf(owner, as), commit], { place })
    const none = { snapshot: commit, staged: null, traits: null }
    return makeBase(commit, found.leftOut.length === 0 ? null : { ...none, ...changes }, found)
  }
  const { objectFormat: format } = checkout
  const traits = { ...NO_TRAITS, sparse }
  const content = { owner, as, commit, format, now, staged: NONE, working: NONE, traits }
  const made = await commitBase(git, place, startFastImport(git, place), content)
  return makeBase(commit, { ...made, ...changes }, found)
}

/** Those that are populated, where another commit than the checkout's own is asked for. */
async function captureNamed(
  git: Git,
  { checkout, order, scratch }: BaseCapture,
  commit: CommitId,
  captureSubmodule: CaptureSubmodule,
): Promise<CapturedSubmodules> {
  const paths = await readGitlinks(git, checkout, scratch)
  if (paths.length === 0) return { submodules: [], leftOut: [] }
  const named = await readGitlinksOf(git, { gitDir: checkout.place.commonDir }, commit)
  const orderOf = (path: BytePath): CaptureOrder | undefined => {
    const revision = named.get(path)
    return revision === undefined ? undefined : { ...order, changes: 'none', revision }
  }
  return await captureSubmodules(git, checkout, paths, orderOf, captureSubmodule)
}
