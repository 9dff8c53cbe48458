/**
 * The programs by which macOS is asked of its processes, by their full names: another `ps` or
 * `date` on the user's PATH (GNU's, by way of Homebrew) is asked in another way.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ProcessesUnseen } from '../../ports/process-table.ts'

const DIRECTORIES = {
  ps: '/bin',
  date: '/bin',
  perl: '/usr/bin',
  lsof: '/usr/sbin',
  sysctl: '/usr/sbin',
  ioreg: '/usr/sbin',
} as const

export type ProgramName = keyof typeof DIRECTORIES

export interface Said {
  /** Of the process that spoke, which has ended. */
  readonly pid: number
  readonly stdout: string
}

export interface Programs {
  path(name: ProgramName): string
  /** Runs to the end. `ProcessesUnseen` where the program cannot be run, or fails. */
  run(name: ProgramName, args: readonly string[]): Said
}

/** Far longer than any of them takes; a hanging one must not hold the worker for ever. */
const LIMIT_MS = 10_000
/** A table of ten thousand processes with their environments. */
const MOST_BYTES = 256_000_000

/** Times in words that can be parsed, in no time zone. */
const ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC' } as const

/** As a prefix of a command in `sh`. */
export const SHELL_ENVIRONMENT = Object.entries(ENVIRONMENT)
  .map(([name, value]) => `${name}=${value}`)
  .join(' ')

/**
 * `ps` and `lsof` exit with 1 also when a process that was asked for is gone: what they then say of
 * the others is true.
 */
const answers: Partial<Record<ProgramName, number>> = { ps: 1, lsof: 1 }

/** `directory`: where all of them are, instead. */
export function makePrograms(directory?: string): Programs {
  const path = (name: ProgramName) => join(directory ?? DIRECTORIES[name], name)
  return {
    path,
    run(name, args) {
      const { pid, stdout, stderr, status, signal, error } = spawnSync(path(name), args, {
        env: ENVIRONMENT,
        cwd: '/',
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: LIMIT_MS,
        killSignal: 'SIGKILL',
        maxBuffer: MOST_BYTES,
      })
      if (error !== undefined) throw new ProcessesUnseen(`cannot run ${path(name)}`, error)
      if (status !== 0 && (status === null || status !== answers[name])) {
        throw new ProcessesUnseen(`${name} failed (${signal ?? status}): ${stderr.trim()}`)
      }
      return { pid, stdout }
    },
  }
}
