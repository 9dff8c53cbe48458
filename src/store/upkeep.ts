/** The port `Upkeep` on the files of the state directory. */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { parseTaskId } from '../domain/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { Leftover, Upkeep } from '../ports/upkeep.ts'
import { requireUsable } from './home.ts'
import { findLockHolders } from './lock-holders.ts'

/** Nothing that is still being written is so old. */
const ABANDONED_MS = 15 * 60_000

/** Directories that a git of ours works with for a moment: `src/worktree` makes them. */
const SCRATCH = /^(?:index|diff|returned|salvage)-[A-Za-z0-9]{6}$/
/** What is renamed once it is whole: `worker.json.new`, `.result.patch.4711`. */
const HALF_WRITTEN = /^(?:[a-z.-]+\.new|\.result\.(?:patch|bundle)\.[0-9]+)$/
const DISCARDED = /^([a-z][0-9a-z]{9})\.discarded-[0-9]+$/

export function makeUpkeep(home: string, clock: Clock): Upkeep {
  const locks = join(home, 'locks')
  const lockFile = (name: string) => join(locks, `${name}.lock`)
  const lockNames = () =>
    namesIn(locks)
      .filter(name => name.endsWith('.lock'))
      .map(name => name.slice(0, -'.lock'.length))
  const isOld = (path: string) => {
    const stats = lstatSync(path, { throwIfNoEntry: false })
    return stats !== undefined && clock.now() - stats.mtimeMs > ABANDONED_MS
  }
  const among = (
    directory: string,
    pattern: RegExp,
    kind: Leftover['kind'],
    task: Leftover['task'],
  ): Leftover[] =>
    namesIn(directory)
      .filter(name => pattern.test(name))
      .map(name => ({ path: join(directory, name), kind, task }))

  return {
    look() {
      const isThere = requireUsable(home)
      const standing = nearestStanding(home)
      const { bavail, bsize } = statfsSync(standing)
      return {
        path: home,
        isThere,
        isPrivate: !isThere || (statSync(home).mode & 0o077) === 0,
        isWritable: isWritable(standing),
        freeBytes: bavail * bsize,
      }
    },
    makePrivate: () => chmodSync(home, 0o700),
    listLeftovers() {
      const found = [
        ...among(home, HALF_WRITTEN, 'half-written', null),
        ...among(home, SCRATCH, 'scratch', null),
        ...among(join(home, 'trash'), SCRATCH, 'scratch', null),
        ...namesIn(join(home, 'worktrees')).flatMap((name): Leftover[] => {
          const task = parseTaskId(DISCARDED.exec(name)?.[1] ?? '')
          const path = join(home, 'worktrees', name)
          return task === undefined ? [] : [{ path, kind: 'discarded worktree', task }]
        }),
      ]
      for (const name of namesIn(join(home, 'tasks'))) {
        const task = parseTaskId(name)
        if (task === undefined) continue
        const directory = join(home, 'tasks', name)
        found.push(...among(directory, SCRATCH, 'scratch', task))
        found.push(...among(directory, HALF_WRITTEN, 'half-written', task))
        const runs = join(directory, 'runs')
        for (const fence of namesIn(runs)) {
          found.push(...among(join(runs, fence), HALF_WRITTEN, 'half-written', task))
        }
      }
      return found.filter(({ path }) => isOld(path))
    },
    removeLeftover({ path, kind }) {
      if (kind === 'discarded worktree') openDirectories(path)
      rmSync(path, { recursive: true, force: true })
    },
    async salvageStore() {
      const { salvageStore } = await import('./salvage.ts')
      return await salvageStore(home, clock.now())
    },
    // A lock is a transaction on an empty file: nothing is ever written to it.
    listBrokenLocks: () => lockNames().filter(name => statSync(lockFile(name)).size > 0),
    mendLock: name => truncateSync(lockFile(name)),
    listHeldLocks: () =>
      lockNames().flatMap(name =>
        findLockHolders(lockFile(name)).map(holder => ({ name, holder })),
      ),
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    // It is yet to be made, or is none.
    return []
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function nearestStanding(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestStanding(dirname(path))
}

/** A directory that its owner may not write to keeps its entries. */
function openDirectories(path: string): void {
  if (!lstatSync(path).isDirectory()) return
  chmodSync(path, 0o700)
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) openDirectories(join(path, entry.name))
  }
}
