/**
 * Starting a program that is nobody's child: in a process session of its own, its parent gone at
 * once.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { AppError, messageOf } from '../domain/errors.ts'
import { inheritedDescriptors } from './inherited.ts'
import { isExecutable } from './own-session.ts'

export interface Detached {
  /** The program is an absolute path. */
  readonly argv: readonly [string, ...string[]]
  /** What puts it into a session of its own: `ProcessTable.ownSession`. */
  readonly ownSession: readonly [string, ...string[]]
  /** The whole environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Where stdout and stderr are appended to; null: nowhere. */
  readonly logFile: string | null
}

/**
 * Resolves once the program has been handed over. Rejects with `launch_failed` if it was not: then
 * nothing has been started. That the program, once alone, failed cannot be seen from here.
 */
export async function startDetached(program: Detached): Promise<void> {
  const [command, ...args] = [...program.ownSession, ...program.argv] as const
  requireExecutable(program.argv[0])
  const log = program.logFile === null ? 'ignore' : openLog(program.logFile)
  const nothing = openSync('/dev/null', 'r+')
  try {
    await new Promise<void>((resolve, reject) => {
      const child = spawn(command, args, {
        cwd: '/',
        env: program.environment,
        detached: true,
        stdio: passingNothingOn(['ignore', log, log], nothing),
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
    closeSync(nothing)
    if (log !== 'ignore') closeSync(log)
  }
}

/**
 * In the place of each descriptor that we were given stands one that leads nowhere: for a number
 * beyond 2, to ignore it means to leave what is there.
 */
function passingNothingOn(
  streams: readonly ('ignore' | number)[],
  nothing: number,
): ('ignore' | number)[] {
  const inherited = new Set(inheritedDescriptors())
  const length = Math.max(streams.length, ...[...inherited].map(number => number + 1))
  return Array.from({ length }, (_, number) =>
    inherited.has(number) ? nothing : (streams[number] ?? 'ignore'),
  )
}

function requireExecutable(path: string): void {
  if (isExecutable(path)) return
  throw new AppError('launch_failed', `${path} is not there, or may not be executed`)
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
