import { statSync } from 'node:fs'

/** Those of the files that were written at `since` or later, the newest first. */
export function newestFirst(paths: readonly string[], since: number): readonly string[] {
  return paths
    .map(path => ({ path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -1 }))
    .filter(({ at }) => at >= since)
    .sort((a, b) => b.at - a.at)
    .map(({ path }) => path)
}
