/**
 * Files whose stored form is not their form on disk: line ends, filters, `$Id$`, encodings. Git
 * itself must make the stored form, or the delta of a CRLF file would be the whole file.
 */

import { type BytePath, joinPaths, parsePath } from '../files/paths.ts'
import { type Git, GitError, type GitPlace } from './git.ts'

/** What git may do to a file when it stores it. */
export interface Conversion {
  /** A filter, `$Id$` or an encoding: only git knows. */
  readonly always: boolean
  /** Line ends: git changes nothing in a file without CR LF. `autocrlf`: if that is configured. */
  readonly lineEnds: boolean | 'autocrlf'
  /** The line ends that a checkout gives it; null: as is configured. */
  readonly eol: 'lf' | 'crlf' | null
}

const NONE: Conversion = { always: false, lineEnds: false, eol: null }
const ATTRIBUTES = ['text', 'crlf', 'eol', 'filter', 'ident', 'working-tree-encoding']

/** A git that waits for paths, to say what it may do to them. */
export interface ConversionReader {
  /** Once, and as early as can be: there is other work to do until the answer comes. */
  ask(paths: readonly BytePath[]): void
  answer(): Promise<(path: BytePath) => Conversion>
  /** Ends it, asked or not. */
  end(): Promise<void>
}

/** One spawn. */
export function startConversionReader(git: Git, place: GitPlace): ConversionReader {
  const process = git.start(['check-attr', '-z', '--stdin', ...ATTRIBUTES], { place })
  const chunks: Buffer[] = []
  process.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return {
    ask: paths => void process.stdin?.end(joinPaths(paths)),
    async answer() {
      await process.ended
      return parseConversions(Buffer.concat(chunks))
    },
    async end() {
      process.stdin?.end()
      // Whether it could answer no longer matters.
      await process.ended.catch(() => undefined)
    },
  }
}

function parseConversions(answer: Buffer): (path: BytePath) => Conversion {
  const fields = splitAtNul(answer)
  const conversions = new Map<BytePath, Conversion>()
  const perPath = 3 * ATTRIBUTES.length
  for (let at = 0; at + perPath <= fields.length; at += perPath) {
    const value = (n: number) => fields[at + 3 * n + 2]?.toString('latin1') ?? ''
    const [text, crlf, eol, filter, ident, encoding] = ATTRIBUTES.map((_, n) => value(n))
    const byDefault = text === 'unspecified' ? 'autocrlf' : false
    const path = fields[at]
    if (path === undefined) continue
    conversions.set(parsePath(path), {
      always: [filter, ident, encoding].some(isGiven),
      lineEnds: [text, crlf, eol].some(isGiven) || byDefault,
      eol: eol === 'crlf' ? 'crlf' : eol === 'lf' || crlf === 'input' ? 'lf' : null,
    })
  }
  return path => conversions.get(path) ?? NONE
}

function isGiven(value: string | undefined): boolean {
  return value !== undefined && value !== 'unspecified' && value !== 'unset'
}

/** Spawns that one capture may spend on finding the files whose filters fail. */
const SEARCH_CALLS = 64

/**
 * Has git store these files as `git add` would, and gives their ids; a file whose filter fails is
 * missing from the answer. The private index of `place` is used up: git looks into it for what
 * the file was before, because files that have CR LF in the index keep it.
 */
export async function storeConverted(
  git: Git,
  place: GitPlace,
  paths: readonly BytePath[],
): Promise<ReadonlyMap<BytePath, string>> {
  let calls = 0
  const stored = new Set<BytePath>()
  const store = async (some: readonly BytePath[]): Promise<void> => {
    if (some.length === 0 || calls++ > SEARCH_CALLS) return
    try {
      await git.run(['update-index', '--add', '--replace', '-z', '--stdin'], {
        place,
        input: joinPaths(some),
        // A line end that would not come back the same is no reason to refuse the file.
        config: { 'core.safecrlf': 'false' },
      })
      for (const path of some) stored.add(path)
    } catch (error) {
      if (!(error instanceof GitError)) throw error
      // One file fails them all, and git says which only in prose: halve until it stands alone.
      if (some.length === 1) return
      const middle = Math.ceil(some.length / 2)
      await store(some.slice(0, middle))
      await store(some.slice(middle))
    }
  }
  await store(paths)

  const { stdout } = await git.run(['ls-files', '-s', '-z'], { place })
  const ids = new Map<BytePath, string>()
  for (const record of splitAtNul(stdout)) {
    const tab = record.indexOf(0x09)
    const path = parsePath(record.subarray(tab + 1))
    const id = record.toString('latin1', 0, tab).split(' ')[1]
    if (id !== undefined && stored.has(path)) ids.set(path, id)
  }
  return ids
}

/** The fields of a `-z` output. */
export function splitAtNul(data: Buffer): Buffer[] {
  const fields: Buffer[] = []
  let start = 0
  for (let end = data.indexOf(0); end !== -1; end = data.indexOf(0, start)) {
    fields.push(data.subarray(start, end))
    start = end + 1
  }
  return fields
}
