/** The port `RawOutput` on run directories: `stdout`, later `stdout.gz`, later the word that it was. */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream, createWriteStream, lstatSync, type Stats } from 'node:fs'
import { rename, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { reach } from '../domain/crash-points.ts'
import type { RawState } from '../domain/raw-output.ts'
import type { RawOutput } from '../ports/raw-output.ts'
import { isGone } from './is-gone.ts'
import { syncPath } from './run-directory.ts'

const NAMES = ['stdout', 'stderr'] as const
const DROPPED = 'output-dropped'
/** The least that a file takes: less than that cannot be saved. */
const BLOCK_BYTES = 4096

export function makeRawOutput(): RawOutput {
  return {
    look,
    compress: runDirectory => freed(runDirectory, () => compress(runDirectory)),
    drop: runDirectory => freed(runDirectory, () => drop(runDirectory)),
    read,
  }
}

function look(runDirectory: string): RawState {
  const plain = NAMES.map(name => sizeOf(join(runDirectory, name)))
  const packed = NAMES.map(name => sizeOf(packedOf(join(runDirectory, name))))
  return {
    bytes: sum([...plain, ...packed]),
    compressible: sum(plain.filter(bytes => bytes > BLOCK_BYTES)),
    isDropped: lookAt(join(runDirectory, DROPPED)) !== undefined,
  }
}

const packedOf = (path: string) => `${path}.gz`
const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0)
const lookAt = (path: string) => lstatSync(path, { throwIfNoEntry: false })

/** What a plain file takes on the disk. What an agent put in its place is none of ours. */
function sizeOf(path: string): number {
  const stats = lookAt(path)
  return stats?.isFile() ? Math.min(stats.blocks * 512, roundUp(stats.size)) : 0
}

/** Some file systems set more blocks aside, for a while, than a file comes to. */
const roundUp = (size: number) => Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES

async function freed(runDirectory: string, work: () => Promise<void>): Promise<number> {
  const before = look(runDirectory).bytes
  await work()
  return before - look(runDirectory).bytes
}

async function compress(runDirectory: string): Promise<void> {
  for (const name of NAMES) {
    const path = join(runDirectory, name)
    if (sizeOf(path) > BLOCK_BYTES) await compressFile(runDirectory, path)
  }
}

/** Until the compressed one is proven, the plain one is what counts; where both stand, too. */
async function compressFile(runDirectory: string, path: string): Promise<void> {
  const { createGunzip, createGzip } = await import('node:zlib')
  const half = `${packedOf(path)}.new`
  const before = lstatSync(path)
  try {
    const wrote = createHash('sha256')
    const target = createWriteStream(half, { mode: 0o600, flush: true })
    await pipeline(createReadStream(path), hashing(wrote), createGzip(), target)
    reach('raw-output.written')
    const readBack = createHash('sha256')
    await pipeline(createReadStream(half), createGunzip(), intoHash(readBack))
    const isSame = readBack.digest('hex') === wrote.digest('hex') && isUnchanged(path, before)
    if (!isSame) throw new Error(`${path} is not what was compressed of it`)
    await rename(half, packedOf(path))
  } catch (error) {
    await rm(half, { force: true })
    throw error
  }
  await syncPath(runDirectory)
  reach('raw-output.compressed')
  await unlink(path)
  reach('raw-output.plain-removed')
}

function isUnchanged(path: string, { ino, size, mtimeMs }: Stats): boolean {
  const now = lookAt(path)
  return now?.ino === ino && now.size === size && now.mtimeMs === mtimeMs
}

/** Passes bytes on, and counts them into a hash. */
function hashing(hash: Hash) {
  return async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      hash.update(chunk)
      yield chunk
    }
  }
}

function intoHash(hash: Hash): Writable {
  return new Writable({
    write(chunk: Buffer, _, done) {
      hash.update(chunk)
      done()
    },
  })
}

/** What is not there any more is never taken for an agent that printed nothing. */
async function drop(runDirectory: string): Promise<void> {
  await writeFile(join(runDirectory, DROPPED), '', { mode: 0o600 })
  await syncPath(runDirectory)
  reach('raw-output.drop-noted')
  for (const name of NAMES) {
    const path = join(runDirectory, name)
    await rm(path, { force: true })
    await rm(packedOf(path), { force: true })
  }
  reach('raw-output.dropped')
}

async function* read(runDirectory: string, from: number): AsyncGenerator<Uint8Array> {
  const path = join(runDirectory, 'stdout')
  try {
    if ((lookAt(path)?.size ?? 0) > from) yield* createReadStream(path, { start: from })
    if (lookAt(path) !== undefined) return
  } catch (error) {
    // It was compressed between the look and the opening.
    if (!isGone(error)) throw error
  }
  if (lookAt(packedOf(path)) !== undefined) yield* unpack(packedOf(path), from)
}

async function* unpack(packed: string, from: number): AsyncGenerator<Uint8Array> {
  const { createGunzip } = await import('node:zlib')
  const source = createReadStream(packed)
  const plain = createGunzip()
  source.on('error', error => plain.destroy(error))
  let skip = from
  for await (const chunk of source.pipe(plain) as AsyncIterable<Buffer>) {
    if (chunk.length > skip) yield chunk.subarray(skip)
    skip = Math.max(0, skip - chunk.length)
  }
}
