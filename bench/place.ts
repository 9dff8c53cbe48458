/**
 * Where the bench happens: one scratch directory with repositories and state directories, and the
 * built program in it. When it is left, nothing of it runs or stands any more. It is removed at
 * the very end: after a mass unlink, file systems make new files slowly for a while.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { WORKER_ALLOCATOR } from '../src/compose.ts'
import { MARK_VARIABLE } from '../src/domain/environment.ts'
import type { Program } from './measure.ts'

const LOOK_MS = 20
const LIMIT_MS = 60_000
const STOP_LIMIT_MS = 5_000

/** Longer than any bench; what a killed bench leaves behind ends by itself. */
const SLEEP_S = '600'

/** Hands in a program; what a confinement costs is not a part of any figure. */
export const RUN_COMMAND = ['run', 'command', '--permissions', 'full', '--'] as const

const FILES_PER_DIRECTORY = 20
const LINES_PER_FILE = 40
/** So old that git need not read a file again because it might have changed in the same second. */
const FILE_AGE_MS = 3_600_000

export class Place {
  readonly signal: AbortSignal
  readonly scratch = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-bench-')))
  readonly environment: Readonly<Record<string, string>>
  /** A copy of the built program: a build in the meantime does not change what is measured. */
  readonly entry = join(this.scratch, 'program', 'bin', 'holdfast.cjs')
  readonly #homes: Home[] = []

  /** `signal` ends the bench at the next step. */
  constructor(signal: AbortSignal) {
    this.signal = signal
    this.environment = {
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      HOME: this.scratch,
      GIT_AUTHOR_NAME: 'Bench',
      GIT_AUTHOR_EMAIL: 'bench@localhost',
      GIT_COMMITTER_NAME: 'Bench',
      GIT_COMMITTER_EMAIL: 'bench@localhost',
    }
    for (const part of ['bin', 'dist']) {
      const source = fileURLToPath(new URL(`../${part}`, import.meta.url))
      cpSync(source, join(this.scratch, 'program', part), { recursive: true })
    }
  }

  /** A state directory of its own, with a worker of its own. */
  makeHome(name: string, more: Readonly<Record<string, string>> = {}): Home {
    const home = new Home(this, join(this.scratch, `home-${name}`), more)
    this.#homes.push(home)
    return home
  }

  /** A repository with so many files of about 2 kB; the same name gives the same one again. */
  async repository(name: string, files: number): Promise<string> {
    const root = join(this.scratch, name)
    if (existsSync(root)) return root
    const then = (Date.now() - FILE_AGE_MS) / 1000
    for (let i = 0; i < files; i++) {
      if (i % 1_000 === 0) await this.#breathe()
      const path = join(root, pathOf(i))
      if (i % FILES_PER_DIRECTORY === 0) mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, contentOf(i))
      utimesSync(path, then, then)
    }
    await this.git(root, 'init', '--quiet', '--initial-branch=trunk')
    await this.git(root, 'add', '.')
    await this.git(root, 'commit', '--quiet', '--message=first')
    return root
  }

  /** Twenty dirty files: five staged, ten more modified, five untracked. */
  async makeDirty(root: string): Promise<void> {
    for (let i = 0; i < 15; i++) {
      writeFileSync(join(root, pathOf(i * 61)), `${contentOf(i)}changed\n`)
      if (i < 5) await this.git(root, 'add', pathOf(i * 61))
    }
    for (let i = 0; i < 5; i++) writeFileSync(join(root, `untracked-${i}.ts`), contentOf(i))
  }

  async git(directory: string, ...args: string[]): Promise<void> {
    await run(this.program(directory, 'git', ...args), this.signal)
  }

  program(directory: string, file: string, ...args: string[]): Program {
    return { argv: [file, ...args], directory, environment: this.environment }
  }

  /** What every start of ours is compared with: Node, started for nothing. */
  node(directory: string): Program {
    return this.program(directory, process.execPath, '-e', '0')
  }

  async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.signal })
  }

  async until(what: string, look: () => unknown, limitMs = LIMIT_MS): Promise<void> {
    const deadline = performance.now() + limitMs
    while (!(await look())) {
      if (performance.now() > deadline) throw new Error(`it never came that ${what}`)
      await this.pause(LOOK_MS)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const home of this.#homes) await home[Symbol.asyncDispose]()
      await endProcessesOf(this.scratch)
    } finally {
      rmSync(this.scratch, { recursive: true, force: true, maxRetries: 5 })
    }
  }

  async #breathe(): Promise<void> {
    await sleep(0)
    this.signal.throwIfAborted()
  }
}

/** A state directory: tasks are handed in, and a worker of a known size attends to them. */
export class Home {
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  readonly #place: Place
  #worker: ChildProcess | undefined

  constructor(place: Place, directory: string, more: Readonly<Record<string, string>>) {
    this.#place = place
    this.directory = directory
    this.environment = { ...place.environment, ...more, HOLDFAST_HOME: directory }
  }

