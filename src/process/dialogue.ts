/**
 * What is said to an agent: lines of `stdin` in its run directory, which its wrapper hands over as
 * they come. Whoever says something never waits for the agent.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { isGone } from './is-gone.ts'

const NEWLINE = 0x0a

/** As `ProcessHost.readBrief`. */
export function readBrief(runDirectory: string): string | null {
  try {
    return readFileSync(join(runDirectory, 'brief'), 'utf8')
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

/** As `ProcessHost.say`. */
export function say(runDirectory: string, lines: readonly string[]): void {
  if (lines.some(line => line.includes('\n'))) throw new Error('a line with an end in its middle')
  const file = openSync(join(runDirectory, 'stdin'), 'a+')
  try {
    append(file, Buffer.from(`${endOfTorn(file)}${lines.map(line => `${line}\n`).join('')}`))
  } finally {
    closeSync(file)
  }
}

/** As `ProcessHost.readSaid`. */
export function readSaid(runDirectory: string): readonly string[] {
  if (!existsSync(join(runDirectory, 'stdin'))) return []
  say(runDirectory, [])
  return readFileSync(join(runDirectory, 'stdin'), 'utf8').split('\n').slice(0, -1)
}

/** What is missing at the end of the last line. */
function endOfTorn(file: number): '\n' | '' {
  const { size } = fstatSync(file)
  const last = Buffer.alloc(1)
  if (size === 0 || readSync(file, last, 0, 1, size - 1) === 0) return ''
  return last[0] === NEWLINE ? '' : '\n'
}

/** In one write, unless the disk is full: then the system takes a part, and refuses the next. */
function append(file: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(file, bytes, written)
  }
}
