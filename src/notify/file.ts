/** A file that is appended to: a line of JSON for each notice. */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { messageOf } from '../domain/errors.ts'
import { type Channel, DeliveryError } from '../ports/notifier.ts'

/**
 * Whoever can write to its directory may have put a link in its place, to a file of the user's, or
 * a FIFO that nobody reads.
 */
const FLAGS =
  constants.O_RDWR |
  constants.O_APPEND |
  constants.O_CREAT |
  constants.O_NOFOLLOW |
  constants.O_NONBLOCK

const NEWLINE = 0x0a

export function makeFileChannel(): Channel<'file'> {
  return {
    async send({ path }, notices) {
      const file = await openOwn(path)
      try {
        const lines = notices.map(notice => `${JSON.stringify(notice)}\n`).join('')
        // A death in the middle of a line may not cost the next one.
        const text = (await endsInLine(file)) ? `\n${lines}` : lines
        await file.appendFile(text)
        await file.sync()
      } catch (error) {
        throw fail(path, error)
      } finally {
        await file.close()
      }
    },
  }
}

async function openOwn(path: string): Promise<FileHandle> {
  let file: FileHandle
  try {
    file = await open(path, FLAGS, 0o600)
  } catch (error) {
    throw fail(path, error)
  }
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw new DeliveryError(`${path} is no plain file`, true)
}

async function endsInLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat()
  if (size === 0) return false
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] !== NEWLINE
}

/** Of what does not change by itself, another try makes nothing better. */
const LASTING: readonly string[] = ['ELOOP', 'EISDIR', 'ENOTDIR', 'ENXIO', 'EACCES', 'EPERM']

function fail(path: string, error: unknown): DeliveryError {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const why = code === 'ELOOP' ? 'it is a symbolic link' : messageOf(error)
  return new DeliveryError(`${path} cannot be written to: ${why}`, LASTING.includes(code), {
    cause: error,
  })
}
