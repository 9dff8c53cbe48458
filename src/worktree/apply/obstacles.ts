/** What stands in the way of a path that is to be written, and is not ours to remove. */
import { lstatSync, readdirSync } from 'node:fs'
import type { NameLook } from '../files/names.ts'
import { type BytePath, parsePath, pathOnDisk } from '../files/paths.ts'

export interface ExistingDirectory {
  readonly path: BytePath
  readonly mode: number
}

export interface Ground {
  readonly root: string
  /** Files that are removed first, so that they are in nobody's way. */
  readonly leaving: ReadonlySet<BytePath>
  readonly isNamed: NameLook
}

/** Where a path leads: the directories that are yet to be made, outermost first; or what is wrong. */
export function lookAbove(
  { root, leaving, isNamed }: Ground,
  path: BytePath,
): readonly BytePath[] | string {
  const missing: BytePath[] = []
  for (const directory of directoriesAbove(path)) {
    // Below a directory that is missing, or a file that leaves, there is nothing to look at.
    const found =
      missing.length > 0 || leaving.has(directory) || !isNamed(directory)
        ? undefined
        : lstatSync(pathOnDisk(root, directory), { throwIfNoEntry: false })
    if (found === undefined) missing.push(directory)
    else if (found.isSymbolicLink()) return 'a symbolic link above it leads out of the checkout'
    else if (!found.isDirectory()) return 'a file stands where a directory above it should be'
    else if (isRepository(root, directory)) return 'it lies in another repository'
  }
  return missing
}

/** Outermost first, without the root itself. */
export function directoriesAbove(path: BytePath): BytePath[] {
  const above: BytePath[] = []
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    above.push(path.slice(0, at) as BytePath)
  }
  return above
}

function isRepository(root: string, directory: BytePath): boolean {
  const pointer = pathOnDisk(root, `${directory}/.git` as BytePath)
  return lstatSync(pointer, { throwIfNoEntry: false }) !== undefined
}

/**
 * A directory where a file should be: all directories in it, innermost last; or the first file that
 * would stay.
 */
export function lookInside(
  { root, leaving }: Pick<Ground, 'root' | 'leaving'>,
  path: BytePath,
): readonly ExistingDirectory[] | { readonly stays: BytePath } {
  const place = pathOnDisk(root, path)
  const found: ExistingDirectory[] = [{ path, mode: lstatSync(place).mode & 0o777 }]
  for (const entry of readdirSync(place, { encoding: 'buffer', withFileTypes: true })) {
    const inner = `${path}/${parsePath(entry.name)}` as BytePath
    if (leaving.has(inner)) continue
    if (!entry.isDirectory()) return { stays: inner }
    const deeper = lookInside({ root, leaving }, inner)
    if ('stays' in deeper) return deeper
    found.push(...deeper)
  }
  return found
}
