/** What the control group of an attempt has said of itself (`docs/reference/run-directory.md`). */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isGone } from './is-gone.ts'
import { loadLaunch } from './run-directory.ts'

/** What its wrapper found at its start; undefined: it stood in none of its own. */
export function loadGroup(
  runDirectory: string,
  unit: string,
): { readonly limit: string } | undefined {
  const said = readOr(join(runDirectory, 'cgroup'))
  const group = /^0::(.*)$/m.exec(said)?.[1]
  if (group === undefined || !group.endsWith(`/${unit}.scope`)) return undefined
  return { limit: /^(\d+|max)$/m.exec(said)?.[1] ?? '' }
}

/** As `ProcessHost.countMemoryKills`. */
export function countMemoryKills(runDirectory: string): number | null {
  const launched = loadLaunch(runDirectory)
  const scope = launched.kind === 'loaded' ? launched.record.scope : undefined
  if (scope === undefined || loadGroup(runDirectory, scope.unit) === undefined) return null
  // A line without its end was not written to the end.
  const count = /^oom_kill (\d+)\n/m.exec(readOr(join(runDirectory, 'memory.events')))?.[1]
  return count === undefined ? null : Number(count)
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isGone(error)) return ''
    throw error
  }
}
