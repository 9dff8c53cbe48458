/**
 * Decides, file by file, what an application will do to the working files, and refuses where one is
 * not as the merge saw it, or something of the user's stands in the way. Writes to scratch alone.
 */
import { lstatSync } from 'node:fs'
import type { RefusalCode } from '../../domain/errors.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { makeNameLook } from '../files/names.ts'
import { type BytePath, parsePath, pathOnDisk, shownPath } from '../files/paths.ts'
import {
  describeObstacle,
  isObstacle,
  isProgram,
  looksSame,
  makeStandingLook,
  type Standing,
  type StandingLook,
  withProgramBit,
} from '../files/standing.ts'
import type { Git } from '../git/git.ts'
import { GITLINK, type TreeEntry } from '../git/status.ts'
import { isInExchangeDirectory } from './exchange-directory.ts'
import type { Merge } from './merge.ts'
import {
  directoriesAbove,
  type ExistingDirectory,
  type Ground,
  lookAbove,
  lookInside,
} from './obstacles.ts'
import { Refusals } from './refusals.ts'
import { findEdited, writeStage } from './stage.ts'

/** What a working file is, to the byte, and what it becomes; null: there is none. */
export interface PlannedChange {
  readonly path: BytePath
  readonly before: Standing | null
  readonly after: Standing | null
}

export interface Plan {
  readonly changes: readonly PlannedChange[]
  /** A directory with the new files, as git has written them. */
  readonly stage: string
  /** Directories that are missing, outermost first. */
  readonly made: readonly BytePath[]
  /** Directories that may become empty, and then go, as git has it; innermost first. */
  readonly emptied: readonly ExistingDirectory[]
}

/**
 * Refuses what no leave to write conflicts makes good: a change of a submodule, and a new file where
 * the user has another one that git does not know; and what would look like an application of ours.
 */
export function refuseAtOnce(merge: Merge, root: string): void {
  const refusals = new Refusals(root)
  for (const [path, { before, after }] of merge.delta) {
    if (before?.mode === GITLINK || after?.mode === GITLINK) {
      refusals.add('submodule_changed', path, 'the result changes a submodule')
    }
    if (after !== null && isInExchangeDirectory(path)) {
      refusals.add('in_the_way', path, 'apply itself keeps files under this name')
    }
  }
  for (const path of merge.untracked) {
    refusals.add('in_the_way', path, 'a file of yours that git does not know, with other content')
  }
  refusals.raise()
}

export async function planApplication(
  git: Git,
  merge: Merge,
  target: Checkout,
  scratch: string,
): Promise<Plan> {
  const { root, subdirectory } = target.place
  const refusals = new Refusals(root)
  const stage = await writeStage(git, merge, scratch)
  const leaving = new Set<BytePath>()
  for (const [path, { after }] of merge.delta) if (after === null) leaving.add(path)
  const ground: Ground = { root, leaving, isNamed: makeNameLook(root) }
  const looks: Looks = {
    here: makeStandingLook(root, target.objectFormat),
    staged: makeStandingLook(stage, target.objectFormat),
  }
  const made = new Set<BytePath>()
  const emptied = new Map<BytePath, ExistingDirectory>()
  const changes: PlannedChange[] = []
  const doubtful: { path: BytePath; object: string }[] = []

  for (const [path, entries] of merge.delta) {
    const planned = planChange(path, entries, ground, looks)
    if ('why' in planned) {
      refusals.add(planned.code, path, planned.why)
      continue
    }
    const { before, after } = planned
    if (planned.isDone) continue
    changes.push({ path, before, after })
    if (planned.isDoubtful) doubtful.push({ path, object: entries.before?.object ?? '' })
    for (const directory of planned.missing) made.add(directory)
    for (const directory of planned.inside) emptied.set(directory.path, directory)
  }
  for (const path of await findEdited(git, merge, scratch, doubtful)) {
    refusals.add('changed_since', path, 'it was edited meanwhile')
  }
  refusals.raise()

  const staying = new Set(
    changes.flatMap(({ path, after }) => (after === null ? [] : directoriesAbove(path))),
  )
  // Nobody's shell should find itself in a directory that is gone.
  const standsIn = parsePath(Buffer.from(`${subdirectory}/`))
  for (const directory of directoriesAbove(standsIn)) staying.add(directory)
  for (const { path, after } of changes) {
    if (after !== null) continue
    for (const directory of directoriesAbove(path)) {
      if (emptied.has(directory)) continue
      const { mode } = lstatSync(pathOnDisk(root, directory))
      emptied.set(directory, { path: directory, mode: mode & 0o777 })
    }
  }
  return {
    changes,
    stage,
    made: [...made].sort((a, b) => a.length - b.length),
    emptied: [...emptied.values()]
      .filter(({ path }) => !staying.has(path))
      .sort((a, b) => b.path.length - a.path.length),
  }
}

