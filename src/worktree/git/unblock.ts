/**
 * Git opens some files of a working tree by name, without a look at what they are: a FIFO in the
 * place of `.gitignore` holds it there for ever. Such a FIFO is opened for writing, for a moment:
 * git then finds it empty, and goes on. Only where git waits already: nothing else is woken. And
 * only once a git takes longer than most do: then the tree is searched.
 */
import { accessSync, closeSync, constants, openSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { AppError } from '../../domain/errors.ts'
import type { Git, GitCall, GitProcess } from './git.ts'

/** The git of a tree with 20,000 files takes a fraction of it. */
const SEARCH_AFTER_MS = 1_000
const LOOK_MS = 20
/** For a git beside a FIFO that we may not open for writing. */
const CLOSED_LIMIT_MS = 10_000
/** For whatever else it may wait for: a filter that hangs, a disk that is gone. */
const LIMIT_MS = 15 * 60_000

const READ_BY_NAME = new Set(['.gitignore', '.gitattributes', '.gitmodules'])
/** It fails at once if nobody reads, and follows no link. */
const WRITE_PLAINLY = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

export interface UnblockedGit extends Git {
  /** The FIFOs that a git has waited for, below the tree. */
  readonly met: () => readonly string[]
}

/** A git that reads the tree at `root`, and ends. */
export function unblocked(
  git: Git,
  root: string,
  limitMs = LIMIT_MS,
  /** From then on it starts nothing more. */
  leave?: AbortSignal,
): UnblockedGit {
  let found: readonly Buffer[] = []
  const met = new Set<string>()
  const nameOf = (fifo: Buffer) => fifo.subarray(Buffer.byteLength(root) + 1).toString('utf8')
  const openThem = () => {
    for (const fifo of found) {
      if (!wakeReader(fifo)) continue
      met.add(nameOf(fifo))
    }
  }
  const watch = (command: string, process: Pick<GitProcess, 'ended' | 'kill'>) => {
    let late: string | undefined
    const giveUp = (why: string) => () => {
      late = why
      process.kill()
    }
    const minutes = `did not end within ${limitMs / 60_000} min`
    const timers = [setTimeout(giveUp(minutes), limitMs), setInterval(openThem, LOOK_MS)]
    const search = async () => {
      found = await findFifos(root)
      const closed = found.filter(fifo => !isWritable(fifo)).map(nameOf)
      if (closed.length === 0 || timers.length === 0) return
      timers.push(setTimeout(giveUp(`waits for a FIFO: ${closed.join(', ')}`), CLOSED_LIMIT_MS))
    }
    timers.push(setTimeout(() => void search(), SEARCH_AFTER_MS))
    const ended = process.ended
      .catch((error: unknown) => {
        throw late === undefined ? error : tooLate(`git ${command} ${late}`, root, error)
      })
      .finally(() => {
        for (const timer of timers.splice(0)) clearTimeout(timer)
      })
    ended.catch(() => undefined)
    return ended
  }
  const start = (args: readonly string[], call: GitCall): GitProcess => {
    leave?.throwIfAborted()
    const process = git.start(args, call)
    return { ...process, ended: watch(args[0] ?? '', process) }
  }
  return {
    start,
    async run(args, call) {
      const process = start(args, call)
      const chunks: Buffer[] = []
      process.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
      process.stdin?.end(call.input)
      const { status, stderr } = await process.ended
      return { status, stdout: Buffer.concat(chunks), stderr }
    },
    met: () => [...met],
  }
}

function tooLate(what: string, root: string, cause: unknown): AppError {
  return new AppError('capture_failed', what, {
    hint: `it was reading ${root}: is there a FIFO, a filter that hangs, a disk that is gone?`,
    cause,
  })
}

function isWritable(fifo: Buffer): boolean {
  try {
    accessSync(fifo, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** True: somebody waited for a writer. */
function wakeReader(fifo: Buffer): boolean {
  try {
    closeSync(openSync(fifo, WRITE_PLAINLY))
    return true
  } catch {
    // Nobody reads it now, or it is gone.
    return false
  }
}

/** The FIFOs that git may open: by their names, and whatever lies in a git directory. */
async function findFifos(root: string): Promise<readonly Buffer[]> {
  const found: Buffer[] = []
  const walk = async (directory: Buffer, isGits: boolean): Promise<void> => {
    for (const entry of await entriesOf(directory)) {
      const name = entry.name.toString('utf8')
      const path = Buffer.concat([directory, SLASH, entry.name])
      if (entry.isDirectory()) await walk(path, isGits || name === '.git')
      else if (entry.isFIFO() && (isGits || READ_BY_NAME.has(name))) found.push(path)
    }
  }
  await walk(Buffer.from(root), false)
  return found
}

const SLASH = Buffer.from('/')

async function entriesOf(directory: Buffer) {
  try {
    return await readdir(directory, { withFileTypes: true, encoding: 'buffer' })
  } catch {
    // Whoever wants what is in it says why not.
    return []
  }
}
