/**
 * What trees cannot say of a checkout: conflicts, intents to add, flags that hide edits, bytes that
 * a checkout does not give. It is kept as a commit beside the base's others, one file for each kind
 * in the form that git reads it in, and set again in the new worktree: the agent sees what the
 * caller saw.
 */
import type { Base } from '../../domain/task.ts'
import { blobId, type ObjectFormat } from '../files/contents.ts'
import { type BytePath, joinPaths, parsePath } from '../files/paths.ts'
import { splitAtNul } from '../git/conversion.ts'
import type { FastImport } from '../git/fast-import.ts'
import type { Git, GitPlace } from '../git/git.ts'
import type { Settings } from '../git/settings.ts'
import type { SparseRules } from '../git/sparse.ts'
import { GITLINK, type TreeEntry } from '../git/status.ts'
import type { RawDelta } from './read-back.ts'
import { writeVerbatim } from './verbatim.ts'

export interface Conflict {
  readonly path: BytePath
  /** The common ancestor's, ours and theirs, where there is one. */
  readonly stages: readonly (TreeEntry | null)[]
}

export interface Traits {
  readonly conflicts: readonly Conflict[]
  /** `git add --intent-to-add`. */
  readonly intended: readonly BytePath[]
  /** `git update-index --skip-worktree`, but for what a sparse checkout leaves out. */
  readonly skipped: readonly BytePath[]
  /** `git update-index --assume-unchanged`. */
  readonly assumed: readonly BytePath[]
  /** See `verbatim.ts`. */
  readonly verbatim: ReadonlyMap<BytePath, string>
  /** All other changed files are stored with the very bytes that they have on disk. */
  readonly converted: readonly BytePath[]
  /** Null: it is not sparse. */
  readonly sparse: SparseRules | null
  /** Changed in the index alone: a sparse checkout has left them out. */
  readonly unchecked: readonly BytePath[]
  /** Repositories that are no submodules: they are not an agent's, if they are there later. */
  readonly nested: readonly BytePath[]
}

export const NO_TRAITS: Traits = {
  conflicts: [],
  intended: [],
  skipped: [],
  assumed: [],
  verbatim: new Map(),
  converted: [],
  sparse: null,
  unchecked: [],
  nested: [],
}

/** What there is to write down; empty: trees say it all. */
export function describeTraits(state: Traits): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  const add = (name: string, content: Buffer) => {
    if (content.length > 0) files.set(name, content)
  }
  add('conflicts', Buffer.from(state.conflicts.map(describeConflict).join(''), 'latin1'))
  add('intended', joinPaths(state.intended))
  add('skipped', joinPaths(state.skipped))
  add('assumed', joinPaths(state.assumed))
  const verbatim = [...state.verbatim].map(([path, object]) => `${object}\t${path}\0`)
  add('converted', joinPaths(state.converted))
  add('unchecked', joinPaths(state.unchecked))
  add('nested', joinPaths(state.nested))
  add('verbatim', Buffer.from(verbatim.join(''), 'latin1'))
  if (state.sparse !== null) {
    files.set('sparse-checkout', state.sparse.patterns)
    files.set('sparse-config', Buffer.from(JSON.stringify(state.sparse.config)))
  }
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

/** Gives the importer the blobs, and back what the commit has: also what nothing else holds. */
export async function storeTraits(
  importer: FastImport,
  format: ObjectFormat,
  files: ReadonlyMap<string, Buffer>,
  { conflicts, verbatim }: Traits,
): Promise<Map<BytePath, TreeEntry>> {
  const entries = new Map<BytePath, TreeEntry>()
  for (const [name, content] of files) {
    await importer.blob(content)
    entries.set(name as BytePath, { mode: '100644', object: blobId(content, format) })
  }
  const staged = conflicts.flatMap(({ stages }) => stages.map(heldObject))
  for (const object of new Set([...staged, ...verbatim.values()])) {
    if (object !== null) entries.set(`held/${object}` as BytePath, { mode: '100644', object })
  }
  return entries
}

/** A submodule's commit is in another repository. */
function heldObject(stage: TreeEntry | null): string | null {
  return stage === null || stage.mode === GITLINK ? null : stage.object
}

/** What there is of them, by name. */
export type TraitFiles = ReadonlyMap<string, Buffer>

/** The paths in one of the files that are lists of them. */
export function pathsIn(files: TraitFiles, name: string): ReadonlySet<BytePath> {
  return new Set(splitAtNul(files.get(name) ?? NOTHING).map(parsePath))
}

export function sparseRulesIn(files: TraitFiles): SparseRules | null {
  const patterns = files.get('sparse-checkout')
  const config = files.get('sparse-config')
  if (patterns === undefined || config === undefined) return null
  return { patterns, config: JSON.parse(config.toString()) }
}

/** Gives a worktree, whose files and trees are in place, what a checkout has not given it. */
export async function restoreTraits(
  git: Git,
  place: GitPlace & { workTree: string },
  files: TraitFiles,
  delta: () => Promise<RawDelta>,
  settings: () => Promise<Settings>,
): Promise<void> {
  const apply = async (name: string, command: readonly string[]) => {
    const input = files.get(name)
    // Git 2.39 crashes when it intends to add a file to a directory that its index has folded.
    const config = { 'index.sparse': 'false' }
    if (input !== undefined) await git.run(command, { place, input, config })
  }
  await apply('conflicts', ['update-index', '-z', '--index-info'])
  // By force: an ignored file may be meant to be added, or one beyond the rules of a sparse checkout.
  await apply('intended', [
    '--literal-pathspecs',
    'add',
    '--intent-to-add',
    '--force',
    '--sparse',
    '--pathspec-from-file=-',
    '--pathspec-file-nul',
  ])
  const verbatim = parseVerbatim(files.get('verbatim'))
  if ((await settings()).crlfOnCheckout) {
    const converted = pathsIn(files, 'converted')
    for (const [path, { after }] of await delta()) {
      if (after === null || converted.has(path) || verbatim.has(path)) continue
      verbatim.set(path, after.object)
    }
  }
  if (await writeVerbatim(git, place, verbatim)) {
    // What is changed or in conflict anyway is no news.
    await git.run(['update-index', '-q', '--unmerged', '--refresh'], { place, answers: [1] })
  }
  // Last, and in two calls: given both options, git obeys only the last.
  await apply('skipped', ['update-index', '--skip-worktree', '-z', '--stdin'])
  await apply('assumed', ['update-index', '--assume-unchanged', '-z', '--stdin'])
}

const NOTHING = Buffer.alloc(0)

function parseVerbatim(file: Buffer = NOTHING): Map<BytePath, string> {
  const records = splitAtNul(file).map(record => {
    const tab = record.indexOf('\t')
    return [parsePath(record.subarray(tab + 1)), record.toString('latin1', 0, tab)] as const
  })
  return new Map(records)
}

export async function readTraits(git: Git, place: GitPlace, base: Base): Promise<TraitFiles> {
  const commit = base.changes?.traits
  // An older Holdfast wrote none.
  if (commit === null || commit === undefined) return new Map()
  const { stdout } = await git.run(['ls-tree', '-z', commit], { place })
  const files = new Map<string, Buffer>()
  for (const record of splitAtNul(stdout)) {
    const [about = '', name = ''] = record.toString('latin1').split('\t')
    const [, type, object = ''] = about.split(' ')
    if (type !== 'blob') continue
    files.set(name, (await git.run(['cat-file', 'blob', object], { place })).stdout)
  }
  return files
}
