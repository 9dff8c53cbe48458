/** Files of the state directory that their owner alone can read, whole at every moment. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { AppError, messageOf } from '../domain/errors.ts'

/** Written beside and renamed. Its writers exclude each other. */
export function writePrivately(path: string, text: string): void {
  const beside = `${path}.new`
  const descriptor = openSync(beside, 'w', 0o600)
  try {
    writeSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(beside, path)
}

export function writeDocument(path: string, document: object): void {
  writePrivately(path, `${JSON.stringify(document, undefined, 2)}\n`)
}

/** Undefined: there is none. `parse` throws at what is no such document; `hint`: what is to be done then. */
export function readDocument<T>(
  path: string,
  parse: (json: unknown) => T,
  hint: string,
): T | undefined {
  try {
    return parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new AppError('store_unreadable', `${path} cannot be read: ${messageOf(cause)}`, {
      hint,
      cause,
    })
  }
}
