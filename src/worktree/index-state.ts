/**
 * What a tree cannot say of an index: conflicts, intents to add, and the flags that hide edits. It
 * is kept as a commit beside the base's others, one file for each kind in the form that git reads
 * it in, and set again in the new worktree's index: the agent sees what the caller saw.
 */
import { blobId, type ObjectFormat } from './contents.ts'
import { splitAtNul } from './conversion.ts'
import type { FastImport } from './fast-import.ts'
import type { Git, GitPlace } from './git.ts'
import { type BytePath, joinPaths } from './paths.ts'
import { GITLINK, type TreeEntry } from './status.ts'

export interface Conflict {
  readonly path: BytePath
  /** The common ancestor's, ours and theirs, where there is one. */
  readonly stages: readonly (TreeEntry | null)[]
}

export interface IndexState {
  readonly conflicts: readonly Conflict[]
  /** `git add --intent-to-add`. */
  readonly intended: readonly BytePath[]
  /** `git update-index --skip-worktree`, but for what a sparse checkout leaves out. */
  readonly skipped: readonly BytePath[]
  /** `git update-index --assume-unchanged`. */
  readonly assumed: readonly BytePath[]
}

/** What of an index state there is to write down; empty: a tree says it all. */
export function describeIndexState(state: IndexState): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  const add = (name: string, content: Buffer) => {
    if (content.length > 0) files.set(name, content)
  }
  add('conflicts', Buffer.from(state.conflicts.map(describeConflict).join(''), 'latin1'))
  add('intended', joinPaths(state.intended))
  add('skipped', joinPaths(state.skipped))
  add('assumed', joinPaths(state.assumed))
  return files
}

/** Mode 0 first: the path is taken out with whatever it was. */
function describeConflict({ path, stages }: Conflict): string {
  const none = '0'.repeat(stages.find(stage => stage !== null)?.object.length ?? 40)
  const lines = stages.flatMap((stage, n) =>
    stage === null ? [] : [`${stage.mode} ${stage.object} ${n + 1}\t${path}\0`],
  )
  return [`0 ${none}\t${path}\0`, ...lines].join('')
}

/** Gives the importer the blobs, and back what the commit has: also what only the index held. */
export async function storeIndexState(
  importer: FastImport,
  format: ObjectFormat,
  files: ReadonlyMap<string, Buffer>,
  conflicts: readonly Conflict[],
): Promise<Map<BytePath, TreeEntry>> {
  const entries = new Map<BytePath, TreeEntry>()
  for (const [name, content] of files) {
    await importer.blob(content)
    entries.set(name as BytePath, { mode: '100644', object: blobId(content, format) })
  }
  const held = new Set(conflicts.flatMap(({ stages }) => stages.map(heldObject)))
  for (const object of held) {
    if (object !== null) entries.set(`held/${object}` as BytePath, { mode: '100644', object })
  }
  return entries
}

/** A submodule's commit is in another repository. */
function heldObject(stage: TreeEntry | null): string | null {
  return stage === null || stage.mode === GITLINK ? null : stage.object
}

/** Sets it in the index of a worktree whose files and trees are in place. */
export async function restoreIndexState(git: Git, place: GitPlace, commit: string): Promise<void> {
  const files = await readIndexState(git, place, commit)
  const apply = async (name: string, command: readonly string[]) => {
    const input = files.get(name)
    if (input !== undefined) await git.run(command, { place, input })
  }
  await apply('conflicts', ['update-index', '-z', '--index-info'])
  // By force: an ignored file may be meant to be added.
  await apply('intended', [
    '--literal-pathspecs',
    'add',
    '--intent-to-add',
    '--force',
    '--pathspec-from-file=-',
    '--pathspec-file-nul',
  ])
  // In two calls: given both options, git obeys only the last.
  await apply('skipped', ['update-index', '--skip-worktree', '-z', '--stdin'])
  await apply('assumed', ['update-index', '--assume-unchanged', '-z', '--stdin'])
}

async function readIndexState(
  git: Git,
  place: GitPlace,
  commit: string,
): Promise<ReadonlyMap<string, Buffer>> {
  const listed = await git.run(['ls-tree', '-z', commit], { place })
  const files = new Map<string, Buffer>()
  for (const record of splitAtNul(listed.stdout)) {
    const [about = '', name = ''] = record.toString('latin1').split('\t')
    const [, type, object = ''] = about.split(' ')
    if (type !== 'blob') continue
    files.set(name, (await git.run(['cat-file', 'blob', object], { place })).stdout)
  }
  return files
}
