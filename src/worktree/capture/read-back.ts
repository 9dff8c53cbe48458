/** What git says it stored, to be compared with what was read from disk. */
import { AppError } from '../../domain/errors.ts'
import type { CommitId } from '../../domain/ids.ts'
import { type BytePath, parsePath, shownPath } from '../files/paths.ts'
import { splitAtNul } from '../git/conversion.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { sameEntry, type TreeEntry, treeEntry } from '../git/status.ts'
import type { Delta } from './capture.ts'

/** A commit, and what it should have against its parent. */
export interface Stored {
  readonly commit: CommitId
  /** Null: it has none. */
  readonly parent: CommitId | null
  readonly delta: Delta
}

const RAW = ['-z', '--no-renames', '--ignore-submodules=none']

/**
 * Reads back what the commits have against their parents, and refuses with `capture_failed` unless
 * it is exactly what they should. One spawn, which starts while the commits are still being made.
 */
export async function verifyCommits(
  git: Git,
  place: GitPlace,
  storing: Promise<readonly Stored[]>,
): Promise<void> {
  const process = git.start(['diff-tree', '--stdin', '-r', '--root', ...RAW], { place })
  const chunks: Buffer[] = []
  process.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  try {
    const stored = await storing
    const lines = stored.map(({ commit, parent }) => `${commit} ${parent ?? ''}`.trimEnd())
    process.stdin?.end(lines.map(line => `${line}\n`).join(''))
    await process.ended
    const deltas = parseDeltas(Buffer.concat(chunks))
    const wrong = stored.flatMap(({ commit, delta }) =>
      differences(deltas.get(commit) ?? new Map(), delta),
    )
    if (wrong.length === 0) return
    throw new AppError(
      'capture_failed',
      `the snapshot does not hold what was read, at ${wrong.slice(0, 5).join(', ')}`,
      { hint: 'something else writes to the repository; try again' },
    )
  } catch (error) {
    process.kill()
    // It died of our own signal, or of what is thrown here.
    await process.ended.catch(() => undefined)
    throw error
  }
}

function differences(actual: RawDelta, expected: Delta): string[] {
  const wrong: BytePath[] = []
  for (const [path, { after }] of actual) {
    const wanted = expected.get(path)
    if (wanted === undefined || !sameEntry(wanted, after)) wrong.push(path)
  }
  for (const path of expected.keys()) if (!actual.has(path)) wrong.push(path)
  return wrong.map(shownPath)
}

/** What was, and what is, at each path. */
export type RawDelta = Map<BytePath, { before: TreeEntry | null; after: TreeEntry | null }>

/** The delta that a `diff-index` finds. One spawn. */
export async function readDelta(
  git: Git,
  place: GitPlace,
  command: readonly string[],
  commits: readonly CommitId[],
): Promise<RawDelta> {
  const { stdout } = await git.run([...command, ...RAW, ...commits, '--'], { place })
  return parseDeltas(stdout).get('') ?? new Map()
}

/** By the commit that each belongs to; one that comes without a commit, by ''. */
function parseDeltas(output: Buffer): Map<string, RawDelta> {
  const deltas = new Map<string, RawDelta>()
  let commit = ''
  const fields = splitAtNul(output)
  for (let at = 0; at < fields.length; at++) {
    const text = fields[at]?.toString('latin1') ?? ''
    if (!text.startsWith(':')) {
      commit = text
      continue
    }
    // `:<mode> <mode> <id> <id> <letter>`, and in a field of its own the path.
    const [was, is, wasId, isId] = text.slice(1).split(' ')
    const path = fields[++at]
    if (path === undefined) break
    const delta: RawDelta = deltas.get(commit) ?? new Map()
    delta.set(parsePath(path), { before: treeEntry(was, wasId), after: treeEntry(is, isId) })
    deltas.set(commit, delta)
  }
  return deltas
}
