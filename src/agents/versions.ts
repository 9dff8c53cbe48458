/** Versions of agents, as their packages or they themselves say them. */
import { readFileSync } from 'node:fs'

/** Of an npm package; null where it cannot be read. */
export function readPackageVersion(packageFile: string): string | null {
  try {
    const { version }: { version?: unknown } = JSON.parse(readFileSync(packageFile, 'utf8'))
    return typeof version === 'string' ? version : null
  } catch {
    return null
  }
}

/** The first version in what a program says; null: there is none. */
export function parseVersion(words: string): string | null {
  return words.match(/\d+\.\d+\.\d+/)?.[0] ?? null
}

export function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map(text => text.split(/[.-]/).slice(0, 3).map(Number))
  for (let i = 0; i < 3; i++) {
    const difference = (a?.[i] || 0) - (b?.[i] || 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
