/**
 * stdout is data, stderr is everything else. A reader that goes away (`| head`) ends the command
 * quietly: what it has not read is still in the store.
 */
export interface Output {
  /** Data for stdout; resolves when it was taken. */
  write(data: string | Uint8Array): Promise<void>
  /** One JSON document, or one line of NDJSON. */
  writeJson(document: unknown): Promise<void>
  /** A line for people, on stderr. */
  tell(line: string): void
  /** Whether stdout, or stderr, is a terminal that wants colours. */
  readonly stdoutIsTerminal: boolean
  readonly stderrIsTerminal: boolean
  style(name: Style, text: string): string
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

export function makeOutput(
  stdout: NodeJS.WriteStream,
  stderr: NodeJS.WriteStream,
  environment: Readonly<Record<string, string | undefined>>,
): Output {
  const colours = stdout.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb'
  // Errors of a write come to its callback; without a listener they would also be thrown.
  stdout.on('error', () => undefined)
  stderr.on('error', () => undefined)
  const write = (data: string | Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      stdout.write(data, error => {
        if (error == null) resolve()
        else reject((error as { code?: string }).code === 'EPIPE' ? new ReaderGone() : error)
      })
    })
  return {
    write,
    writeJson: document => write(`${JSON.stringify(document)}\n`),
    tell: line => {
      stderr.write(`${line}\n`)
    },
    stdoutIsTerminal: stdout.isTTY === true,
    stderrIsTerminal: stderr.isTTY === true,
    style(name, text) {
      const [on, off] = codes[name]
      return colours ? `\u001b[${on}m${text}\u001b[${off}m` : text
    },
  }
}
