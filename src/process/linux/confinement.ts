/** The confinement of Linux: bubblewrap. */
import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { Confinement, Confines } from '../../ports/confinement.ts'
import { type ConfinementOptions, resolveOwn } from '../confinement/confinement.ts'
import { findHidden, findReal, isWithin, userHomes } from '../confinement/hidden.ts'
import { isExecutable } from '../own-session.ts'
import {
  bubblewrapArguments,
  FILTER_FD,
  GENERATIONS,
  type Loosened,
  namespaceArguments,
  type Surroundings,
} from './bubblewrap.ts'
import { keyboardFilter } from './keyboard-filter.ts'

/** It takes 10 ms. */
const TRIAL_LIMIT_MS = 30_000

/** Below `/run`: where programs are (NixOS), and who knows names. */
const RUN_KEPT = ['booted-system', 'current-system', 'nscd', 'opengl-driver', 'systemd/resolve']

/** In the state directory: an empty file, which is seen in place of a hidden one. */
const NOTHING = 'nothing'

/** A bubblewrap that was seen at work. */
interface Bubblewrap {
  readonly program: string
  /** From version 0.8 on. */
  readonly forbidsNamespaces: boolean
}

export function makeBubblewrap(options: ConfinementOptions): Confinement {
  const filter = keyboardFilter(process.arch)
  let known: Bubblewrap | undefined
  const require = async () => {
    known ??= await tryBubblewrap(options)
    return known
  }
  return {
    async requireWorking() {
      try {
        await require()
      } catch (error) {
        if (!(await options.isSandboxed())) throw error
      }
    },
    holdsTerminals: filter !== null,
    async enclose(given) {
      const { program, forbidsNamespaces } = await require()
      const confines = resolveConfines(given)
      const surroundings = lookAround(confines, options.home)
      const args = bubblewrapArguments(confines, surroundings, forbidsNamespaces)
      if (given.terminal !== true) return { argv: [program, ...args], generations: GENERATIONS }
      if (filter === null) throw unavailable(`a terminal on ${process.arch}`, 'it is not known how')
      const path = writeFilter(options.home, filter)
      return {
        argv: ['/bin/sh', '-c', WITH_FILTER, 'holdfast-filter', path, program, ...args],
        generations: GENERATIONS,
      }
    },
  }
}

/** Becomes bubblewrap, which reads the filter and closes it: $1 is its file, the rest the argv. */
const WITH_FILTER = `exec ${FILTER_FD}<"$1" && shift && exec "$@"`

/** In the state directory, of which nothing confined sees anything. */
function writeFilter(home: string, filter: Uint8Array): string {
  const path = join(home, 'cache', `keyboard-filter-${process.arch}`)
  // An older version may have left another, or a power cut half of it.
  if (existsSync(path) && readFileSync(path).equals(filter)) return path
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const beside = `${path}.${process.pid}`
  writeFileSync(beside, filter, { mode: 0o600 })
  renameSync(beside, path)
  return path
}

/** A mount is made where a path really leads. */
function resolveConfines(confines: Confines): Confines {
  const real = (path: string) => findReal(path)[0] ?? path
  mkdirSync(confines.scratch, { recursive: true, mode: 0o700 })
  return {
    ...confines,
    worktree: real(confines.worktree),
    commonDir: real(confines.commonDir),
    scratch: real(confines.scratch),
    own: resolveOwn(confines.own),
  }
}

function lookAround({ environment, worktree, own }: Confines, home: string): Surroundings {
  const each = (paths: readonly string[]) => [...new Set(paths.flatMap(findReal))]
  const temporary = each(['/tmp', '/var/tmp'])
  const run = each(['/run', '/var/run'])
  const names = findReal('/etc/resolv.conf').filter(path => run.some(one => isWithin(path, one)))
  const runKept = each([...RUN_KEPT.map(name => join('/run', name)), ...names.map(dirname)])
  const nothing = join(home, NOTHING)
  writeFileSync(nothing, '', { mode: 0o600 })
  const replaced = [...temporary, ...run]
  return {
    temporary,
    run,
    runKept,
    hidden: findHidden(userHomes(environment), environment, { always: [home], replaced }),
    loose: (own.loose ?? []).map(({ path, anew = [] }) => listEntries(path, anew)),
    dotGit: join(worktree, '.git'),
    nothing,
  }
}

function listEntries(directory: string, without: readonly string[]): Loosened {
  const entries = readdirSync(directory).flatMap(name => {
    if (without.includes(name)) return []
    const path = join(directory, name)
    return findReal(path).map(source => ({ source, path }))
  })
  return { path: directory, entries }
}

async function tryBubblewrap({ toolPath }: ConfinementOptions): Promise<Bubblewrap> {
  const program = toolPath
    .split(':')
    .filter(isAbsolute)
    .map(directory => join(directory, 'bwrap'))
    .find(isExecutable)
  if (program === undefined) {
    throw unavailable('bubblewrap is not installed', 'install it (apt install bubblewrap)')
  }
  const words = await trial(program, true)
  if (words === null) return { program, forbidsNamespaces: true }
  if (!words.includes('--disable-userns')) throw refused(program, words)
  const older = await trial(program, false)
  if (older === null) return { program, forbidsNamespaces: false }
  throw refused(program, older)
}

/** Null: it works; else its own words. */
function trial(program: string, forbidsNamespaces: boolean): Promise<string | null> {
  const args = [...namespaceArguments(forbidsNamespaces), '--', '/bin/sh', '-c', ':']
  const options = { cwd: '/', env: {}, timeout: TRIAL_LIMIT_MS, killSignal: 'SIGKILL' } as const
  return new Promise(resolve => {
    execFile(program, args, options, (error, _, stderr) => {
      resolve(error === null ? null : stderr.trim() || error.message)
    }).stdin?.end()
  })
}

function refused(program: string, words: string): AppError {
  return unavailable(`${program} does not work here: ${words}`, whatToSet(readSetting))
}

/** What keeps it from working, as far as the kernel's settings tell. */
export function whatToSet(setting: (name: string) => string | undefined): string {
  if (setting('kernel/unprivileged_userns_clone') === '0') {
    return 'allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)'
  }
  if (setting('user/max_user_namespaces') === '0') {
    return 'allow user namespaces (sysctl user.max_user_namespaces=10000)'
  }
  if (setting('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return 'let bwrap make user namespaces (an AppArmor profile with `userns,` for it, or sysctl kernel.apparmor_restrict_unprivileged_userns=0)'
  }
  return 'a container has to be allowed user namespaces and a /proc of their own (docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined)'
}

function readSetting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim()
  } catch {
    return undefined // not every kernel has it
  }
}

function unavailable(message: string, remedy: string): AppError {
  return new AppError('permissions_unavailable', `nothing can confine a program: ${message}`, {
    hint: `${remedy}, or let it do all that you may: --permissions full`,
  })
}
