/** What a boot entry starts, and how a program is named so that its next update does not move it. */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import { isExecutable } from '../own-session.ts'

export interface BootProgram {
  readonly node: string
  readonly entry: string
  /** The state directory. */
  readonly home: string
  /** The PATH of the worker. */
  readonly path: string
}

/** The worker comes up, with its watchdog, and the command ends: by every method alike. */
export const BOOT_WORDS = ['worker', 'start'] as const

/** Where names of programs outlive the versions behind them: Homebrew, npm, distributions. */
const LASTING = ['/usr/local/bin', '/opt/homebrew/bin', '/usr/bin']
/** A shell's or a project's own, gone with it: fnm's, npx's, `npm run`'s. */
const PASSING =
  /^\/(?:private\/)?(?:tmp|run|var\/run|var\/folders|dev\/shm)\/|\/node_modules\/\.bin\b/
const STANDARD = ['/usr/local/bin', '/usr/bin', '/bin']

/** `command`: our own, Node and entry as they were started. */
export function findBootProgram(
  command: readonly [string, string],
  home: string,
  path: string,
): BootProgram {
  const own = path.split(':').filter(directory => isAbsolute(directory) && !PASSING.test(directory))
  const node = findLastingName(command[0], 'node', [...LASTING, ...own])
  const entry = findLastingName(command[1], 'holdfast', [...own, ...LASTING])
  const git = own.find(directory => isExecutable(join(directory, 'git')))
  const directories = [dirname(node), ...(git === undefined ? [] : [git]), ...STANDARD]
  return { node, entry, home, path: [...new Set(directories)].join(':') }
}

/** The first of the places where the same file is found under its plain name, else where it is. */
export function findLastingName(
  program: string,
  name: string,
  directories: readonly string[],
): string {
  const real = realOf(program)
  const found = directories.map(directory => join(directory, name))
  return found.find(path => realOf(path) === real) ?? program
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined // It is not there.
  }
}

/** Refuses what no entry could say, or what is gone by the next boot. */
export function requireBootable(program: BootProgram): void {
  const { node, entry, home } = program
  if (/\/_npx\//.test(entry)) {
    throw new AppError('refused_in_state', `${entry} is in the cache of npx, which forgets it`, {
      hint: 'install it first: npm install --global holdfast',
    })
  }
  const odd = [node, entry, home].find(path => hasControl(path))
  if (odd === undefined) return
  throw new AppError(
    'refused_in_state',
    `a path with a control character: ${JSON.stringify(odd)}`,
    {
      hint: 'set HOLDFAST_HOME to another place',
    },
  )
}

const hasControl = (text: string) => [...text].some(letter => letter < ' ' || letter === '\x7f')

/** Why it could not be started; null: it could. */
export function findProgramProblem({ node, entry, home }: BootProgram): string | null {
  if (!isExecutable(node)) return `it names ${node}, which is not there`
  if (!existsSync(entry)) return `it names ${entry}, which is not there`
  return existsSync(home) ? null : `it names ${home}, which is not there`
}

/** A line of an entry that says what the rest was made of. */
export const recordOf = (program: BootProgram) => JSON.stringify(program)

/** Undefined: it is none of ours. */
export function parseRecord(json: string): BootProgram | undefined {
  try {
    const { node, entry, home, path } = JSON.parse(json)
    const all = [node, entry, home, path]
    return all.every(text => typeof text === 'string') ? { node, entry, home, path } : undefined
  } catch {
    return undefined
  }
}
