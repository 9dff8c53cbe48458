/** What git says it stored, to be compared with what was read from disk. */
import { AppError } from '../domain/errors.ts'
import type { CommitId } from '../domain/ids.ts'
import type { Delta } from './capture.ts'
import { splitAtNul } from './conversion.ts'
import type { Git, GitPlace } from './git.ts'
import { type BytePath, parsePath, shownPath } from './paths.ts'
import { sameEntry, type TreeEntry, treeEntry } from './status.ts'

/**
 * Reads back what `commit` has against `parent`, and refuses with `capture_failed` unless it is
 * exactly `expected`. One spawn.
 */
export async function verifyCommit(
  git: Git,
  place: GitPlace,
  parent: CommitId,
  commit: CommitId,
  expected: Delta,
): Promise<void> {
  const actual = await readDelta(git, place, ['diff-tree', '-r'], [parent, commit])
  const wrong: string[] = []
  for (const [path, { after }] of actual) {
    const wanted = expected.get(path)
    if (wanted === undefined || !sameEntry(wanted, after)) wrong.push(shownPath(path))
  }
  for (const path of expected.keys()) if (!actual.has(path)) wrong.push(shownPath(path))
  if (wrong.length === 0) return
  throw new AppError(
    'capture_failed',
    `the snapshot does not hold what was read, at ${wrong.slice(0, 5).join(', ')}`,
    { hint: 'something else writes to the repository; try again' },
  )
}

/** The raw output of a `diff-tree` or `diff-index`: what was, and what is, at each path. */
export async function readDelta(
  git: Git,
  place: GitPlace,
  command: readonly string[],
  commits: readonly CommitId[],
): Promise<Map<BytePath, { before: TreeEntry | null; after: TreeEntry | null }>> {
  const args = [...command, '-z', '--no-renames', '--ignore-submodules=none', ...commits]
  const { stdout } = await git.run([...args, '--'], { place })
  const fields = splitAtNul(stdout)
  const delta = new Map<BytePath, { before: TreeEntry | null; after: TreeEntry | null }>()
  for (let at = 0; at + 1 < fields.length; at += 2) {
    // `:<mode> <mode> <id> <id> <letter>`
    const [was, is, wasId, isId] = (fields[at]?.toString('latin1') ?? '').slice(1).split(' ')
    const path = fields[at + 1]
    if (path === undefined) continue
    delta.set(parsePath(path), { before: treeEntry(was, wasId), after: treeEntry(is, isId) })
  }
  return delta
}
