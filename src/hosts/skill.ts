/** A skill that is a directory with one file in it, among the skills of a host. */
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { AdditionState } from '../ports/hosts.ts'

const FILE = 'SKILL.md'

export const skillFile = (directory: string) => join(directory, FILE)

export function digestOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** `ours`: what it has been by us. */
export function lookAtSkill(
  directory: string,
  content: Uint8Array,
  ours: readonly string[],
): AdditionState {
  const found = digestIn(directory)
  if (found === digestOf(content)) return 'there'
  if (isLinked(directory)) return 'in_the_way'
  if (found === null) return 'missing'
  return ours.includes(found) ? 'outdated' : 'in_the_way'
}

/** The directories that `putSkill` would make, the outermost first. */
export function missingDirectories(directory: string): readonly string[] {
  if (existsSync(directory)) return []
  return [...missingDirectories(dirname(directory)), directory]
}

export function putSkill(directory: string, content: Uint8Array): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(`${skillFile(directory)}.new`, content)
  renameSync(`${skillFile(directory)}.new`, skillFile(directory))
}

/** False: somebody has changed it since, or put a link in its place; it stays. */
export function takeOutSkill(
  directory: string,
  ours: readonly string[],
  made: readonly string[],
): boolean {
  if (isLinked(directory)) return false
  rmSync(`${skillFile(directory)}.new`, { force: true })
  const found = digestIn(directory)
  if (found !== null && !ours.includes(found)) return false
  rmSync(skillFile(directory), { force: true })
  for (const one of made.toReversed()) {
    try {
      rmdirSync(one)
    } catch {
      // Something else is in it, or it is gone.
    }
  }
  return true
}

/** What it leads to is somebody's own, whatever it holds. */
function isLinked(directory: string): boolean {
  return [directory, skillFile(directory)].some(
    path => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true,
  )
}

function digestIn(directory: string): string | null {
  try {
    return digestOf(readFileSync(skillFile(directory)))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
