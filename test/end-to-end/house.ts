/** A state directory, a repository and the built program, for tests that use it as people do. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, expect } from 'vitest'
import type { ResultView, TaskView } from '../../src/surfaces/view.ts'
import { CODE_CACHE } from '../code-cache.ts'
import { eventually } from '../eventually.ts'
import { fingerprint } from '../fingerprint.ts'
import { killIfThere } from '../kill-if-there.ts'
import { processesOf } from '../processes-of.ts'

export const entry = fileURLToPath(new URL('../../bin/holdfast.cjs', import.meta.url))

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly directory?: string
  /** Over the house's own; undefined takes a variable away. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Another user, if the tests run as root. */
  readonly user?: number
  readonly input?: string | Uint8Array
  /** Of another package than this one. */
  readonly entry?: string
}

/** A script that says that it is under way (`underWay`), and goes on when the file `go` appears. */
export const untilGo = 'touch under-way; while [ ! -e go ]; do sleep 0.05; done; echo done'

/** For a task on a machine that is busy with all other tests; shorter than a test may take. */
export const PATIENCE = '150s'

const built: House[] = []

/**
 * Most tests are not about permissions, and must pass where the system has nothing to confine a
 * program with: unless they name a mode themselves, their programs run with full permissions.
 */
export function unconfined(words: readonly string[]): readonly string[] {
  const verbatim = words.indexOf('--')
  const own = words.slice(0, verbatim < 0 ? words.length : verbatim)
  const isRun = own[0] === 'run' && own.includes('command') && !own.includes('--permissions')
  return isRun ? ['run', '--permissions', 'full', ...words.slice(1)] : words
}

function isStopped(pid: number): boolean {
  return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
}

afterEach(async () => {
  for (const house of built.splice(0)) await house.leave()
})

export class House {
  readonly scratch: string
  readonly home: string
  /** A space and letters beyond ASCII, as people have them. */
  readonly repo: string
  readonly environment: Record<string, string>
  /** Done once nothing of it runs any more, and before its files go: mounts are taken away. */
  readonly atTheEnd: (() => void)[] = []

  /** `parent`: where its directory is made. */
  constructor(environment: Readonly<Record<string, string>> = {}, parent = tmpdir()) {
    this.scratch = realpathSync(mkdtempSync(join(parent, 'holdfast-e2e-')))
    this.home = join(this.scratch, 'home')
    this.repo = join(this.scratch, 'mein Prójekt')
    this.environment = {
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      HOME: this.scratch,
      HOLDFAST_HOME: this.home,
      // As on a machine with two cores, whatever the machine.
      HOLDFAST_SLOTS: '1',
      // The stand-ins for agents speak as the agents do that are given their prompt alone.
      HOLDFAST_TALK: 'one-shot',
      ...CODE_CACHE,
      GIT_AUTHOR_NAME: 'T',
      GIT_AUTHOR_EMAIL: 't@localhost',
      GIT_COMMITTER_NAME: 'T',
      GIT_COMMITTER_EMAIL: 't@localhost',
      ...environment,
    }
    built.push(this)
    mkdirSync(this.repo)
    this.git('init', '--quiet', '--initial-branch=trunk')
    this.write('kept.txt', 'one\ntwo\nthree\n')
    this.write('.gitignore', 'ignored.env\n')
    this.git('add', '.')
    this.git('commit', '--quiet', '--message=first')
  }

  git(...words: string[]): string {
    return this.gitIn(this.repo, ...words)
  }