  program(directory: string, ...words: string[]): Program {
    const argv = [process.execPath, this.#place.entry, ...words] as const
    return { argv: [...argv], directory, environment: this.environment }
  }

  async ok(directory: string, ...words: string[]): Promise<string> {
    return await run(this.program(directory, ...words), this.#place.signal)
  }

  /** Starts a worker and waits until it is up; its pid. */
  async startWorker(slots: number): Promise<number> {
    const { argv, environment } = this.program('/', 'worker', 'run', '--slots', String(slots))
    const [file, ...args] = argv
    // In a process group of its own: an interrupt from the keyboard is for the bench alone.
    // As a command starts it (`src/compose.ts`).
    const env = { ...environment, ...WORKER_ALLOCATOR }
    const child = spawn(file, args, { cwd: '/', env, stdio: 'ignore', detached: true })
    this.#worker = child
    await this.#place.until('the worker is up', () => {
      if (child.exitCode !== null) throw new Error(`the worker ended with ${child.exitCode}`)
      return existsSync(join(this.directory, 'worker.json'))
    })
    if (child.pid === undefined) throw new Error('the worker has no pid')
    return child.pid
  }

  /** Kills it (-9), and waits until it is gone. It has no watchdog here. */
  async killWorker(pid: number): Promise<void> {
    process.kill(pid, 'SIGKILL')
    const worker = this.#worker
    await this.#place.until('the worker is dead', () => worker?.signalCode != null)
    // Its card would pass for the next one's.
    rmSync(join(this.directory, 'worker.json'), { force: true })
  }

  /** Starts a worker with one slot, and gives that to a task that sleeps: all others stay queued. */
  async startBusyWorker(repository: string): Promise<void> {
    await this.startWorker(1)
    await this.submitSleeper(repository)
  }

  /** Hands in a task that sleeps, and waits until its agent runs; its run directory. */
  async submitSleeper(repository: string): Promise<string> {
    const id = await this.ok(repository, ...RUN_COMMAND, '/bin/sleep', SLEEP_S)
    const runDirectory = this.runDirectory(id.trim())
    await this.#place.until('the agent runs', () => sizeOf(join(runDirectory, 'pid')) > 0)
    return runDirectory
  }

  runDirectory(id: string): string {
    return join(this.directory, 'tasks', id, 'runs', '1')
  }

  /** The worker first: it need not take note that its agents are ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker
    if (worker !== undefined && worker.exitCode === null && worker.signalCode === null) {
      const ended = new Promise(resolve => worker.once('exit', resolve))
      worker.kill('SIGTERM')
      const timer = setTimeout(() => worker.kill('SIGKILL'), STOP_LIMIT_MS)
      await ended
      clearTimeout(timer)
    }
    await endProcessesOf(this.directory)
  }
}

/** The mark of an attempt that a live process bears; undefined where it bears none. */
export function readMark(pid: number): string | undefined {
  const variable = environmentOf(pid).find(text => text.startsWith(`${MARK_VARIABLE}=`))
  return variable?.slice(MARK_VARIABLE.length + 1)
}

export function listPids(): readonly number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

/** Ends whatever has a path below `directory` in its environment, or stands below it. */
async function endProcessesOf(directory: string): Promise<void> {
  const deadline = performance.now() + STOP_LIMIT_MS
  for (;;) {
    const found = listPids().filter(pid => pid !== process.pid && belongsTo(pid, directory))
    if (found.length === 0) return
    if (performance.now() > deadline) throw new Error(`processes are left: ${found.join(' ')}`)
    for (const pid of found) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It went by itself.
      }
    }
    await sleep(LOOK_MS)
  }
}

function belongsTo(pid: number, directory: string): boolean {
  const isBelow = (path: string) => path === directory || path.startsWith(`${directory}/`)
  try {
    if (isBelow(readlinkSync(`/proc/${pid}/cwd`))) return true
  } catch {
    // Gone, dead and not yet collected, or not ours.
    return false
  }
  return environmentOf(pid).some(text => isBelow(text.slice(text.indexOf('=') + 1)))
}

function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
  } catch {
    // Gone, or not ours to look into.
    return []
  }
}

function sizeOf(path: string): number {
  return existsSync(path) ? readFileSync(path).length : 0
}

/** Runs a program to its end beside everything else; what it said on stdout. */
async function run({ argv, directory, environment }: Program, signal: AbortSignal) {
  const [file, ...args] = argv
  const options = { cwd: directory, env: environment, encoding: 'utf8', signal } as const
  const child = promisify(execFile)(file, args, { ...options, maxBuffer: 64_000_000 })
  child.child.stdin?.end()
  return (await child).stdout
}

const pathOf = (file: number) => {
  const directory = Math.floor(file / FILES_PER_DIRECTORY)
  return `src/part-${Math.floor(directory / 10)}/module-${directory}/file-${file}.ts`
}

function contentOf(file: number): string {
  const line = (n: number) => `export const value${n} = '${((file + 1) * 7919 * (n + 3)) % 1e9}'\n`
  return Array.from({ length: LINES_PER_FILE }, (_, n) => line(n)).join('')
}
