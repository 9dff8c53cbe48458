/** Gives a host's own command, as a person would. */
import { execFile } from 'node:child_process'
import { AppError } from '../domain/errors.ts'

export type Variables = Readonly<Record<string, string>>

/** They copy some files. Whoever takes longer waits for something that will not come. */
const LIMIT_MS = 120_000

/** What it says on stdout. Refuses with its own words where it does not exit with 0. */
export function runHost(
  program: string,
  words: readonly string[],
  env: Variables,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      cwd: '/', // A repository may have settings of its own.
      env: { ...env },
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
      maxBuffer: 16_000_000,
    } as const
    const child = execFile(program, [...words], options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      const why = error.killed
        ? `no answer within ${LIMIT_MS / 1_000} s`
        : (stderr.trim() || stdout.trim() || error.message).slice(-500)
      const command = [program, ...words].join(' ')
      reject(new AppError('refused_in_state', `${command}: ${why}`, { cause: error }))
    })
    // It may end without having read.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end()
  })
}
