/** Raw output is compressed, read again and dropped; a death in between loses and hides nothing. */
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { makeRawOutput } from '../../src/process/raw-output.ts'
import { scratchDirectory } from '../scratch.ts'

const raw = makeRawOutput()
/** More than goes through a stream at once; of bytes that pack, and bytes that do not. */
const BYTES = Buffer.concat([Buffer.alloc(300_000, 'line\n'), randomBytes(200_000)])

function makeRun(stdout: Uint8Array = BYTES, stderr: Uint8Array = Buffer.alloc(0)): string {
  const run = scratchDirectory()
  writeFileSync(join(run, 'stdout'), stdout, { mode: 0o600 })
  writeFileSync(join(run, 'stderr'), stderr, { mode: 0o600 })
  return run
}

async function readFrom(run: string, from: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of raw.read(run, from)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('what is compressed is the same, from every offset, and private', async () => {
  const run = makeRun(BYTES, Buffer.alloc(10_000, 'error\n'))
  const before = raw.look(run)
  expect(before).toMatchObject({ compressible: before.bytes, isDropped: false })
  const freed = await raw.compress(run)
  expect(readdirSync(run).sort()).toEqual(['stderr.gz', 'stdout.gz'])
  expect(raw.look(run)).toEqual({ bytes: before.bytes - freed, compressible: 0, isDropped: false })
  expect(freed).toBeGreaterThan(250_000)
  expect(gunzipSync(readFileSync(join(run, 'stdout.gz'))).equals(BYTES)).toBe(true)
  expect(statSync(join(run, 'stdout.gz')).mode & 0o777).toBe(0o600)
  for (const from of [0, 1, 299_999, BYTES.length - 1, BYTES.length, BYTES.length + 1]) {
    expect((await readFrom(run, from)).equals(BYTES.subarray(from))).toBe(true)
  }
  expect(await raw.compress(run)).toBe(0)
})

test('what would not take less stays plain', async () => {
  const run = makeRun(Buffer.from('one line\n'))
  expect(raw.look(run).compressible).toBe(0)
  await raw.compress(run)
  expect(readdirSync(run).sort()).toEqual(['stderr', 'stdout'])
  expect((await readFrom(run, 4)).toString()).toBe('line\n')
})

test('a death in the middle is gone on from: half of a file, or both of them', async () => {
  const half = makeRun()
  writeFileSync(join(half, 'stdout.gz.new'), 'torn')
  const both = makeRun()
  await raw.compress(both)
  writeFileSync(join(both, 'stdout'), BYTES)
  // Both stand: the plain one counts, whatever the other says.
  writeFileSync(join(both, 'stdout.gz'), 'torn')
  expect((await readFrom(both, 0)).equals(BYTES)).toBe(true)
  for (const run of [half, both]) {
    await raw.compress(run)
    expect(readdirSync(run).sort()).toEqual(['stderr', 'stdout.gz'])
    expect((await readFrom(run, 0)).equals(BYTES)).toBe(true)
  }
})

test('a compressed one that is damaged is told, and never read as less', async () => {
  const run = makeRun()
  await raw.compress(run)
  const whole = readFileSync(join(run, 'stdout.gz'))
  writeFileSync(join(run, 'stdout.gz'), whole.subarray(0, whole.length / 2))
  await expect(readFrom(run, 0)).rejects.toThrow(/unexpected end/)
})

test('what was dropped is known to have been there', async () => {
  const run = makeRun()
  await raw.compress(run)
  expect(await raw.drop(run)).toBeGreaterThan(0)
  expect(readdirSync(run)).toEqual(['output-dropped'])
  expect(raw.look(run)).toEqual({ bytes: 0, compressible: 0, isDropped: true })
  expect(await readFrom(run, 0)).toEqual(Buffer.alloc(0))
  expect(await raw.drop(run)).toBe(0)
  expect(raw.look(makeRun(Buffer.alloc(0)))).toMatchObject({ bytes: 0, isDropped: false })
})

test('a link in the place of a file is not followed, and what is behind it stays', async () => {
  const run = scratchDirectory()
  const elsewhere = join(scratchDirectory(), 'mine')
  writeFileSync(elsewhere, BYTES)
  symlinkSync(elsewhere, join(run, 'stdout'))
  expect(raw.look(run)).toMatchObject({ bytes: 0, compressible: 0 })
  await raw.compress(run)
  await raw.drop(run)
  expect(readFileSync(elsewhere).equals(BYTES)).toBe(true)
})

test('where nothing can be written all stays as it is', async () => {
  const run = makeRun()
  // Nobody may write a name that is a directory.
  mkdirSync(join(run, 'stdout.gz.new'))
  await expect(raw.compress(run)).rejects.toThrow()
  expect(existsSync(join(run, 'stdout.gz'))).toBe(false)
  expect((await readFrom(run, 0)).equals(BYTES)).toBe(true)
})
