/**
 * Where a disk takes `Readme` for `README`, a path may seem to be there, and be another file's. Then
 * a file that is renamed in its case alone would be taken for one that is there already.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type BytePath, pathBytes, pathOnDisk } from './paths.ts'

/** Whether exactly this name is there, in each of its parts; for a short look, since it remembers. */
export type NameLook = (path: BytePath) => boolean

/** `folds`: whether names differ by more than their case; seen by `.git`, which each checkout has. */
export function makeNameLook(root: string, folds = existsSync(join(root, '.GIT'))): NameLook {
  if (!folds) return () => true
  const listed = new Map<string, ReadonlySet<string>>()
  const namesIn = (directory: BytePath) => {
    const known = listed.get(directory) ?? listNames(pathOnDisk(root, directory))
    listed.set(directory, known)
    return known
  }
  const isNamed = (path: BytePath): boolean => {
    const end = path.lastIndexOf('/')
    const parent = path.slice(0, Math.max(0, end)) as BytePath
    const name = path.slice(end + 1) as BytePath
    return (parent === '' || isNamed(parent)) && namesIn(parent).has(plain(pathBytes(name)))
  }
  return isNamed
}

function listNames(directory: Buffer): ReadonlySet<string> {
  try {
    return new Set(readdirSync(directory, { encoding: 'buffer' }).map(plain))
  } catch {
    // No directory: there is no name in it.
    return new Set()
  }
}

/** Such a disk may also give accents apart from their letters, which git puts together. */
const plain = (name: Buffer) => name.toString('utf8').normalize('NFC')