  gitIn(directory: string, ...words: string[]): string {
    const options = { cwd: directory, env: this.environment, encoding: 'utf8' } as const
    return execFileSync('git', words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  write(name: string, content: string, directory = this.repo): void {
    const path = join(directory, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }

  /** Staged, unstaged, untracked and ignored changes. */
  makeDirty(directory = this.repo): void {
    this.write('staged.txt', 'staged\n', directory)
    this.gitIn(directory, 'add', 'staged.txt')
    this.write('staged.txt', 'staged, then edited\n', directory)
    this.write('kept.txt', 'one\nTWO\nthree\n', directory)
    this.write('untracked ü.txt', 'mine\n', directory)
    this.write('ignored.env', 'SECRET=1\n', directory)
  }

  run(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return new Promise(resolve => {
      const child = execFile(
        process.execPath,
        [options.entry ?? entry, ...unconfined(words)],
        {
          cwd: options.directory ?? this.repo,
          env: { ...this.environment, ...options.environment },
          ...(options.user === undefined ? {} : { uid: options.user, gid: options.user }),
          encoding: 'utf8',
          maxBuffer: 64_000_000,
        },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
          resolve({ code, stdout, stderr })
        },
      )
      child.stdin?.end(options.input ?? '')
    })
  }

  /** Runs, and expects exit 0. */
  async ok(words: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(words, options)
    expect({ words, code, stderr: code === 0 ? '' : stderr }).toEqual({
      words,
      code: 0,
      stderr: '',
    })
    return stdout
  }

  /** Hands a task in; its id. */
  async submit(words: readonly string[], options: RunOptions = {}): Promise<string> {
    return (await this.ok(['run', ...words], options)).trim()
  }

  /** Hands in a shell script for the agent `command`. */
  submitScript(script: string, ...flags: string[]): Promise<string> {
    return this.submit(['command', ...flags, '--', '/bin/sh', '-c', script])
  }

  start(words: readonly string[], options: RunOptions = {}): ChildProcess {
    return spawn(process.execPath, [entry, ...unconfined(words)], {
      cwd: options.directory ?? this.repo,
      env: { ...this.environment, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
  }

  async task(id: string): Promise<TaskView> {
    return JSON.parse(await this.ok(['status', id, '--json'], { directory: '/' }))
  }

  async evidence(id: string): Promise<ResultView> {
    return JSON.parse(await this.ok(['result', id, '--json'], { directory: '/' }))
  }

  /** Waits until a task is in a state, looked up as a user would. */
  untilState(id: string, ...states: TaskView['state'][]): Promise<TaskView> {
    return eventually(`${id} is ${states.join(' or ')}`, async () => {
      const task = await this.task(id)
      return states.includes(task.state) && task
    })
  }

  async wait(id: string): Promise<TaskView> {
    const { stdout } = await this.run(['wait', id, '--timeout', PATIENCE, '--json'], {
      directory: '/',
    })
    return JSON.parse(stdout).tasks[0]
  }

  /** Waits until the agent has made the file `under-way` in the worktree of its task. */
  async underWay(id: string): Promise<void> {
    const path = join(this.worktree(id), 'under-way')
    await eventually('the agent is under way', () => existsSync(path))
  }

  /** Waits until the worker has done what it does after the end of a task: it takes secrets away. */
  async untilForgotten(id: string): Promise<void> {
    const environment = join(this.home, 'tasks', id, 'environment.json')
    await eventually(`the environment of ${id} is forgotten`, () => !existsSync(environment))
  }

  worktree(id: string): string {
    return join(this.home, 'worktrees', id)
  }

  runDirectory(id: string, fence = 1): string {
    return join(this.home, 'tasks', id, 'runs', String(fence))
  }

  /** A pid that an attempt wrote down: its agent's, or its wrapper's. */
  pid(id: string, who: 'pid' | 'wrapper' = 'pid', fence = 1): number {
    return Number.parseInt(readFileSync(join(this.runDirectory(id, fence), who), 'utf8'), 10)
  }

  /** Of the worker that is up, or comes up: one that was killed is started again in a moment. */
  workerPid(): Promise<number> {
    return eventually('a worker is up', async () => {
      const { pid } = JSON.parse(await this.ok(['worker', 'status', '--json'], { directory: '/' }))
      return typeof pid === 'number' && pid
    })
  }

  /** Kills worker and watchdog, whichever comes first: the one may just be starting the other. */
  async killWorkers(): Promise<void> {
    await eventually('neither worker nor watchdog is left', () => {
      const left = this.processes().filter(line => line.includes('worker run'))
      for (const line of left) killIfThere(Number.parseInt(line, 10))
      return left.length === 0
    })
  }

  /** Stops the worker where it stands, but not in the middle of a write: that would hold up all. */
  async suspendWorker(): Promise<number> {
    const pid = await this.workerPid()
    return await eventually('it stands still outside of a write', async () => {
      process.kill(pid, 'SIGSTOP')
      // Until the signal is there it may still begin one.
      await eventually('it stands still', () => isStopped(pid))
      if (!this.#isWritten()) return pid
      process.kill(pid, 'SIGCONT')
      return undefined
    })
  }

  #isWritten(): boolean {
    const store = new DatabaseSync(join(this.home, 'store.db'), { timeout: 0 })
    try {
      store.exec('BEGIN IMMEDIATE; ROLLBACK')
      return false
    } catch {
      return true
    } finally {
      store.close()
    }
  }

  /** Everything that our promise names: files, index bytes, HEAD, refs of the user's, stash. */
  fingerprint(directory = this.repo): string {
    return fingerprint(directory, (...words) => this.gitIn(directory, ...words))
  }

  /** Live processes of this house: with its state directory in their environment, or inside it. */
  processes(): string[] {
    return processesOf(this.scratch)
  }

  /** Stops the worker, and fails the test if anything of it is left running. */
  async leave(): Promise<void> {
    if (existsSync(this.home)) await this.run(['worker', 'stop'], { directory: '/' })
    let left: string[] = []
    try {
      await eventually(
        'nothing is left running',
        () => {
          left = this.processes()
          return left.length === 0
        },
        30_000,
      )
    } catch {
      for (const line of left) killIfThere(Number.parseInt(line, 10))
      const log = existsSync(join(this.home, 'worker.log'))
        ? readFileSync(join(this.home, 'worker.log'), 'utf8')
        : ''
      throw new Error(`${log}the test left processes behind:\n${left.join('\n')}`)
    } finally {
      for (const undo of this.atTheEnd) undo()
      rmSync(this.scratch, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}
