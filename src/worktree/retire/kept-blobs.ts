/**
 * Files of submodules that are byte for byte what the commit has that they stand on: nearly all. They
 * need not be kept a second time beside its objects, which are kept too.
 */
import { lstatSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { blobId, type ObjectFormat, readFileOnce } from '../files/contents.ts'
import { type BytePath, isText, parsePath, pathOnDisk } from '../files/paths.ts'
import { writeBlobs } from '../git/blobs.ts'
import { splitAtNul } from '../git/conversion.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { makeOwnRepository } from '../git/own-repository.ts'
import { isUnchanged } from './ignored.ts'

/** In the place of its bytes: what they are, and whose objects have them. */
export interface KeptBlob {
  readonly path: BytePath
  readonly length: number
  readonly mode: number
  /** Of the inode as it was read (`ctime`), in nanoseconds since 1970. */
  readonly changedAt: string
  readonly blob: string
}

/** What reads the objects of a git directory, and nothing else of it. */
function makeReader(gitDir: string, format: ObjectFormat, scratch: string): GitPlace {
  const reader = mkdtempSync(join(scratch, 'reader-'))
  makeOwnRepository(reader, [join(gitDir, 'objects')], format)
  return { gitDir: reader }
}

const formatOf = (id: string): ObjectFormat => (id.length === 64 ? 'sha256' : 'sha1')

/** So much is held in memory at once. */
const BATCH_BYTES = 32 * 1024 * 1024

/** A repository inside of a worktree; `path`: of its files, below those of the worktree. */
export interface MetRepository {
  readonly path: BytePath
  readonly gitDir: string
  /** Ours, that shows what it holds. */
  readonly own: string
}

/** Those of the files whose bytes HEAD has, once its objects were read back. A few spawns. */
export async function findBlobs(
  git: Git,
  root: string,
  { path: top, gitDir, own }: MetRepository,
  files: ReadonlySet<BytePath>,
  scratch: string,
): Promise<readonly KeptBlob[]> {
  const words = ['ls-tree', '-r', '-z', '--full-tree', 'HEAD']
  // 128: it names no commit.
  const { stdout } = await git.run(words, { place: { gitDir: own }, answers: [128] })
  const equal = splitAtNul(stdout).flatMap(record => {
    const tab = record.indexOf(0x09)
    const id = record.toString('latin1', 0, tab).split(' ')[2] ?? ''
    const path = `${top}/${parsePath(record.subarray(tab + 1))}` as BytePath
    // By name, git gives the bytes to a file whose name is text.
    const found = files.has(path) && isText(path) ? readBlob(root, path, formatOf(id)) : undefined
    return found?.blob === id ? [found] : []
  })
  const [first] = equal
  if (first === undefined) return []
  const reader = makeReader(gitDir, formatOf(first.blob), scratch)
  const kept: KeptBlob[] = []
  for (const batch of batchesOf(equal)) {
    const present = await readBack(git, reader, batch)
    kept.push(...batch.filter(({ blob }) => present.has(blob)))
  }
  return kept
}

function batchesOf(blobs: readonly KeptBlob[]): KeptBlob[][] {
  const batches: KeptBlob[][] = [[]]
  let bytes = 0
  for (const blob of blobs) {
    bytes += blob.length
    if (bytes > BATCH_BYTES) {
      batches.push([])
      bytes = blob.length
    }
    batches.at(-1)?.push(blob)
  }
  return batches
}

/** Undefined: it is no plain file, or too large to be held in memory. */
function readBlob(root: string, path: BytePath, format: ObjectFormat): KeptBlob | undefined {
  const before = lstatSync(pathOnDisk(root, path), { bigint: true, throwIfNoEntry: false })
  const reading = readFileOnce(root, path)
  if (before === undefined || 'kind' in reading || reading.content === null) return undefined
  const { content, size: length } = reading
  const [mode, changedAt] = [Number(before.mode) & 0o777, String(before.ctimeNs)]
  return { path, length, mode, changedAt, blob: blobId(content, format) }
}

/** Of these, those whose bytes git gives. One spawn. */
async function readBack(
  git: Git,
  place: GitPlace,
  blobs: readonly KeptBlob[],
): Promise<ReadonlySet<string>> {
  const ids = new Set(blobs.map(({ blob }) => blob))
  const input = Buffer.from([...ids].map(id => `${id}\n`).join(''))
  const { stdout } = await git.run(['cat-file', '--batch', '--buffer'], { place, input })
  const present = new Set<string>()
  for (let at = 0; at < stdout.length; ) {
    // `<id> blob <size>`, the content, and a newline; or `<id> missing`.
    const end = stdout.indexOf('\n', at)
    const [id = '', type, size] = stdout.toString('latin1', at, end).split(' ')
    at = end + 1
    if (type !== 'blob') continue
    const content = stdout.subarray(at, at + Number(size))
    if (blobId(content, formatOf(id)) === id) present.add(id)
    at += content.length + 1
  }
  return present
}

/** Whether a file is still the very one that was kept so. */
export function isSameBlob(
  root: string,
  { path, length, mode, changedAt, blob }: KeptBlob,
): boolean {
  if (!isUnchanged(root, { path, size: length, mode, changedAt })) return false
  return readBlob(root, path, formatOf(blob))?.blob === blob
}

/** Writes them where they were, from the same repository, and reads each back. */
export async function placeBlobs(
  git: Git,
  root: string,
  gitDir: string,
  blobs: readonly KeptBlob[],
  scratch: string,
): Promise<void> {
  const [first] = blobs
  if (first === undefined) return
  const reader = makeReader(gitDir, formatOf(first.blob), scratch)
  const wanted = blobs.map(({ path, length, mode, blob }) => {
    const to = pathOnDisk(root, path).toString('utf8')
    return { standing: { kind: 'file', object: blob, size: length, mode } as const, to }
  })
  await writeBlobs(git, reader, wanted)
  for (const { path, blob } of blobs) {
    if (readBlob(root, path, formatOf(blob))?.blob === blob) continue
    throw new Error(`what was kept of ${pathOnDisk(root, path)} is torn`)
  }
}
