/**
 * Holds what an application is about to replace: to the byte, whatever git's filters would make of
 * it, by `refs/holdfast/<task>/undo/<number>` in the target's repository.
 */
import type { Base } from '../../domain/task.ts'
import type { Checkout } from '../../ports/worktrees.ts'
import { refOf } from '../capture/refs.ts'
import { blobId, type ObjectFormat, readFileOnce, readLink, streamFile } from '../files/contents.ts'
import type { BytePath } from '../files/paths.ts'
import { isProgram, type Standing } from '../files/standing.ts'
import { type FastImport, startFastImport } from '../git/fast-import.ts'
import { type Git, GitError } from '../git/git.ts'
import type { TreeEntry } from '../git/status.ts'
import { Edited } from './exchange.ts'
import type { Journal } from './journal.ts'

export interface Holding {
  readonly journal: Journal
  readonly target: Checkout
  readonly base: Base
  readonly now: number
}

export async function holdOldContents(
  git: Git,
  { journal, target, base, now }: Holding,
): Promise<void> {
  const { root, commonDir } = target.place
  const importer = startFastImport(git, { gitDir: commonDir })
  try {
    const entries = new Map<BytePath, TreeEntry | null>()
    for (const { path, before } of journal.changes) {
      if (before !== null && !(await give(importer, root, path, before, journal.format))) {
        throw new Edited(path)
      }
      entries.set(path, before === null ? null : { mode: modeOf(before), object: before.object })
    }
    await importer.commit({
      ref: refOf(journal.task, `undo/${journal.number}`),
      message: `holdfast ${journal.task}: what its result replaced in ${root}\n`,
      time: Math.floor(now / 1000),
      from: base.commit,
      merge: [],
      entries,
    })
    await importer.finish()
  } catch (error) {
    const ending = await importer.abort()
    throw ending instanceof GitError && ending.isFull ? ending : error
  }
}

/** False: it is no longer what it was. */
async function give(
  importer: FastImport,
  root: string,
  path: BytePath,
  { kind, object }: Standing,
  format: ObjectFormat,
): Promise<boolean> {
  if (kind === 'link') {
    const target = readLink(root, path)
    if ('kind' in target) return false
    await importer.blob(target)
    return blobId(target, format) === object
  }
  const reading = readFileOnce(root, path)
  if ('kind' in reading) return false
  const { content, size } = reading
  if (content !== null) {
    await importer.blob(content)
    return blobId(content, format) === object
  }
  const streamed = await importer.largeBlob(size, take =>
    streamFile(root, path, size, format, take),
  )
  return streamed.kind === 'streamed' && streamed.object === object
}

function modeOf(standing: Standing): string {
  if (standing.kind === 'link') return '120000'
  return isProgram(standing.mode) ? '100755' : '100644'
}
