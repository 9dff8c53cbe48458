/** The environment of another process, and one variable in it: `/proc/PID/environ`. */
import { closeSync, openSync, readSync } from 'node:fs'
import { isGone } from '../is-gone.ts'

/** Grows to the largest environment seen; most have some kilobytes. */
let environment = Buffer.alloc(64 * 1024)

/** Null: it has no such variable, or does not let us see. Undefined: it has no environment at all. */
export function readVariable(pid: number, needle: Buffer): string | null | undefined {
  const length = readIfAllowed(() => readEnvironment(pid))
  if (length === undefined) return null
  if (length === 0) return undefined
  const variables = environment.subarray(0, length)
  let at = variables.indexOf(needle)
  // Variables end with a zero byte; within one, the same text may be part of a value.
  while (at > 0 && variables[at - 1] !== 0) at = variables.indexOf(needle, at + 1)
  if (at < 0) return null
  const end = variables.indexOf(0, at)
  return variables.toString('utf8', at + needle.length, end < 0 ? length : end)
}

/** By which a variable is looked for. */
export function needleOf(variable: string): Buffer {
  return Buffer.from(`${variable}=`)
}

/** Fills `environment`, and returns how many bytes of it. */
function readEnvironment(pid: number): number {
  const file = openSync(`/proc/${pid}/environ`, 'r')
  try {
    let length = 0
    for (;;) {
      const count = readSync(file, environment, length, environment.length - length, null)
      length += count
      if (count === 0) return length
      if (length === environment.length) {
        environment = Buffer.concat([environment, Buffer.alloc(environment.length)])
      }
    }
  } finally {
    closeSync(file)
  }
}

/** Undefined where the process is gone, or is not ours to look into. */
export function readIfAllowed<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (isGone(error) || code === 'EACCES' || code === 'EPERM') return undefined
    throw error
  }
}
