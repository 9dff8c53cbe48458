/** What a status says has changed, in the terms of a capture. */
import type { CommitId } from '../../domain/ids.ts'
import { blobId, type ObjectFormat } from '../files/contents.ts'
import type { BytePath } from '../files/paths.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { GITLINK, isDeletion, type StatusEntry, type TreeEntry } from '../git/status.ts'
import type { Delta } from './capture.ts'
import type { Change } from './change.ts'
import { type RawDelta, readDelta } from './read-back.ts'
import type { SourceReport } from './source-status.ts'
import type { Conflict } from './traits.ts'

export interface SourceChanges {
  /** HEAD → working files. */
  readonly changes: readonly Change[]
  /** HEAD → index. */
  readonly staged: Delta
  readonly conflicts: readonly Conflict[]
  readonly intended: readonly BytePath[]
  /** Intended files that are gone from disk. */
  readonly intendedAndGone: readonly BytePath[]
  readonly counts: {
    readonly modified: number
    readonly untracked: number
    readonly deleted: number
  }
}

/** No spawn, but one where the status alone leaves open what HEAD has. */
export async function readSourceChanges(
  git: Git,
  place: GitPlace,
  { status, flagged, sparse }: SourceReport,
  format: ObjectFormat,
  submoduleHeads: ReadonlyMap<string, CommitId>,
): Promise<SourceChanges> {
  const empty = blobId(new Uint8Array(), format)
  const isOpen = (entry: StatusEntry) => entry.kind === 'unmerged' || mayBeIntended(entry, empty)
  const inHead: RawDelta =
    status.head !== null && status.entries.some(isOpen)
      ? await readDelta(git, place, ['diff-index', '--cached'], [status.head])
      : new Map()
  const headOf = (path: BytePath) => inHead.get(path)?.before ?? null

  const gitlinkAt = (path: BytePath, index: TreeEntry | null, isGitlink: boolean) => {
    if (!isGitlink) return null
    // One that does not come along stays what the index says.
    const commit = submoduleHeads.get(path) ?? (index?.mode === GITLINK ? index.object : undefined)
    return commit === undefined ? { refused: 'a change of a submodule' } : { commit }
  }
  const absent = new Set(sparse === null ? [] : flagged.skipped)
  const changes = new Map<BytePath, Change>()
  const staged = new Map<BytePath, TreeEntry | null>()
  const conflicts: Conflict[] = []
  const intended: BytePath[] = []
  const intendedAndGone: BytePath[] = []
  const counts = { modified: 0, untracked: 0, deleted: 0 }
  for (const entry of status.entries) {
    const { path } = entry
    if (entry.kind === 'tracked') {
      // Git says of these that HEAD has them, which it has not.
      if (mayBeIntended(entry, empty) && inHead.has(path) && headOf(path) === null) {
        intendedAndGone.push(path)
        continue
      }
      counts[isDeletion(entry) ? 'deleted' : 'modified']++
      if (entry.unstaged === 'A') intended.push(path)
      const modes = [entry.head?.mode, entry.index?.mode, entry.diskMode]
      changes.set(path, {
        path,
        before: entry.head,
        present: !isDeletion(entry),
        gitlink: gitlinkAt(path, entry.index, entry.submodule || modes.includes(GITLINK)),
        indexMode: entry.index?.mode ?? null,
        unchecked: absent.has(path) ? entry.index : null,
      })
      if (entry.staged !== '.') staged.set(path, entry.index)
    } else if (entry.kind === 'unmerged') {
      counts.modified++
      const { stages } = entry
      const isGitlink = entry.submodule || stages.some(stage => stage?.mode === GITLINK)
      const gitlink = gitlinkAt(path, stages[1] ?? null, isGitlink)
      const indexMode = stages[1]?.mode ?? stages[2]?.mode ?? null
      const before = headOf(path)
      changes.set(path, { path, before, present: true, gitlink, indexMode, unchecked: null })
      conflicts.push({ path, stages })
    } else if (entry.kind === 'untracked') {
      counts.untracked++
      // Staged for deletion, yet on disk: it comes twice.
      const before = changes.get(path)?.before ?? null
      const gitlink = changes.get(path)?.gitlink ?? null
      const untracked = { indexMode: null, unchecked: null }
      changes.set(path, { path, before, present: true, gitlink, ...untracked })
    }
  }
  return { changes: [...changes.values()], staged, conflicts, intended, intendedAndGone, counts }
}

/** Gone from disk, and with nothing in it: an intent to add looks the same. */
function mayBeIntended(entry: StatusEntry, empty: string): boolean {
  return (
    entry.kind === 'tracked' &&
    entry.staged === '.' &&
    entry.unstaged === 'D' &&
    entry.index?.object === empty
  )
}
