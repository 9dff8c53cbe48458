/** `git status --porcelain=v2 -z`, parsed as it streams. */
import { type CommitId, parseCommitId } from '../../domain/ids.ts'
import { type BytePath, parsePath } from '../files/paths.ts'
import { type Git, GitError, type GitPlace } from './git.ts'

/** What a tree or an index has at a path. `mode` as git writes it, six octal digits. */
export interface TreeEntry {
  readonly mode: string
  readonly object: string
}

export const GITLINK = '160000'

export type StatusEntry =
  | {
      readonly kind: 'tracked'
      readonly path: BytePath
      /** HEAD → index, one letter; `.`: equal. */
      readonly staged: string
      /** Index → working tree, one letter; `.`: equal. */
      readonly unstaged: string
      readonly submodule: boolean
      readonly head: TreeEntry | null
      readonly index: TreeEntry | null
      /** As git saw it on disk, with `core.fileMode` respected. */
      readonly diskMode: string
    }
  | {
      readonly kind: 'unmerged'
      readonly path: BytePath
      readonly submodule: boolean
      /** What the index has of it: the common ancestor's, ours and theirs, where there is one. */
      readonly stages: readonly (TreeEntry | null)[]
    }
  | { readonly kind: 'untracked' | 'ignored'; readonly path: BytePath }

export interface StatusReport {
  /** The commit that git compared with; null: none yet. */
  readonly head: CommitId | null
  readonly entries: readonly StatusEntry[]
  /** What git could not look into, in its own words. */
  readonly warnings: readonly string[]
  /** True: it was stopped at the limit, and `entries` is only the beginning. */
  readonly stopped: boolean
}

export interface StatusOptions {
  /**
   * `heads`: what they stand on. `ignored`: not even that. Never what is inside of them: git would
   * start itself there, under a configuration that an agent could have written.
   */
  readonly submodules: 'heads' | 'ignored'
  readonly untrackedFiles: boolean
  /** `collapsed`: a directory that a pattern names is one entry, whatever is in it. */
  readonly ignoredFiles: boolean | 'collapsed'
  /** Stops after so many entries that are more than a deletion. */
  readonly limit: number
  /** Called at each entry, as it arrives: git itself may not have ended yet. */
  readonly onEntry?: () => void
  readonly config?: Readonly<Record<string, string>>
}

export async function readStatus(
  git: Git,
  place: GitPlace,
  options: StatusOptions,
): Promise<StatusReport> {
  const process = git.start(
    [
      'status',
      '--porcelain=v2',
      '-z',
      '--branch',
      '--no-ahead-behind',
      `--untracked-files=${options.untrackedFiles ? 'all' : 'no'}`,
      '--no-renames',
      `--ignored=${ignoredMode(options.ignoredFiles)}`,
      `--ignore-submodules=${options.submodules === 'heads' ? 'dirty' : 'all'}`,
    ],
    options.config === undefined ? { place } : { place, config: options.config },
  )
  process.stdin?.end()
  const entries: StatusEntry[] = []
  let head: CommitId | null = null
  let counted = 0
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of process.stdout ?? []) {
    const data: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let start = 0
    for (let end = data.indexOf(0); end !== -1; end = data.indexOf(0, start)) {
      const record = data.subarray(start, end)
      start = end + 1
      const text = record.toString('latin1')
      if (text.startsWith('# branch.oid ')) head = parseCommitId(text.slice(13)) ?? null
      const entry = parseRecord(record, text)
      if (entry === undefined) continue
      entries.push(entry)
      options.onEntry?.()
      if (!isDeletion(entry) && ++counted > options.limit) {
        process.kill()
        // Nobody reads the rest; while there is any, its end would not be told.
        process.stdout?.destroy()
        // It died of our own signal.
        await process.ended.catch(() => undefined)
        return { head, entries, warnings: [], stopped: true }
      }
    }
    rest = data.subarray(start)
  }
  const { stderr } = await process.ended
  const warnings = stderr.split('\n').filter(line => line.startsWith('warning: could not open'))
  return { head, entries, warnings, stopped: false }
}

function ignoredMode(wish: StatusOptions['ignoredFiles']): string {
  if (wish === 'collapsed') return 'matching'
  return wish ? 'traditional' : 'no'
}

/**
 * The same where the files are what counts: a filter that the user's configuration requires, and
 * that fails, is done without. Its files then look changed.
 */
export async function readStatusDespiteFilters(
  git: Git,
  place: GitPlace,
  options: StatusOptions,
): Promise<StatusReport> {
  const config: Record<string, string> = {}
  for (;;) {
    try {
      return await readStatus(git, place, { ...options, config })
    } catch (error) {
      const said = error instanceof GitError ? error.stderr : ''
      const key = `filter.${/: clean filter '(.*)' failed$/m.exec(said)?.[1]}.required`
      if (!said.includes('clean filter') || key in config) throw error
      config[key] = 'false'
    }
  }
}

/** Whether the path is gone from the working tree, as far as this entry says. */
export function isDeletion(entry: StatusEntry): boolean {
  if (entry.kind !== 'tracked') return false
  return entry.unstaged === 'D' || (entry.staged === 'D' && entry.unstaged === '.')
}

/** The record's header has a fixed number of fields; the path is the rest, spaces and all. */
function parseRecord(record: Buffer, text: string): StatusEntry | undefined {
  switch (text[0]) {
    case '1': {
      const [, letters = '', sub = '', head, index, disk, headId, indexId] = text.split(' ', 8)
      return {
        kind: 'tracked',
        path: parsePath(record.subarray(fieldsEnd(text, 8))),
        staged: letters.charAt(0),
        unstaged: letters.charAt(1),
        submodule: sub.startsWith('S'),
        head: treeEntry(head, headId),
        index: treeEntry(index, indexId),
        diskMode: disk ?? '',
      }
    }
    case 'u': {
      const [, , sub = '', ...fields] = text.split(' ', 10)
      return {
        kind: 'unmerged',
        path: parsePath(record.subarray(fieldsEnd(text, 10))),
        submodule: sub.startsWith('S'),
        // Three modes, the mode on disk, three ids.
        stages: [0, 1, 2].map(n => treeEntry(fields[n], fields[n + 4])),
      }
    }
    case '?':
      return { kind: 'untracked', path: parsePath(record.subarray(2)) }
    case '!':
      return { kind: 'ignored', path: parsePath(record.subarray(2)) }
    default:
      return undefined
  }
}

function fieldsEnd(text: string, count: number): number {
  let at = 0
  for (let n = 0; n < count; n++) at = text.indexOf(' ', at) + 1
  return at
}

export function treeEntry(mode = '000000', object = ''): TreeEntry | null {
  return mode === '000000' ? null : { mode, object }
}

export function sameEntry(a: TreeEntry | null, b: TreeEntry | null): boolean {
  return a?.mode === b?.mode && a?.object === b?.object
}
