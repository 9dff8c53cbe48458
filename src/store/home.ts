/**
 * The state directory itself: made if it is missing, private, this user's own, and on a disk of
 * this machine. Looked at before anything in it is opened.
 */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { AppError } from '../domain/errors.ts'
import { FUSE_MAGIC, findNetworkFileSystem, findNetworkFuse } from './network-file-systems.ts'
import { storeError } from './store-error.ts'

export const STORE_FILE = 'store.db'

const ELSEWHERE = 'set HOLDFAST_HOME to a directory of your own on a local disk'

/** Group and others may write; and the bit by which a directory is shared on purpose, as `/tmp`. */
const WRITABLE_BY_OTHERS = 0o022
const STICKY = 0o1000

/**
 * Refuses with `store_unwritable` a state directory that belongs to another user, that others may
 * write to and that is not clearly ours, or that lies in the network. False: there is none yet.
 */
export function requireUsable(home: string): boolean {
  try {
    const found = statSync(home, { throwIfNoEntry: false })
    requireLocal(found === undefined ? nearestStanding(home) : home)
    if (found !== undefined) requirePrivate(home, found)
    return found !== undefined
  } catch (error) {
    throw storeError(error, join(home, STORE_FILE))
  }
}

/** The same, and makes it if it is missing. */
export function prepareHome(home: string): void {
  // Before it is made: nothing is left behind where it may not be.
  if (requireUsable(home)) return
  try {
    makeDirectory(home)
  } catch (error) {
    throw storeError(error, join(home, STORE_FILE))
  }
}

/**
 * With its parents, private. (Node's own way to make parents never ends where the system says
 * "no such file" of a name that cannot be made, as in `/proc`.)
 */
export function makeDirectory(path: string): void {
  const missing: string[] = []
  for (let at = path; lstatSync(at, { throwIfNoEntry: false }) === undefined; at = dirname(at)) {
    missing.unshift(at)
  }
  for (const directory of missing) {
    try {
      mkdirSync(directory, { mode: 0o700 })
    } catch (error) {
      // Somebody else was quicker, which is as good.
      if ((error as { code?: string }).code !== 'EEXIST') throw error
    }
  }
  // Also where a file, or a link to nothing, stands in its place.
  if (!statSync(path).isDirectory()) throw notADirectory(path)
}

function requirePrivate(home: string, found: Stats): void {
  const { uid, mode } = found
  if (!found.isDirectory()) throw notADirectory(home)
  if (uid !== process.geteuid?.()) {
    throw new AppError(
      'store_unwritable',
      `the state directory ${home} is not yours: it belongs to user ${uid}`,
      { hint: ELSEWHERE },
    )
  }
  if ((mode & WRITABLE_BY_OTHERS) === 0) return
  // Whoever can write there could have us run their code. What is ours alone is made so.
  if ((mode & STICKY) === 0 && isOurs(home)) {
    chmodSync(home, 0o700)
    return
  }
  throw new AppError('store_unwritable', `others can write to the state directory ${home}`, {
    hint: `if it is meant to be one: chmod 700 ${home}; else ${ELSEWHERE}`,
  })
}

/** It holds a store of this user's, or nothing at all. */
function isOurs(home: string): boolean {
  const store = lstatSync(join(home, STORE_FILE), { throwIfNoEntry: false })
  return store === undefined ? readdirSync(home).length === 0 : store.uid === process.geteuid?.()
}

function notADirectory(path: string): AppError {
  return new AppError('store_unwritable', `the state directory ${path} is no directory`, {
    hint: ELSEWHERE,
  })
}

function nearestStanding(path: string): string {
  const standing = statSync(path, { throwIfNoEntry: false }) !== undefined
  return standing || path === dirname(path) ? path : nearestStanding(dirname(path))
}

/** Only Linux says what a file system is by a number that means the same everywhere. */
function requireLocal(path: string): void {
  if (process.platform !== 'linux') return
  const { type } = statfsSync(path)
  const name =
    type === FUSE_MAGIC
      ? findNetworkFuse(readFileSync('/proc/self/mountinfo', 'utf8'), statSync(path).dev)
      : findNetworkFileSystem(type)
  if (name === undefined) return
  throw new AppError('store_unwritable', `${path} is on a network file system (${name})`, {
    hint: `another machine could write there at the same moment; ${ELSEWHERE}`,
  })
}
