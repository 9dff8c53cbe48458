/** Where one case is played: a state directory, a repository, and the built program. */
import { execFile } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { CRASH_POINTS_VARIABLE } from '../../src/domain/environment.ts'
import { armPoint } from '../arm-point.ts'
import { CODE_CACHE } from '../code-cache.ts'
import { fingerprint } from '../fingerprint.ts'
import { processesOf } from '../processes-of.ts'
import type { Ground, RepositoryKind } from './ground.ts'

export interface Ran {
  readonly code: number | null
  /** What killed it; null: nothing did. */
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

export class Stage {
  readonly ground: Ground
  readonly scratch: string
  readonly home: string
  readonly repo: string
  /** What arms points; see `src/crash-here.ts` and `stand.sh`. */
  readonly points: string
  readonly keeper: string
  readonly environment: Record<string, string>
  readonly before: string
  /** The same, but for when each file was written. */
  readonly contentBefore: string

  constructor(ground: Ground, kind: RepositoryKind, more: Readonly<Record<string, string>> = {}) {
    this.ground = ground
    this.scratch = ground.makeRoom()
    this.home = join(this.scratch, 'home')
    this.repo = join(this.scratch, 'mein Prójekt')
    this.points = join(this.scratch, 'points')
    this.keeper = join(this.scratch, 'keeper')
    mkdirSync(this.points)
    mkdirSync(join(this.keeper, 'alive'), { recursive: true })
    ground.putRepository(kind, this.repo)
    this.environment = {
      ...ground.environment,
      HOME: this.scratch,
      HOLDFAST_HOME: this.home,
      HOLDFAST_TALK: 'one-shot',
      ...CODE_CACHE,
      [CRASH_POINTS_VARIABLE]: this.points,
      FAULT_POINTS: this.points,
      KEEPER: this.keeper,
      ...more,
    }
    const refs = this.git('for-each-ref', '--format=%(refname) %(objectname)')
    this.before = fingerprint(this.repo, () => refs)
    this.contentBefore = fingerprint(this.repo, () => refs, false)
  }

  git(...words: string[]): string {
    return this.ground.git(this.repo, ...words)
  }

  fingerprint(times = true): string {
    return fingerprint(this.repo, (...words) => this.git(...words), times)
  }

  /** What the keeper of sessions does, as shell commands. */
  setSteps(steps: string): void {
    writeFileSync(join(this.keeper, 'steps'), steps)
  }

  /** Runs the program to its end. */
  run(words: readonly string[], directory = this.repo, input = ''): Promise<Ran> {
    return new Promise(resolve => {
      const options = { cwd: directory, env: this.environment, encoding: 'utf8' } as const
      const argv = [this.ground.entry, ...words]
      const child = execFile(process.execPath, argv, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null
        resolve({ code, signal: error?.signal ?? null, stdout, stderr })
      })
      child.stdin?.on('error', () => undefined) // It was killed before it read.
      child.stdin?.end(input)
    })
  }

  /** The same at a terminal, in the foreground of it. */
  sitDown(words: readonly string[]): Promise<void> {
    return new Promise(resolve => {
      const argv = [process.execPath, this.ground.entry, ...words]
      const line = argv.map(word => `'${word}'`).join(' ')
      const options = { cwd: this.repo, env: this.environment, timeout: 120_000 } as const
      const child = execFile('script', ['-qec', line, '/dev/null'], options, () => resolve())
      // Its end would be taken for the terminal's.
      child.once('exit', () => child.stdin?.destroy())
    })
  }

  arm(point: string, order: 'kill' | 'stand'): void {
    armPoint(this.points, point, order)
  }

  /** For whoever reaches a point next. */
  armAgain(point: string): void {
    for (const name of ['reached', 'pid']) rmSync(join(this.points, `${point}.${name}`))
    this.arm(point, 'kill')
  }

  /** Reaches a point on behalf of somebody who does not know it. True: it was armed. */
  take(point: string): boolean {
    const armed = join(this.points, point)
    if (!existsSync(armed)) return false
    renameSync(armed, `${armed}.reached`)
    writeFileSync(`${armed}.pid`, `${process.pid}\n`)
    return true
  }

  isReached(point: string): boolean {
    return existsSync(join(this.points, `${point}.reached`))
  }

  /** Who stands at a point; undefined: nobody does, yet. */
  standsAt(point: string): number | undefined {
    const text = readIfThere(join(this.points, `${point}.pid`)) ?? ''
    return text.endsWith('\n') ? Number(text) : undefined
  }

  letGo(point: string): void {
    writeFileSync(join(this.points, `${point}.go`), '')
  }

  taskDirectory(id: string): string {
    return join(this.home, 'tasks', id)
  }

  /** The newest run directory of a task; undefined: there is none. */
  runDirectory(id: string): string | undefined {
    const runs = join(this.taskDirectory(id), 'runs')
    const newest = Math.max(0, ...(existsSync(runs) ? readdirSync(runs) : []).map(Number))
    return newest === 0 ? undefined : join(runs, String(newest))
  }

  /** Whether a process of the newest attempt has written itself down. */
  hasWritten(id: string, file: 'wrapper' | 'pid'): boolean {
    const run = this.runDirectory(id)
    return run !== undefined && (readIfThere(join(run, file)) ?? '').endsWith('\n')
  }

  /** Puts the stdin back that `tools/born.sh` has taken away, for whoever still waits for it. */
  giveInput(id: string): void {
    const run = this.runDirectory(id)
    if (run === undefined || !existsSync(join(run, 'stdin.kept'))) return
    try {
      const pipe = openSync(join(run, 'stdin'), constants.O_WRONLY | constants.O_NONBLOCK)
      writeSync(pipe, readFileSync(join(run, 'stdin.kept')))
      closeSync(pipe)
    } catch (error) {
      // Nobody waits: the wrapper was killed.
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
    }
    renameSync(join(run, 'stdin.kept'), join(run, 'stdin'))
  }

  /** The end of what a task's newest attempt has written. */
  newestWords(id: string): string {
    const run = this.runDirectory(id)
    const said = ['stdout', 'stderr'].map(name => readIfThere(join(run ?? '', name))?.slice(-300))
    return said.join(' ')
  }

  /** The worker's own words. */
  log(): string {
    return readIfThere(join(this.home, 'worker.log')) ?? ''
  }

  processes(): string[] {
    return processesOf(this.scratch)
  }

  /** Ends whatever is left of a case that went wrong, and removes everything, or says where it is kept. */
  leave(wentWrong: boolean): string | undefined {
    for (const line of this.processes()) {
      try {
        process.kill(Number.parseInt(line, 10), 'SIGKILL')
      } catch {
        // It went by itself.
      }
    }
    return this.ground.leaveRoom(this.scratch, wentWrong)
  }
}

export function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}
