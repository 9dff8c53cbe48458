/**
 * Bytes that git's own checkout would not give back: mixed line ends, LF where CR LF is configured,
 * what a filter loses. They are kept beside the stored form of the file, and written over it in the
 * new worktree; for git it is the same file.
 */
import {
  closeSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { blobId, readFileOnce } from '../files/contents.ts'
import { type BytePath, joinPaths, pathOnDisk } from '../files/paths.ts'
import { type Git, GitError, type GitPlace } from '../git/git.ts'

const CHUNK_BYTES = 256 * 1024

/**
 * Of these paths, those whose form in the index a checkout turns into the bytes on disk: it is tried
 * out in a directory apart.
 */
export async function findReturned(
  git: Git,
  place: GitPlace,
  root: string,
  paths: readonly BytePath[],
  scratch: string,
): Promise<ReadonlySet<BytePath>> {
  const directory = mkdtempSync(join(scratch, 'returned-'))
  try {
    await git
      .run(['checkout-index', '--quiet', `--prefix=${directory}/`, '-z', '--stdin'], {
        place,
        input: joinPaths(paths),
      })
      .catch((error: unknown) => {
        // A filter that fails fails them all; those before it are there.
        if (!(error instanceof GitError)) throw error
      })
    return new Set(
      paths.filter(path => isSameFile(pathOnDisk(root, path), pathOnDisk(directory, path))),
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function isSameFile(a: Buffer, b: Buffer): boolean {
  const [one, other] = [a, b].map(path => lstatSync(path, { throwIfNoEntry: false }))
  if (one?.isFile() !== true || other?.isFile() !== true || one.size !== other.size) return false
  const files = [openSync(a, 'r'), openSync(b, 'r')]
  try {
    const chunks = files.map(() => Buffer.allocUnsafe(CHUNK_BYTES))
    for (;;) {
      const [left, right] = files.map((file, n) => {
        const chunk = chunks[n] ?? Buffer.alloc(0)
        return chunk.subarray(0, readSync(file, chunk, 0, chunk.length, null))
      })
      if (left === undefined || right === undefined || !left.equals(right)) return false
      if (left.length === 0) return true
    }
  } finally {
    for (const file of files) closeSync(file)
  }
}

/** Gives the files of a new worktree their bytes, where a checkout has not. True: some it had not. */
export async function writeVerbatim(
  git: Git,
  place: GitPlace & { workTree: string },
  files: ReadonlyMap<BytePath, string>,
): Promise<boolean> {
  let written = false
  for (const [path, object] of files) {
    const found = readFileOnce(place.workTree, path)
    if ('kind' in found) continue
    const format = object.length === 64 ? 'sha256' : 'sha1'
    if (found.content !== null && blobId(found.content, format) === object) continue
    const { stdout } = await git.run(['cat-file', 'blob', object], { place })
    // In place: its mode is right already.
    writeFileSync(pathOnDisk(place.workTree, path), stdout)
    written = true
  }
  return written
}
