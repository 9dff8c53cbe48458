/** A base with the caller's uncommitted changes, staged and unstaged kept apart. */
import { reach } from '../../domain/crash-points.ts'
import { AppError } from '../../domain/errors.ts'
import type { Base } from '../../domain/task.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { refuseTooLarge, shownSize } from '../capture/bounds.ts'
import { presentPaths, type StartedCapture, startCapture, withCapture } from '../capture/capture.ts'
import type { Change } from '../capture/change.ts'
import { refOf } from '../capture/refs.ts'
import { readSourceChanges } from '../capture/source-changes.ts'
import { placeOf, readSource, type SourceReport } from '../capture/source-status.ts'
import {
  type CaptureSubmodule,
  captureSubmodules,
  headsOf,
  makeBase,
} from '../capture/submodules.ts'
import { describeTraits, NO_TRAITS, type Traits } from '../capture/traits.ts'
import { shownPath } from '../files/paths.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { describeOperations } from '../git/operations.ts'
import {
  clearHiddenFlags,
  copyIndex,
  type HiddenPaths,
  type PrivateIndex,
} from '../git/private-index.ts'
import type { BaseCapture } from './base.ts'
import { commitBase } from './base-commits.ts'

/** Left free for the record of the task itself, whatever the estimate says. */
const SPARE_BYTES = 16 * 1024 * 1024

/** Two spawns for a clean checkout, both at once. */
export async function captureHead(
  git: Git,
  capture: BaseCapture,
  captureSubmodule: CaptureSubmodule,
): Promise<Base> {
  const { checkout, order, scratch, owner, as } = capture
  const { commonDir } = checkout.place
  // What every capture needs is started at the first change that git tells of.
  let started: StartedCapture | undefined
  const start = () => {
    started ??= startCapture(git, placeOf(checkout), { gitDir: commonDir })
    return started
  }
  const surveying = readSource(git, checkout, order, scratch, start)
  // Held at once, beside the look at the files: for a clean checkout this is all there is to do.
  const holding = git.run(['update-ref', refOf(owner, as), checkout.head], {
    place: { gitDir: commonDir },
  })
  await Promise.allSettled([surveying, holding])
  reach('base.looked-at')
  try {
    await holding
    return await captureChanges(git, capture, captureSubmodule, await surveying, start)
  } finally {
    // Nothing, once it has finished; but what was refused has not.
    await started?.abort()
  }
}

async function captureChanges(
  git: Git,
  capture: BaseCapture,
  captureSubmodule: CaptureSubmodule,
  report: SourceReport,
  start: () => StartedCapture,
): Promise<Base> {
  const { checkout, scratch, order, owner, as, now, freeBytes } = capture
  const { place, head, objectFormat: format } = checkout
  const { status, hidden, flagged, sparse, gitlinks } = report
  if (status.head !== head) {
    throw new AppError('capture_failed', 'HEAD moved while the working files were looked at', {
      hint: 'try again',
    })
  }
  const paths = capture.withoutSubmodules === true ? [] : gitlinks
  const inner = await captureSubmodules(git, checkout, paths, () => order, captureSubmodule)
  const heads = headsOf(inner.submodules)
  const found = await readSourceChanges(git, placeOf(checkout), report, format, heads)
  const nested = found.changes.map(({ path }) => path).filter(path => path.endsWith('/'))
  const seen: Traits = { ...NO_TRAITS, ...found, ...hidden, sparse, nested }
  const notes = [
    ...found.intendedAndGone.map(path => `${shownPath(path)}: not taken: an intent to add no file`),
    ...status.warnings,
    ...describeOperations(checkout.gitDir),
    ...inner.leftOut,
  ]
  if (status.entries.length === 0 && describeTraits(seen).size === 0) {
    const nothing = { snapshot: head, staged: null, traits: null, ...found.counts }
    return makeBase(head, notes.length === 0 ? null : { ...nothing, leftOut: notes }, inner)
  }
  const started = start()
  started.conversions.ask(presentPaths(found.changes))
  const bytes = refuseTooLarge(place.root, found.changes, status.stopped, order)
  if (freeBytes(place.commonDir) < bytes + SPARE_BYTES) {
    throw new AppError(
      'no_space',
      `taking ${shownSize(bytes)} of changes needs more space than is free at ${place.commonDir}`,
      { hint: 'free some space there, or leave the changes: --changes none' },
    )
  }

  const target: GitPlace = { gitDir: place.commonDir }
  using index = lazyIndex(git, checkout, scratch, flagged, found.changes)
  const source = { place: index.place, root: place.root, format, provingIn: scratch }
  return await withCapture(git, started, source, found.changes, async ({ importer, ...taken }) => {
    reach('base.blobs-given')
    const leftOut = [...taken.leftOut, ...notes]
    const { verbatim, converted, unchecked, delta: working } = taken
    const traits = { ...seen, verbatim, converted, unchecked }
    const { staged, counts } = found
    const size = working.size + staged.size + leftOut.length + describeTraits(traits).size
    if (size === 0) {
      await importer.finish()
      return makeBase(head, null, inner)
    }
    const content = { owner, as, commit: head, format, now, staged, working, traits }
    const made = await commitBase(git, target, importer, content)
    return makeBase(head, { ...made, ...counts, leftOut }, inner)
  })
}

/** A private index in which no flag keeps git from a changed file; nearly always nobody asks. */
function lazyIndex(
  git: Git,
  checkout: Checkout,
  scratch: string,
  flagged: HiddenPaths,
  changes: readonly Change[],
): Disposable & { place(): Promise<GitPlace> } {
  let index: PrivateIndex | undefined
  let cleared: Promise<GitPlace> | undefined
  const copy = async () => {
    index = copyIndex(checkout.gitDir, scratch)
    const place = { ...placeOf(checkout), indexFile: index.file }
    const changed = new Set(changes.map(({ path }) => path))
    await clearHiddenFlags(git, place, index, {
      ...flagged,
      skipped: flagged.skipped.filter(path => changed.has(path)),
      assumed: flagged.assumed.filter(path => changed.has(path)),
    })
    return place
  }
  return {
    place() {
      cleared ??= copy()
      return cleared
    },
    [Symbol.dispose]: () => index?.[Symbol.dispose](),
  }
}
