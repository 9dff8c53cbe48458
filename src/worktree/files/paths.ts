/**
 * Paths inside a checkout, as git gives them: bytes, not text. A name need not be UTF-8, so a path
 * is kept with one character per byte (latin1), and becomes text only where a person reads it.
 */
import { isUtf8 } from 'node:buffer'

declare const bytes: unique symbol
export type BytePath = string & { readonly [bytes]: true }

export const parsePath = (raw: Buffer): BytePath => raw.toString('latin1') as BytePath
export const pathBytes = (path: BytePath): Buffer => Buffer.from(path, 'latin1')

/** It is UTF-8, so that as text it is still the same name. */
export const isText = (path: BytePath): boolean => isUtf8(pathBytes(path))

/** The path on disk; never normalised, so it stays the very name that git means. */
export function pathOnDisk(root: string, path: BytePath): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), pathBytes(path)])
}

/** For people: as text, quoted where a control character would garble the line. */
export function shownPath(path: BytePath): string {
  const text = pathBytes(path).toString('utf8')
  return /\p{Cc}/u.test(text) ? JSON.stringify(text) : text
}

/** In C quotes, with every unusual byte in octal: what fast-import reads back as the same bytes. */
export function quotePath(path: BytePath): string {
  const quoted = path.replace(
    /["\\]|[^ -~]/g,
    byte => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`,
  )
  return `"${quoted}"`
}

/** A list for `-z --stdin`. */
export function joinPaths(paths: Iterable<BytePath>): Buffer {
  const parts: string[] = []
  for (const path of paths) parts.push(path, '\0')
  return Buffer.from(parts.join(''), 'latin1')
}

/**
 * A name that git would store but then refuse to check out, here or on another system: a disguise
 * of `.git` (git's own rule, `is_ntfs_dotgit`). A snapshot with such a name could not be restored.
 */
export function isForbiddenPath(path: BytePath): boolean {
  return /(?:^|[/\\])(?:\.git|git~1)[ .]*(?:$|[/\\:])/i.test(path)
}
