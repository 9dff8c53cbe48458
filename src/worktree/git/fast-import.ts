/**
 * Writes blobs, commits and one ref through `git fast-import`: one pack, synced, with the ref made
 * in the same process, so that no `gc` can come between. 200 files cost 35 ms at any size of the
 * repository, where `git add` to a private index costs up to 270.
 */
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type CommitId, parseCommitId } from '../../domain/ids.ts'
import { type BytePath, quotePath } from '../files/paths.ts'
import { type Git, GitError, type GitPlace } from './git.ts'
import type { TreeEntry } from './status.ts'

export interface CommitOrder {
  readonly ref: string
  readonly message: string
  /** Seconds since 1970. */
  readonly time: number
  /** Null: it has no parent, and `entries` are all it holds. */
  readonly from: CommitId | null
  /** Further parents: an id, or the nth commit of this stream, from 0. */
  readonly merge: readonly (CommitId | number)[]
  /** What `entries` differ from, where that is not `from`. */
  readonly tree?: string
  /** What differs from `from`; null: it is gone. */
  readonly entries: ReadonlyMap<BytePath, TreeEntry | null>
}

export interface FastImport {
  blob(content: Uint8Array): Promise<void>
  /** A blob of `size` bytes, which `write` gives piece by piece; it must give exactly as many. */
  largeBlob<T>(
    size: number,
    write: (take: (chunk: Uint8Array) => Promise<void>) => Promise<T>,
  ): Promise<T>
  commit(order: CommitOrder): Promise<void>
  /** Waits until all is on disk and the ref stands. The commits, in their order. */
  finish(): Promise<readonly CommitId[]>
  /**
   * Ends it without a ref; how it ended. Objects that were already given stay, for git's own `gc`.
   */
  abort(): Promise<unknown>
}

/** Small writes are gathered: 200 small files are two writes to the pipe. */
const GATHERED_BYTES = 128 * 1024

export function startFastImport(git: Git, place: GitPlace): FastImport {
  const process = git.start(['fast-import', '--quiet', '--done', '--force', '--date-format=raw'], {
    place,
    config: {
      // Else fewer than 100 objects become loose ones.
      'fastimport.unpackLimit': '0',
      // The pack is short-lived and someone waits for it: speed before size.
      'pack.compression': '1',
    },
  })
  const { stdin, stdout } = process
  if (stdin === null || stdout === null) throw new Error('git fast-import has no pipes')
  const answers: Buffer[] = []
  stdout.on('data', (chunk: Buffer) => answers.push(chunk))

  let gathered: Uint8Array[] = []
  let gatheredBytes = 0
  let commits = 0

  const flush = async () => {
    const data = Buffer.concat(gathered)
    gathered = []
    gatheredBytes = 0
    if (stdin.destroyed || !stdin.writable) await failed()
    // A git that has died drains nothing: its ending must end the wait.
    if (!stdin.write(data)) await Promise.race([once(stdin, 'drain'), process.ended.then(failed)])
  }
  const failed = async () => {
    await process.ended
    throw new Error('git fast-import ended before its input did')
  }
  const write = async (data: Uint8Array | string) => {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data
    gathered.push(bytes)
    gatheredBytes += bytes.length
    if (gatheredBytes >= GATHERED_BYTES) await flush()
  }

  return {
    async blob(content) {
      await write(`blob\ndata ${content.length}\n`)
      await write(content)
      await write('\n')
    },
    async largeBlob(size, give) {
      await write(`blob\ndata ${size}\n`)
      const result = await give(write)
      await write('\n')
      return result
    },
    async commit({ ref, message, time, from, merge, tree, entries }) {
      const mark = ++commits
      const text = Buffer.from(message).toString('latin1')
      await write(`commit ${ref}\nmark :${mark}\n`)
      await write(`committer Holdfast <holdfast@localhost> ${time} +0000\n`)
      await write(`data ${text.length}\n${text}\n`)
      if (from !== null) await write(`from ${from}\n`)
      for (const parent of merge) {
        await write(`merge ${typeof parent === 'number' ? `:${parent + 1}` : parent}\n`)
      }
      if (tree !== undefined) await write(`M 040000 ${tree} ""\n`)
      // Deletions first: a file may stand where a directory was, or the other way round.
      for (const [path, entry] of entries) {
        if (entry === null) await write(`D ${quotePath(path)}\n`)
      }
      for (const [path, entry] of entries) {
        if (entry !== null) await write(`M ${entry.mode} ${entry.object} ${quotePath(path)}\n`)
      }
      await write(`\nget-mark :${mark}\n`)
    },
    async finish() {
      await write('done\n')
      await flush()
      stdin.end()
      await process.ended
      const ids = Buffer.concat(answers).toString('latin1').split('\n').slice(0, -1)
      return ids.map(text => {
        const id = parseCommitId(text)
        if (id === undefined) throw new Error(`git fast-import answered ${JSON.stringify(text)}`)
        return id
      })
    },
    async abort() {
      // Without `done` it finds its input too short, closes its pack in order and gives up.
      stdin.end()
      const error: unknown = await process.ended.catch((thrown: unknown) => thrown)
      const remove = (...names: string[]) => rmSync(join(place.gitDir, ...names), { force: true })
      if (process.pid !== undefined) remove(`fast_import_crash_${process.pid}`)
      // On a full disk, of all times, it leaves its half-written pack, and names it.
      const pack = error instanceof GitError && /\/pack\/(tmp_pack_\w+)/.exec(error.stderr)?.[1]
      if (pack) remove('objects', 'pack', pack)
      return error
    },
  }
}
