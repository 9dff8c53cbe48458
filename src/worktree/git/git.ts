/**
 * The one place that spawns git. Every call is argv only, with an environment of ours: nothing
 * inherited that names a repository, no hooks, no fsmonitor, no pager, editor or prompt, and no
 * lock taken that git itself calls optional. Filters of the user's own configuration do run, as
 * they would on the user's own `git status`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { setPriority } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { trustedPath } from '../../domain/environment.ts'
import { AppError } from '../../domain/errors.ts'

/** Where a call works. Without one git finds the repository itself, which only `openCheckout` may. */
export interface GitPlace {
  readonly gitDir: string
  /** Of a linked worktree: its own `commondir` file is then not believed. */
  readonly commonDir?: string
  readonly workTree?: string
  readonly indexFile?: string
  /** Where new objects go, while those of the repository can still be read. */
  readonly newObjects?: string
}

export interface GitCall {
  readonly place?: GitPlace
  readonly cwd?: string
  readonly input?: Uint8Array
  /** Added to the fixed configuration below. */
  readonly config?: Readonly<Record<string, string>>
  /** A file descriptor that takes stdout. */
  readonly outputTo?: number
  /** Exit statuses besides 0 that are an answer, not a failure. */
  readonly answers?: readonly number[]
  /** By which this git and its children are known once we have been killed: `orphans.ts`. */
  readonly badge?: string
}

export interface GitOutput {
  readonly status: number
  readonly stdout: Buffer
  readonly stderr: string
}

/** A git that runs. `ended` rejects with `GitError`, as `run` does. */
export interface GitProcess {
  readonly pid: number | undefined
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  readonly ended: Promise<{ readonly status: number; readonly stderr: string }>
  kill(): void
}

export interface Git {
  /** Runs to the end. Rejects with `GitError` unless it exits with 0 or one of `answers`. */
  run(args: readonly string[], call: GitCall): Promise<GitOutput>
  /** With pipes on stdin and stdout, for what is too large to hold. */
  start(args: readonly string[], call: GitCall): GitProcess
}

/** Git failed: which command, how it ended, and its own words. */
export class GitError extends Error {
  override readonly name = 'GitError'
  /** Null: it died of a signal. */
  readonly status: number | null
  readonly signal: string | null
  readonly stderr: string
  readonly #hadNoRoom: boolean

  constructor(
    command: string,
    status: number | null,
    signal: string | null,
    stderr: string,
    hadNoRoom = false,
  ) {
    const how = signal === null ? `exit ${status}` : `killed by ${signal}`
    super(`git ${command} failed (${how}): ${stderr.trim() || 'it said nothing'}`)
    this.status = status
    this.signal = signal
    this.stderr = stderr.trim()
    this.#hadNoRoom = hadNoRoom
  }

  /** The disk is full. Git says so in words alone, and not always: "couldn't write". */
  get isFull(): boolean {
    return this.#hadNoRoom || /No space left on device|Out of diskspace/.test(this.stderr)
  }
}

/** Objects and refs are on disk when git returns: by default loose objects and refs are not. */
const FIXED_CONFIG: Readonly<Record<string, string>> = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.untrackedCache': 'keep',
  'core.fsync': 'committed,reference',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'submodule.recurse': 'false',
  // Else an edit of a file that a sparse checkout should not have is not looked for.
  'sparse.expectFilesOutsideOfPatterns': 'false',
}

/**
 * A setting that came along from another disk makes git take two files for one. Where names on disk
 * differ by case, they differ: `.git` is looked for by another name. Nor do those in a tree fold.
 */
function caseConfig({ workTree }: GitPlace): Readonly<Record<string, string>> {
  const folds = workTree !== undefined && existsSync(join(workTree, '.GIT'))
  return folds ? {} : { 'core.ignoreCase': 'false' }
}

export const BADGE_VARIABLE = 'HOLDFAST_GIT'

/** The end of what git said is what explains a failure. */
const STDERR_KEPT = 64 * 1024

/**
 * `environment` is the user's: PATH, HOME and what filters need. Its `GIT_*` are not passed on.
 * `umask`: with which git writes into a repository that others may use, too; by default ours.
 * `niceness`: how far its processes stand back behind others.
 */
