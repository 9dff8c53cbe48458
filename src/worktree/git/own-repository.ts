/**
 * A bare repository of our own making, with nothing of its own at first: it reads the objects of
 * others, and none of their configuration.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ObjectFormat } from '../files/contents.ts'

export function makeOwnRepository(
  path: string,
  objectDirectories: readonly string[],
  format: ObjectFormat,
): void {
  mkdirSync(join(path, 'objects', 'info'), { recursive: true })
  mkdirSync(join(path, 'refs'))
  writeFileSync(join(path, 'HEAD'), 'ref: refs/heads/none\n')
  writeAlternates(path, objectDirectories)
  const extensions = format === 'sha256' ? '[extensions]\n\tobjectFormat = sha256\n' : ''
  const version = format === 'sha256' ? 1 : 0
  const core = `[core]\n\trepositoryFormatVersion = ${version}\n\tbare = true\n`
  writeFileSync(join(path, 'config'), core + extensions)
}

/** Absolute, or relative to the `objects` of `repository`. */
export function writeAlternates(repository: string, objectDirectories: readonly string[]): void {
  const lines = objectDirectories.map(directory => `${quoteLine(directory)}\n`)
  writeFileSync(join(repository, 'objects', 'info', 'alternates'), lines.join(''))
}

/** As git reads them: in C quotes where a line would not say it, or would be a comment. */
function quoteLine(path: string): string {
  return /^[#"]|[\n\\]/.test(path)
    ? `"${path.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`
    : path
}
