/** Programs on a caller's PATH. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'

/** The first program of this name, by absolute path. */
export function findProgram(name: string, path: string): string | undefined {
  if (name === '') return undefined
  return (
    path
      .split(delimiter)
      // A relative entry means another program in every directory, also in one that an agent wrote.
      .filter(isAbsolute)
      .map(directory => join(directory, name))
      .find(isExecutable)
  )
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
