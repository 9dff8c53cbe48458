import { type BigIntStats, lstatSync, readdirSync } from 'node:fs'
import type { SetUpTime } from '../../ports/worktrees.ts'
import { type BytePath, pathOnDisk } from './paths.ts'

/**
 * Whether a path that is in no commit came from set-up: its inode has not changed since that was
 * over. The kernel sets this time at each write, rename and change of mode, and lets nobody choose
 * it. Of a directory (git names one that holds a repository) everything in it must be so old.
 */
export function cameFromSetUp(root: string, path: BytePath, setUpAt: SetUpTime): boolean {
  if (setUpAt === null) return false
  const isOlder = (place: Buffer): boolean => {
    const stats = lookAt(place)
    if (stats === undefined) return false
    if (!stats.isDirectory()) return stats.ctimeNs < setUpAt
    const names = readdirSync(place, { encoding: 'buffer' })
    return names.every(name => isOlder(Buffer.concat([place, Buffer.from('/'), name])))
  }
  return isOlder(pathOnDisk(root, path.replace(/\/$/, '') as BytePath))
}

/** Undefined: gone, or not to be looked at. Either way nothing is known of it. */
function lookAt(place: Buffer): BigIntStats | undefined {
  try {
    return lstatSync(place, { bigint: true })
  } catch {
    return undefined
  }
}
