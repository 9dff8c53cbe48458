/**
 * Loads the program from what V8 made of it the last time: compiling it anew takes longer than most
 * commands do. (Node's own compile cache keeps only what a file runs while it is
 * loaded; here almost everything runs later.)
 *
 * What is kept is code that will be run, so it lies in the private state directory, or in one that
 * `HOLDFAST_CODE_CACHE` names and that is ours alone. It is named by the bundle's size and time, the
 * version of Node, and the command: each command runs a part of its own. Whatever goes wrong costs
 * speed and nothing else.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { isAbsolute, join } from 'node:path'
import { Script } from 'node:vm'
import { findStateDirectory } from './state-directory.ts'

const FREQUENT = ['run', 'status', 'wait', 'result', 'logs', 'diff', 'worker', 'completion', 'hook']

/** The exports of the bundle, an absolute path. */
export function load(bundle: string): unknown {
  const cache = cacheFile(bundle)
  const cachedData = cache === undefined ? undefined : readIfOurs(join(cache.directory, cache.name))
  // Its only statement is a function of (exports, require, module); see `scripts/build.mjs`.
  const script = new Script(readFileSync(bundle, 'latin1'), {
    filename: bundle,
    ...(cachedData === undefined ? {} : { cachedData }),
  })
  if (cache !== undefined && (cachedData === undefined || script.cachedDataRejected === true)) {
    // At the end, when all that this command runs has been compiled.
    process.once('exit', () => keep(cache, script))
  }
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(bundle), module)
  return module.exports
}

/** What may be kept where. */
interface CacheFile {
  readonly directory: string
  readonly name: string
  /** Whether the directory is there, or could be made, and is ours alone. */
  makeRoom(): boolean
}

/** Undefined: there is no state directory to be had, which the program itself will say. */
function cacheFile(bundle: string): CacheFile | undefined {
  const { size, mtimeMs } = statSync(bundle)
  const command = process.argv[2] ?? ''
  const shelf = FREQUENT.includes(command) ? command : 'other'
  const name = `${process.version}-${process.arch}-${size}-${mtimeMs}-${shelf}`
  const directory = process.env.HOLDFAST_CODE_CACHE
  // A relative one would be within whatever repository a command is given in.
  if (directory && isAbsolute(directory)) {
    return { directory, name, makeRoom: () => makeNamed(directory) }
  }
  const home = findStateDirectory(process.env)
  if (home === undefined) return undefined
  return { directory: join(home, 'cache', 'code'), name, makeRoom: () => makeBelow(home) }
}

function makeNamed(directory: string): boolean {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return isOursAlone(statSync(directory))
}

/**
 * A command that needs the state directory has made it, private; another need not. In one that the
 * program refuses, because it is not ours alone, nothing is left lying, nor in one that was just
 * uninstalled.
 */
function makeBelow(home: string): boolean {
  const found = statSync(home, { throwIfNoEntry: false })
  if (found === undefined || !isOursAlone(found) || !existsSync(join(home, 'store.db')))
    return false
  for (const missing of ['cache', 'cache/code'].map(name => join(home, name))) {
    if (!existsSync(missing)) mkdirSync(missing, { mode: 0o700 })
  }
  return true
}

/** What is read here is run: only a file that nobody else can have written. */
function readIfOurs(path: string): Buffer | undefined {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    return isOursAlone(fstatSync(file)) ? readFileSync(file) : undefined
  } catch {
    // Missing: this run makes it. Unreadable: no worse than missing.
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function isOursAlone({ uid, mode }: Stats): boolean {
  return uid === process.geteuid?.() && (mode & 0o022) === 0
}

function keep({ directory, name, makeRoom }: CacheFile, script: Script): void {
  const path = join(directory, name)
  const scratch = `${path}.${process.pid}`
  try {
    if (!makeRoom()) return
    const file = openSync(scratch, 'wx', 0o600)
    writeSync(file, script.createCachedData())
    // V8 trusts what it is given: a half-written file may not survive a power cut.
    fsyncSync(file)
    closeSync(file)
    renameSync(scratch, path)
    dropOlder(directory, name)
  } catch {
    // A state directory that cannot be written: a command that needs it says what is wrong.
    removeQuietly(scratch)
  }
}

/** What an older bundle left on the shelf, and scratch files of commands that were killed. */
function dropOlder(directory: string, kept: string): void {
  const shelf = kept.slice(kept.lastIndexOf('-'))
  const belongs = new RegExp(`${shelf}(?:\\.\\d+)?$`)
  for (const name of readdirSync(directory)) {
    if (name !== kept && belongs.test(name)) removeQuietly(join(directory, name))
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It was never made, or another command was quicker; else it only takes up room.
  }
}
