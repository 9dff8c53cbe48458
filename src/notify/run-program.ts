/** Starts a program that tells the user something: argv, never a shell, and not for long. */
import { execFile } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'
import { redactShapes } from '../domain/redact.ts'
import { DeliveryError } from '../ports/notifier.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Who takes longer waits for something that does not come. */
const LIMIT_MS = 30_000
/** What it prints is of no interest, but for its first words when it fails. */
const MOST_BYTES = 64 * 1_024
const WORDS_KEPT = 200

interface Manner {
  readonly limitMs?: number
  /** Lines on stderr that say nothing about a failure. */
  readonly noise?: RegExp
}

/**
 * Resolves once it has ended with exit code 0. Rejects with a `DeliveryError`, a lasting one where
 * there is no such program.
 */
export function runProgram(
  [program, ...args]: readonly [string, ...string[]],
  environment: Environment,
  signal: AbortSignal,
  { limitMs = LIMIT_MS, noise }: Manner = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = {
      cwd: '/', // The worker's own may be gone.
      env: environment,
      timeout: limitMs,
      killSignal: 'SIGKILL',
      maxBuffer: MOST_BYTES,
      signal,
    } as const
    const child = execFile(program, args, options, (error, _stdout, stderr) => {
      if (error === null) resolve()
      else reject(describe(program, error, said(stderr, noise), limitMs))
    })
    // One that does not read is no failure of ours.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end()
  })
}

function describe(
  program: string,
  error: Error & { code?: unknown; killed?: boolean },
  words: string,
  limitMs: number,
): DeliveryError {
  const fail = (why: string, isLasting: boolean) =>
    new DeliveryError(`${program} ${why}`, isLasting, { cause: error })
  if (error.code === 'ENOENT') return fail('is not on the PATH of the worker', true)
  if (error.code === 'EACCES') return fail('cannot be run', true)
  if (error.name === 'AbortError') return fail('was stopped', false)
  if (error.killed === true)
    return fail(`was ended: it took longer than ${limitMs / 1_000} s`, false)
  return fail(`failed (exit ${String(error.code)})${words}`, false)
}

/** The first line of what a program says when it fails, for the end of a message. */
export function said(stderr: string, noise?: RegExp): string {
  const lines = stripVTControlCharacters(stderr).trim().split('\n')
  const first = lines.find(line => noise?.test(line) !== true) ?? lines[0] ?? ''
  return first === '' ? '' : `: ${redactShapes(first).slice(0, WORDS_KEPT)}`
}
