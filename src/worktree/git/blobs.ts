/** Blobs written out as files or links, to the byte: no filter has a say. */
import { chmodSync, closeSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { Standing } from '../files/standing.ts'
import type { Git, GitPlace } from './git.ts'

export interface WantedBlob {
  readonly standing: Standing
  /** Where it is written; what is there is replaced. */
  readonly to: string
}

/** So much is held in memory at once; what is larger goes straight from git to its file. */
const BATCH_BYTES = 8 * 1024 * 1024

/** One spawn for each batch, and for each large file. */
export async function writeBlobs(
  git: Git,
  place: GitPlace,
  wanted: readonly WantedBlob[],
): Promise<void> {
  let batch: WantedBlob[] = []
  let bytes = 0
  const flush = async () => {
    if (batch.length > 0) await writeBatch(git, place, batch)
    batch = []
    bytes = 0
  }
  for (const blob of wanted) {
    const size = blob.standing.kind === 'file' ? blob.standing.size : 0
    if (size > BATCH_BYTES) {
      await writeLarge(git, place, blob)
      continue
    }
    if (bytes + size > BATCH_BYTES) await flush()
    batch.push(blob)
    bytes += size
  }
  await flush()
}

async function writeBatch(git: Git, place: GitPlace, batch: readonly WantedBlob[]): Promise<void> {
  const input = Buffer.from(batch.map(({ standing }) => `${standing.object}\n`).join(''))
  const { stdout } = await git.run(['cat-file', '--batch'], { place, input })
  let at = 0
  for (const { standing, to } of batch) {
    // `<id> blob <size>`, the content, and a newline; or `<id> missing`.
    const end = stdout.indexOf('\n', at)
    const [, type, size] = stdout.toString('latin1', at, end).split(' ')
    if (type !== 'blob') throw new Error(`the object ${standing.object} is gone`)
    const content = stdout.subarray(end + 1, end + 1 + Number(size))
    at = end + 2 + Number(size)
    rmSync(to, { force: true })
    if (standing.kind === 'link') symlinkSync(content, to)
    else {
      writeFileSync(to, content, { mode: 0o600 })
      chmodSync(to, standing.mode)
    }
  }
}

async function writeLarge(git: Git, place: GitPlace, { standing, to }: WantedBlob): Promise<void> {
  rmSync(to, { force: true })
  const file = openSync(to, 'wx', 0o600)
  try {
    await git.run(['cat-file', 'blob', standing.object], { place, outputTo: file })
  } finally {
    closeSync(file)
  }
  if (standing.kind === 'file') chmodSync(to, standing.mode)
}
