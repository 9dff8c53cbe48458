import { closeSync, openSync, readSync } from 'node:fs'

/** The first line of a record of an agent's may hold all of its instructions. */
const MOST_BYTES = 4 * 1024 * 1024
const CHUNK_BYTES = 64 * 1024

/** The first line of a file of JSON lines, parsed; undefined: there is none, or it is torn. */
export function readFirstLine(path: string): unknown {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return undefined // It is gone, or not for us.
  }
  try {
    const chunks: Buffer[] = []
    for (let bytes = 0; bytes < MOST_BYTES; ) {
      const chunk = Buffer.alloc(CHUNK_BYTES)
      const length = readSync(file, chunk, 0, chunk.length, bytes)
      if (length === 0) break
      bytes += length
      const end = chunk.subarray(0, length).indexOf(0x0a)
      chunks.push(chunk.subarray(0, end < 0 ? length : end))
      if (end >= 0) return JSON.parse(Buffer.concat(chunks).toString('utf8'))
    }
    return undefined
  } catch {
    return undefined
  } finally {
    closeSync(file)
  }
}