interface Looks {
  readonly here: StandingLook
  /** At what git has written. */
  readonly staged: StandingLook
}

type PlannedPath =
  | { readonly why: string; readonly code: RefusalCode }
  | (Omit<PlannedChange, 'path'> & {
      /** Nothing is left to do there. */
      readonly isDone: boolean
      /** Its bytes are not those of the blob that it was taken as: git may have converted them. */
      readonly isDoubtful: boolean
      readonly missing: readonly BytePath[]
      readonly inside: readonly ExistingDirectory[]
    })

function planChange(
  path: BytePath,
  entries: { readonly before: TreeEntry | null; readonly after: TreeEntry | null },
  ground: Ground,
  looks: Looks,
): PlannedPath {
  const before = looks.here(path)
  const staged = entries.after === null ? null : looks.staged(path)
  if (entries.after !== null && staged === null) {
    return { code: 'in_the_way', why: 'it is outside of the sparse checkout' }
  }
  if (isObstacle(staged)) {
    return { code: 'in_the_way', why: `git made ${describeObstacle(staged)} of it` }
  }

  const missing = lookAbove(ground, path)
  if (typeof missing === 'string') return { code: 'in_the_way', why: missing }
  const nothing = { isDoubtful: false, missing, inside: [] }
  if (entries.before === null) {
    if (looksSame(before, staged))
      return { before: staged, after: staged, isDone: true, ...nothing }
    if (before?.kind === 'directory') {
      const inside = lookInside(ground, path)
      if ('stays' in inside) {
        return { code: 'in_the_way', why: `a directory with ${shownPath(inside.stays)} in it` }
      }
      return { before: null, after: staged, isDone: false, ...nothing, inside }
    }
    // One that is removed first stands above, not here: whatever is here is unknown to git.
    if (before !== null) {
      const what = isObstacle(before)
        ? describeObstacle(before)
        : 'a file of yours that git ignores'
      return { code: 'in_the_way', why: `${what} stands there` }
    }
    return { before, after: staged, isDone: false, ...nothing }
  }
  // Git says that it is there; in a sparse checkout it need not be.
  if (before === null) {
    if (entries.after === null) return { before, after: null, isDone: true, ...nothing }
    return { code: 'changed_since', why: 'it was deleted meanwhile' }
  }
  if (isObstacle(before)) {
    return { code: 'in_the_way', why: `${describeObstacle(before)} stands there` }
  }
  const isDoubtful = before.object !== entries.before.object
  const after = staged === null ? null : keepPermissions(before, staged, entries)
  return { before, after, isDone: false, ...nothing, isDoubtful }
}

/** A file that stays a file is read by whoever could read it before. */
function keepPermissions(
  before: Standing,
  staged: Standing,
  entries: { readonly before: TreeEntry | null; readonly after: TreeEntry | null },
): Standing {
  if (before.kind !== 'file' || staged.kind !== 'file') return staged
  const isKept = entries.before?.mode === entries.after?.mode
  const mode = isKept ? before.mode : withProgramBit(before.mode, isProgram(staged.mode))
  return { ...staged, mode }
}
