import { constants, open } from 'node:fs/promises'
import { getuid } from 'node:process'
import { DeliveryError } from '../ports/notifier.ts'

/** A key or a token is never longer. */
const MOST_BYTES = 4_096

/**
 * What a file with a secret holds, without white space around. Rejects with a lasting
 * `DeliveryError` if it is missing, empty, or not the user's alone: then it may be somebody else's.
 */
export async function readPrivateFile(path: string, what: string): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new DeliveryError(`${what} ${path} ${why}`, true, { cause })
  // A FIFO would never open.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(cause => {
    throw refuse('cannot be read', cause)
  })
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw refuse('is no file')
    if (stats.uid !== getuid?.()) throw refuse('belongs to somebody else')
    if ((stats.mode & 0o077) !== 0) throw refuse('can be read by others: chmod 600 it')
    if (stats.size > MOST_BYTES) throw refuse('is too long')
    const text = (await file.readFile('utf8')).trim()
    if (text === '') throw refuse('is empty')
    return text
  } finally {
    await file.close()
  }
}
