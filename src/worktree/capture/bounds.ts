/** Refuses to carry along what is more likely a forgotten ignore rule than work. */
import type { Bounds } from '../../domain/configuration.ts'
import { AppError } from '../../domain/errors.ts'
import { makeLook } from '../files/contents.ts'
import { type BytePath, shownPath } from '../files/paths.ts'
import type { Change } from './change.ts'

/** So many of the largest are named. */
const NAMED = 5
/** A directory that holds so much of another one's files is named in its place. */
const NEARLY_ALL = 0.9

/** The bytes on disk of all that is carried. `stopped`: git named more files than are allowed. */
export function refuseTooLarge(
  root: string,
  changes: readonly Change[],
  stopped: boolean,
  { maxFiles, maxBytes }: Bounds,
): number {
  const look = makeLook(root)
  const sizes: { path: BytePath; size: number }[] = []
  let bytes = 0
  for (const { path, present } of changes) {
    const found = present ? look(path) : undefined
    if (found?.kind !== 'file') continue
    sizes.push({ path, size: found.size })
    bytes += found.size
  }
  if (!stopped && bytes <= maxBytes) return bytes
  const largest = sizes.sort((a, b) => b.size - a.size).slice(0, NAMED)
  const list = largest.map(({ path, size }) => `${shownPath(path)} (${shownSize(size)})`).join(', ')
  const what = stopped
    ? `more than ${maxFiles} files are changed or untracked, most of them in ${fullest(changes)}`
    : `the changed and untracked files are ${shownSize(bytes)}, over ${shownSize(maxBytes)}`
  throw new AppError('changes_too_large', `${what}; the largest: ${list}`, {
    hint: 'name what is not meant to be kept in .gitignore, or leave it: --changes tracked, or none',
  })
}

/** The directories with most of the files, the fullest first. */
function fullest(changes: readonly Change[]): string {
  let within = ''
  for (;;) {
    const counts = new Map<string, number>()
    for (const { path } of changes) {
      if (!path.startsWith(within)) continue
      const end = path.indexOf('/', within.length)
      const directory = end === -1 ? within : path.slice(0, end + 1)
      counts.set(directory, (counts.get(directory) ?? 0) + 1)
    }
    const ranked = [...counts].sort(([, a], [, b]) => b - a)
    const all = ranked.reduce((sum, [, count]) => sum + count, 0)
    const [directory, count] = ranked[0] ?? [within, 0]
    if (directory === within || count < NEARLY_ALL * all) {
      const names = ranked.slice(0, NAMED).map(([name]) => shownPath(name as BytePath))
      return names.map(name => name || 'the top').join(', ')
    }
    within = directory
  }
}

export function shownSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`
  return `${(bytes / 1e6).toFixed(1)} MB`
}
