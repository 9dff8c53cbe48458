/** Where a soak takes place: a state directory, a repository, a copy of the built program. */
import { type ChildProcess, execFile, execFileSync } from 'node:child_process'
import {
  cpSync,
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
import { fileURLToPath } from 'node:url'
import { fingerprint } from '../fingerprint.ts'
import { processesOf } from '../processes-of.ts'

export interface Ran {
  /** Null: it was killed. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const QUIET_LOOKS = 10
const LOOK_MS = 20
/** More than the two that half the cores of a small machine give: they are to get in each other's way. */
const SLOTS = 6

export class Place {
  readonly scratch = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-soak-')))
  readonly home = join(this.scratch, 'home')
  readonly repo = join(this.scratch, 'mein Prójekt')
  /** Where the programs write down what they have done. */
  readonly did = join(this.scratch, 'soak', 'did')
  /** Somebody who is told of every end. */
  readonly told = join(this.scratch, 'told.jsonl')
  /** Commands of ours that are under way. */
  readonly commands = new Set<ChildProcess>()
  readonly #entry = join(this.scratch, 'program', 'bin', 'holdfast.cjs')
  readonly #environment: Readonly<Record<string, string>>
  readonly #before: string

  constructor() {
    // A build in the meantime does not change what is tested.
    for (const part of ['bin', 'dist']) {
      const source = fileURLToPath(new URL(`../../${part}`, import.meta.url))
      cpSync(source, join(this.scratch, 'program', part), { recursive: true })
    }
    const programs = join(this.scratch, 'programs')
    cpSync(fileURLToPath(new URL('programs', import.meta.url)), programs, { recursive: true })
    for (const name of ['did', 'sessions']) {
      mkdirSync(join(this.scratch, 'soak', name), { recursive: true })
    }
    this.#environment = {
      PATH: [programs, dirname(process.execPath), process.env.PATH].join(':'),
      HOME: this.scratch,
      HOLDFAST_HOME: this.home,
      HOLDFAST_TALK: 'one-shot',
      HOLDFAST_SLOTS: String(SLOTS),
      HOLDFAST_KEEP_WORKTREES: '8',
      HOLDFAST_SNAPSHOT_SECONDS: '2',
      // The same worker to the end, so that its memory can be looked at.
      HOLDFAST_WORKER_IDLE: '1h',
      CODEX_API_KEY: 'of no use',
      SOAK: join(this.scratch, 'soak'),
      GIT_AUTHOR_NAME: 'T',
      GIT_AUTHOR_EMAIL: 't@localhost',
      GIT_COMMITTER_NAME: 'T',
      GIT_COMMITTER_EMAIL: 't@localhost',
    }
    mkdirSync(this.home, { mode: 0o700 })
    const settings = { notify: [`file:${this.told}`] }
    writeFileSync(join(this.home, 'config.json'), JSON.stringify(settings))
    this.#makeRepository()
    this.#before = this.fingerprint()
  }

  get isAsBefore(): boolean {
    return this.fingerprint() === this.#before
  }

  fingerprint(): string {
    // Agents with full permissions make branches of their own.
    const refs = () => this.git('for-each-ref', '--format=%(refname) %(objectname)', 'refs/tags')
    return fingerprint(this.repo, refs)
  }

  git(...words: string[]): string {
    const stdio = ['ignore', 'pipe', 'pipe'] as const
    const options = { cwd: this.repo, env: this.#environment, encoding: 'utf8' } as const
    return execFileSync('git', words, { ...options, stdio: [...stdio] })
  }

  /** Runs the program to its end, or to its death. */
  run(words: readonly string[], directory = this.repo, input = ''): Promise<Ran> {
    return new Promise(resolve => {
      const options = {
        cwd: directory,
        env: this.#environment,
        encoding: 'utf8',
        maxBuffer: 64_000_000,
      } as const
      const child = execFile(
        process.execPath,
        [this.#entry, ...words],
        options,
        (error, out, err) => {
          this.commands.delete(child)
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null
          resolve({ code, stdout: out, stderr: err })
        },
      )
      this.commands.add(child)
      // Who was killed reads nothing.
      child.stdin?.on('error', () => undefined).end(input)
    })
  }

  /** The worker that holds the post, as it wrote itself down; undefined: none has. */
  workerPid(): number | undefined {
    const text = readIfThere(join(this.home, 'worker.json'))
    const pid = text === undefined ? undefined : parseCard(text)?.identity?.pid
    return pid !== undefined && this.isOurs(pid) ? pid : undefined
  }

  /** A process that belongs to this place: no other one is ever signalled. */
  isOurs(pid: number): boolean {
    return processesOf(this.scratch).some(line => Number.parseInt(line, 10) === pid)
  }

  processes(): string[] {
    return processesOf(this.scratch)
  }

  /** Ends everything that is left, without a further step of this program. `keep`: not its files. */
  abandon(keep = false): void {
    const cell = new Int32Array(new SharedArrayBuffer(4))
    for (let quiet = 0; quiet < QUIET_LOOKS; quiet++) {
      for (const line of this.processes()) {
        quiet = 0
        try {
          process.kill(Number.parseInt(line, 10), 'SIGKILL')
        } catch {
          // It went by itself.
        }
      }
      Atomics.wait(cell, 0, 0, LOOK_MS)
    }
    if (!keep) rmSync(this.scratch, { recursive: true, force: true, maxRetries: 5 })
  }

  #makeRepository(): void {
    mkdirSync(join(this.repo, 'src'), { recursive: true })
    this.git('init', '--quiet', '--initial-branch=trunk', '--template=')
    const write = (name: string, content: string) => writeFileSync(join(this.repo, name), content)
    for (let n = 0; n < 40; n++) write(`src/${n}.txt`, `${n}\n`.repeat(50))
    write('.gitignore', 'ignored.env\nnode_modules/\n')
    this.git('add', '.')
    this.git('commit', '--quiet', '--message=first')
    write('src/0.txt', 'edited by the caller\n')
    write('untracked.txt', 'of the caller\n')
  }
}

export function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

function parseCard(text: string): { identity?: { pid?: number } } | undefined {
  try {
    return JSON.parse(text)
  } catch {
    // It is just being written.
    return undefined
  }
}
