import { readdirSync } from 'node:fs'

/** What is in a directory; nothing where it is not there, or is none. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
