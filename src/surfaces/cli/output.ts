/**
 * stdout is data, stderr is everything else. Both are written at once and to the end: when a write
 * returns, the reader's side has taken it. A reader that goes away (`| head`) ends the command
 * quietly: what it has not read is still in the store.
 *
 * Written by descriptor: the streams of `process` cost a tenth of a short command's whole time.
 */
import { writeSync } from 'node:fs'
import { AppError, messageOf } from '../../domain/errors.ts'
import { isTerminal } from '../terminal.ts'

export interface Output {
  /** Data for stdout. Throws `ReaderGone` where nobody reads any more; refuses where it is full. */
  write(data: string | Uint8Array): void
  /** One JSON document, or one line of NDJSON. */
  writeJson(document: unknown): void
  /** A line for people, on stderr. It may get lost: nothing depends on it. */
  tell(line: string): void
  readonly stdoutIsTerminal: boolean
  style(name: Style, text: string): string
  /** Text that leads somewhere, on a terminal; the text alone elsewhere. */
  link(address: string, text: string): string
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

const codes: Record<Style, readonly [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
}

/** stdout was closed by whoever read it. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

const STDOUT = 1
const STDERR = 2

export function makeOutput(environment: Readonly<Record<string, string | undefined>>): Output {
  const stdoutIsTerminal = isTerminal(STDOUT)
  const isAble = stdoutIsTerminal && environment.TERM !== 'dumb'
  const colours = isAble && !environment.NO_COLOR
  const write = (data: string | Uint8Array) => {
    try {
      writeAll(STDOUT, data)
    } catch (error) {
      throw explainWrite(error)
    }
  }
  return {
    write,
    writeJson: document => write(`${JSON.stringify(document)}\n`),
    tell(line) {
      try {
        writeAll(STDERR, `${line}\n`)
      } catch {
        // stderr is closed or full: whoever closed it does not want to be told.
      }
    },
    stdoutIsTerminal,
    style(name, text) {
      const [on, off] = codes[name]
      return colours ? `\u001b[${on}m${text}\u001b[${off}m` : text
    },
    link: (address, text) =>
      isAble ? `\u001b]8;;${address}\u001b\\${text}\u001b]8;;\u001b\\` : text,
  }
}

function explainWrite(error: unknown): Error {
  const { code = '' } = error as { code?: string }
  // A socket says the second where its reader had not read everything that had come.
  if (code === 'EPIPE' || code === 'ECONNRESET') return new ReaderGone()
  const isFull = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)
  return new AppError(
    isFull ? 'no_space' : 'refused_in_state',
    `stdout cannot be written: ${messageOf(error)}`,
    { cause: error },
  )
}

/** How long to rest when a reader's pipe is full, in milliseconds. */
const FULL_PIPE_MS = 5

function writeAll(descriptor: number, data: string | Uint8Array): void {
  let left = typeof data === 'string' ? Buffer.from(data) : data
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(descriptor, left))
    } catch (error) {
      // Whoever made the pipe may have made it non-blocking.
      if ((error as { code?: string }).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_MS)
    }
  }
}
