/**
 * Starting a program that is nobody's child: in a process session of its own, its parent gone at
 * once. Node's `detached` makes the intermediate the leader of a session; `setsid`, which may not
 * be one, forks, and its first half exits while the second becomes the program.
 */
import { spawn } from 'node:child_process'
import { accessSync, closeSync, constants, openSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { AppError, messageOf } from '../domain/errors.ts'

/** What `setsid` does, for systems without it (macOS has none). */
const PERL_SETSID = `use POSIX ();
my $pid = fork; defined $pid or exit 71; exit 0 if $pid;
POSIX::setsid(); exec { $ARGV[0] } @ARGV; exit 127`

export interface Detached {
  /** The program is an absolute path. */
  readonly argv: readonly [string, ...string[]]
  /** The whole environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Where stdout and stderr are appended to; null: nowhere. */
  readonly logFile: string | null
}

/**
 * Resolves once the program has been handed over. Rejects with `launch_failed` if it was not: then
 * nothing has been started. That the program, once alone, failed cannot be seen from here.
 */
export async function startDetached(program: Detached, toolPath: string): Promise<void> {
  const [command, ...args] = [...findSetsid(toolPath), ...program.argv] as [string, ...string[]]
  requireExecutable(program.argv[0])
  const log = program.logFile === null ? 'ignore' : openLog(program.logFile)
  try {
    await new Promise<void>((resolve, reject) => {
      const child = spawn(command, args, {
        cwd: '/',
        env: program.environment,
        detached: true,
        stdio: ['ignore', log, log],
      })
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        if (code === 0) resolve()
        else reject(new Error(`${command} ended with ${code ?? signal}`))
      })
    })
  } catch (error) {
    throw new AppError('launch_failed', `cannot start ${program.argv[0]}: ${messageOf(error)}`, {
      cause: error,
    })
  } finally {
    if (log !== 'ignore') closeSync(log)
  }
}

/** The command that puts what follows into a session of its own. */
function findSetsid(toolPath: string): readonly [string, ...string[]] {
  const setsid = findProgram('setsid', toolPath)
  if (setsid !== undefined) return [setsid]
  const perl = findProgram('perl', toolPath)
  if (perl !== undefined) return [perl, '-e', PERL_SETSID, '--']
  throw new AppError('launch_failed', 'neither setsid nor perl is on the PATH', {
    hint: 'install util-linux, which has setsid',
  })
}

function findProgram(name: string, toolPath: string): string | undefined {
  const directories = toolPath.split(':').filter(isAbsolute)
  return directories.map(directory => join(directory, name)).find(isExecutable)
}

function requireExecutable(path: string): void {
  if (isExecutable(path)) return
  throw new AppError('launch_failed', `${path} is not there, or may not be executed`)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false // missing or not ours to execute: either way it cannot be started
  }
}

function openLog(path: string): number {
  try {
    return openSync(path, 'a', 0o600)
  } catch (error) {
    throw new AppError('launch_failed', `cannot open the log ${path}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
