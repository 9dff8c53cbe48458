/** Starts an agent's program for a short answer: its version, its login. */
import { execFile } from 'node:child_process'
import type { Environment } from '../ports/agent.ts'

/** The slowest (Pi) takes 0.9 s on an idle machine, and on a busy one ten times as long. */
const ASK_LIMIT_MS = 30_000

interface Answer {
  readonly code: number
  /** stdout and stderr, without white space around. */
  readonly words: string
}

/** Undefined where it never came to an exit code: null code and no answer are not the same. */
export function askProgram(
  program: string,
  args: readonly string[],
  environment: Environment,
): Promise<Answer | undefined> {
  return new Promise(resolve => {
    const options = {
      cwd: '/', // The caller's directory may be gone, and may hold a configuration of its own.
      env: environment,
      timeout: ASK_LIMIT_MS,
      killSignal: 'SIGKILL',
    } as const
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code
      resolve(typeof code === 'number' ? { code, words: `${stdout}${stderr}`.trim() } : undefined)
    })
    child.stdin?.end()
  })
}