export function makeGit(
  environment: Readonly<Record<string, string | undefined>>,
  umask?: number,
  niceness = 0,
): Git {
  const inherited = Object.fromEntries(
    Object.entries(environment).filter(
      ([name]) => !name.startsWith('GIT_') && name !== BADGE_VARIABLE,
    ),
  )

  /** By working tree: once, so that not each spawn tries every directory of a PATH. */
  const known = new Map<string, { readonly PATH: string; readonly program: string }>()
  /** What an agent put into its worktree is no git, nor a filter that git starts by name. */
  const programsFor = (workTree = '') => {
    const found = known.get(workTree)
    if (found !== undefined) return found
    const PATH = trustedPath(inherited.PATH ?? '', workTree === '' ? [] : [workTree])
    const programs = { PATH, program: findGit(PATH) }
    known.set(workTree, programs)
    return programs
  }

  const launch = (args: readonly string[], call: GitCall, stdin: 'pipe' | 'ignore') => {
    const { place } = call
    const located = place === undefined ? [] : [`--git-dir=${place.gitDir}`]
    if (place?.workTree !== undefined) located.push(`--work-tree=${place.workTree}`)
    const cwd = call.cwd ?? place?.workTree ?? place?.gitDir
    const { PATH, program } = programsFor(place?.workTree)
    const start = () =>
      spawn(program, [...located, ...args], {
        cwd,
        env: { ...inherited, PATH, ...fixedEnvironment(call) },
        stdio: [stdin, call.outputTo ?? 'pipe', 'pipe'],
      })
    let child: ChildProcess
    try {
      child = umask === undefined ? start() : underUmask(umask, start)
    } catch (cause) {
      // Of a word that no program can be given, and of some directories, it says so at once.
      throw notStarted(cause as Error, cwd)
    }
    if (niceness !== 0) standBack(child.pid, niceness)
    const disks = [cwd, place?.commonDir ?? place?.gitDir].filter(path => path !== undefined)
    return { child, ended: ending(child, args, call.answers ?? [], cwd, disks) }
  }

  return {
    start(args, call) {
      const { child, ended } = launch(args, call, 'pipe')
      const kill = () => void child.kill('SIGKILL')
      return { pid: child.pid, stdin: child.stdin, stdout: child.stdout, ended, kill }
    },
    async run(args, call) {
      const { child, ended } = launch(args, call, call.input === undefined ? 'ignore' : 'pipe')
      const chunks: Buffer[] = []
      child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
      child.stdin?.end(call.input)
      const { status, stderr } = await ended
      return { status, stdout: Buffer.concat(chunks), stderr }
    },
  }
}

/** For a start alone: the child has it when that returns, and files of ours have modes of their own. */
function underUmask<T>(umask: number, start: () => T): T {
  const before = process.umask(umask)
  try {
    return start()
  } finally {
    process.umask(before)
  }
}

function standBack(pid: number | undefined, niceness: number): void {
  try {
    if (pid !== undefined) setPriority(pid, niceness)
  } catch {
    // It is over already, or we may not: then it runs as all others do.
  }
}

function findGit(path: string): string {
  const directories = path.split(delimiter)
  return directories.map(directory => join(directory, 'git')).find(isExecutable) ?? 'git'
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function fixedEnvironment(call: GitCall): Record<string, string> {
  const { place } = call
  const set: Record<string, string> = {
    LC_ALL: 'C',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    // Set but empty: neither core.askPass nor SSH_ASKPASS is asked.
    GIT_ASKPASS: '',
    GIT_PAGER: 'cat',
    GIT_EDITOR: 'false',
    GIT_SEQUENCE_EDITOR: 'false',
  }
  const names = place === undefined ? {} : caseConfig(place)
  const pairs = Object.entries({ ...FIXED_CONFIG, ...names, ...call.config })
  set.GIT_CONFIG_COUNT = String(pairs.length)
  for (const [n, [key, value]] of pairs.entries()) {
    set[`GIT_CONFIG_KEY_${n}`] = key
    set[`GIT_CONFIG_VALUE_${n}`] = value
  }
  if (call.badge !== undefined) set[BADGE_VARIABLE] = call.badge
  if (place?.indexFile !== undefined) set.GIT_INDEX_FILE = place.indexFile
  const commonDir = place?.commonDir
  if (commonDir !== undefined) set.GIT_COMMON_DIR = commonDir
  if (place?.newObjects !== undefined) {
    set.GIT_OBJECT_DIRECTORY = place.newObjects
    set.GIT_ALTERNATE_OBJECT_DIRECTORIES = quoteAlternate(`${commonDir ?? place.gitDir}/objects`)
  }
  return set
}

/** The variable is a list with `:` between; a quoted member may contain one. */
function quoteAlternate(path: string): string {
  return `"${path.replace(/["\\]/g, '\\$&')}"`
}

function ending(
  child: ChildProcess,
  args: readonly string[],
  answers: readonly number[],
  cwd: string | undefined,
  disks: readonly string[],
): Promise<{ status: number; stderr: string }> {
  let stderr = ''
  child.stderr?.setEncoding('utf8')
  child.stderr?.on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT)
  })
  // A git that ends early closes its stdin: how it ended is the news, not the broken pipe.
  child.stdin?.on('error', () => undefined)
  const ended = new Promise<{ status: number; stderr: string }>((resolve, reject) => {
    child.on('error', error => reject(notStarted(error, cwd)))
    child.on('close', (status, signal) => {
      if (status !== null && (status === 0 || answers.includes(status))) resolve({ status, stderr })
      else reject(new GitError(args[0] ?? '', status, signal, stderr, disks.some(hasNoRoom)))
    })
  })
  // Whoever started it looks at the ending later; until then it is not an unhandled rejection.
  ended.catch(() => undefined)
  return ended
}

/** Less than any file of git's takes. */
const NO_ROOM_BYTES = 16_384

function hasNoRoom(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize < NO_ROOM_BYTES
  } catch {
    // It is gone: that is another trouble.
    return false
  }
}

function notStarted(cause: Error, cwd: string | undefined): Error {
  if (cwd !== undefined && !existsSync(cwd)) {
    return new AppError('refused_in_state', `the directory ${cwd} is gone`, { cause })
  }
  const { code = '' } = cause as { code?: string }
  if (code === 'ENOTDIR') return new AppError('bad_usage', `${cwd} is no directory`, { cause })
  if (code === 'ERR_INVALID_ARG_VALUE') return new AppError('bad_usage', cause.message, { cause })
  return new AppError('refused_in_state', `git could not be started: ${cause.message}`, {
    hint: ['EMFILE', 'ENFILE'].includes(code)
      ? 'allow more open files: ulimit -n 1024'
      : 'holdfast needs git on PATH',
    cause,
  })
}
