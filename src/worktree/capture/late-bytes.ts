/**
 * Git takes a file for unchanged where only what it converts is another: line ends, what a filter
 * drops. Whoever writes such after a snapshot is found by the time of change that the kernel sets.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { CommitId } from '../../domain/ids.ts'
import { type BytePath, parsePath, pathOnDisk, shownPath } from '../files/paths.ts'
import { splitAtNul, startConversionReader } from '../git/conversion.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { readSettings } from '../git/settings.ts'

/** Enough to say what it is about. */
const NAMED = 5

/** Now, in nanoseconds since 1970, as file systems say it; `directory` is a private one. */
export function markTime(directory: string): bigint {
  const path = join(directory, '.begun')
  const file = openSync(path, 'w', 0o600)
  try {
    return fstatSync(file, { bigint: true }).ctimeNs
  } finally {
    closeSync(file)
    rmSync(path, { force: true })
  }
}

/** Attributes for all repositories, where nothing says otherwise: gitattributes(5). */
const ATTRIBUTES = [
  '/etc/gitattributes',
  join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'git', 'attributes'),
]
/** Names in such an index are cut short where they begin like the one before. */
const SHORTENED = 4

/**
 * Whether git may convert any file at all: by its settings, and by whether anything has attributes.
 * `indexFile` names all files.
 */
async function mayConvert(
  git: Git,
  place: GitPlace & { readonly indexFile: string },
): Promise<boolean> {
  const info = join(place.commonDir ?? place.gitDir, 'info', 'attributes')
  if ([info, ...ATTRIBUTES].some(file => existsSync(file))) return true
  const index = readFileSync(place.indexFile)
  if (index.readUInt32BE(4) >= SHORTENED || index.includes('.gitattributes')) return true
  const { autocrlf, attributesFile } = await readSettings(git, place)
  return autocrlf || attributesFile !== undefined
}

/**
 * The files of the commit that git converts, and that were written since, whatever was written; in
 * words, null: none. One spawn, and three more where git converts any.
 */
export async function findLateBytes(
  git: Git,
  place: GitPlace & { readonly workTree: string; readonly indexFile: string },
  commit: CommitId,
  since: bigint,
): Promise<string | null> {
  if (!(await mayConvert(git, place))) return null
  const { stdout } = await git.run(['ls-tree', '-r', '-z', '--name-only', commit], { place })
  const written = splitAtNul(stdout)
    .map(parsePath)
    .filter(path => isWrittenSince(place.workTree, path, since))
  if (written.length === 0) return null
  const conversions = startConversionReader(git, place)
  conversions.ask(written)
  const conversionOf = await conversions.answer()
  const { autocrlf } = await readSettings(git, place)
  const late = written.filter(path => {
    const { always, lineEnds } = conversionOf(path)
    return always || (lineEnds === 'autocrlf' ? autocrlf : lineEnds)
  })
  return late.length === 0 ? null : late.slice(0, NAMED).map(shownPath).join(', ')
}

function isWrittenSince(root: string, path: BytePath, since: bigint): boolean {
  try {
    return lstatSync(pathOnDisk(root, path), { bigint: true }).ctimeNs > since
  } catch {
    // It is gone, which git sees.
    return false
  }
}
