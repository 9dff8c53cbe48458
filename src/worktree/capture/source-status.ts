/** What git says of the caller's checkout, with the edits that its index hides. */
import { setImmediate } from 'node:timers/promises'
import { reach } from '../../domain/crash-points.ts'
import type { CaptureOrder, Checkout } from '../../ports/worktrees.ts'
import type { BytePath } from '../files/paths.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { isPlainIndex } from '../git/index-flags.ts'
import {
  clearHiddenFlags,
  copyIndex,
  type HiddenPaths,
  NOTHING_HIDDEN,
  readIndex,
  readIndexFacts,
} from '../git/private-index.ts'
import { readSparseRules, type SparseRules } from '../git/sparse.ts'
import { readStatus, type StatusReport } from '../git/status.ts'

export interface SourceReport {
  readonly status: StatusReport
  /** Edits of these git does not look for. */
  readonly hidden: HiddenPaths
  /** These have such a flag; in a sparse checkout it hides nothing. */
  readonly flagged: HiddenPaths
  /** Null: the checkout is not sparse. */
  readonly sparse: SparseRules | null
  /** The submodules that the index has. */
  readonly gitlinks: readonly BytePath[]
}

export function placeOf({ gitDir, place }: Checkout): GitPlace & { workTree: string } {
  return { gitDir, commonDir: place.commonDir, workTree: place.root }
}

/**
 * Nearly always an index hides nothing, so it is looked at beside the first status and not before
 * it. That one reads the original index, which git does not write to: it is told to take no
 * optional locks.
 */
export async function readSource(
  git: Git,
  checkout: Checkout,
  order: CaptureOrder,
  scratch: string,
  onEntry: () => void,
): Promise<SourceReport> {
  const place = placeOf(checkout)
  const options = {
    // What is inside of them is captured apart.
    submodules: 'heads',
    untrackedFiles: order.changes === 'all',
    ignoredFiles: false,
    limit: order.maxFiles,
    onEntry,
  } as const
  const reading = readStatus(git, place, options)
  // Awaited below, after a look at the index that itself may fail.
  reading.catch(() => undefined)
  // Git's own answer must have been started before this one: it is what takes the time.
  await setImmediate()
  const bytes = readIndex(checkout.gitDir)
  const sparse = await readSparseRules(git, place)
  if (bytes === undefined || isPlainIndex(bytes, checkout.objectFormat)) {
    return {
      status: await reading,
      hidden: NOTHING_HIDDEN,
      flagged: NOTHING_HIDDEN,
      sparse,
      gitlinks: [],
    }
  }

  const status = await reading
  using index = copyIndex(checkout.gitDir, scratch)
  reach('base.index-copied')
  const privately = { ...place, indexFile: index.file }
  const flagged = await readIndexFacts(git, privately)
  const gitlinks = [...flagged.gitlinks.keys()]
  const hidden = sparse === null ? flagged : { ...flagged, skipped: [] }
  const seen = { hidden, flagged, sparse, gitlinks }
  if (hidden.skipped.length + hidden.assumed.length === 0) return { status, ...seen }
  await clearHiddenFlags(git, privately, index, hidden)
  return { status: await readStatus(git, privately, options), ...seen }
}

/** The submodules that the index of a checkout has. One spawn, where there may be any. */
export async function readGitlinks(
  git: Git,
  checkout: Checkout,
  scratch: string,
): Promise<readonly BytePath[]> {
  const bytes = readIndex(checkout.gitDir)
  if (bytes === undefined || isPlainIndex(bytes, checkout.objectFormat)) return []
  using index = copyIndex(checkout.gitDir, scratch)
  const place = { ...placeOf(checkout), indexFile: index.file }
  return [...(await readIndexFacts(git, place)).gitlinks.keys()]
}
