/** A program of the user's: argv, never a shell; what is told comes as JSON on its stdin. */
import { type ChildProcess, spawn } from 'node:child_process'
import { messageOf } from '../domain/errors.ts'
import { type Channel, DeliveryError } from '../ports/notifier.ts'
import { type Environment, said } from './run-program.ts'

/** One that has more to do starts it, and ends. */
const LIMIT_MS = 30_000
/** Of what it says when it fails. */
const WORDS_KEPT = 200

/** `environment`: what any program needs, with a PATH on which no agent put anything. */
export function makeCommandChannel(
  environment: Environment,
  limitMs = LIMIT_MS,
): Channel<'command'> {
  return {
    async send({ argv: [program = '', ...args] }, notices, signal) {
      // In a group of its own: whatever it has started ends with it.
      const options = { cwd: '/', env: environment, detached: true } as const
      const child = spawn(program, args, { ...options, stdio: ['pipe', 'ignore', 'pipe'] })
      const limit = AbortSignal.timeout(limitMs)
      const until = AbortSignal.any([signal, limit])
      const end = () => killGroup(child)
      until.addEventListener('abort', end, { once: true })
      let words = ''
      child.stderr.on('data', (data: Buffer) => {
        if (words.length < WORDS_KEPT) words += data.toString()
      })
      // One that reads nothing may be content all the same.
      child.stdin.on('error', () => undefined)
      child.stdin.end(`${JSON.stringify({ notices })}\n`)
      try {
        const { code, by } = await ended(child, program)
        if (code === 0) return
        if (limit.aborted) throw fail(program, `took longer than ${limitMs / 1_000} s`)
        throw fail(program, `ended with ${code ?? by}${said(words)}`)
      } finally {
        until.removeEventListener('abort', end)
        child.stderr.destroy()
      }
    },
  }
}

function ended(
  child: ChildProcess,
  program: string,
): Promise<{ readonly code: number | null; readonly by: string | null }> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code, by) => resolve({ code, by }))
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isLasting = ['ENOENT', 'EACCES', 'ENOEXEC'].includes(error.code ?? '')
      reject(new DeliveryError(`${program} cannot be run: ${messageOf(error)}`, isLasting))
    })
  })
}

function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended by itself.
  }
}

const fail = (program: string, why: string) => new DeliveryError(`${program} ${why}`, false)
