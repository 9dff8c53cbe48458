/** What an attempt's agent has written so far: the output files of a run directory. */
import { type FSWatcher, statSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { OutputWatch, ProcessHost } from '../ports/process-host.ts'
import { readLines, readTail } from './tail.ts'

/**
 * The step in which output is taken. Between two, others are looked at, and a wish to cancel is
 * heard: an agent may write faster than its lines can be kept.
 */
const STEP_BYTES = 32 * 1024

/** The same where nobody writes any more: there may be much to take, and each step is written down. */
const REST_STEP_BYTES = 512 * 1024

/** An unfinished line, and how far its end was looked for. */
interface Unfinished {
  readonly offset: number
  readonly searchedTo: number
}

/** Makes the readers of the port; they remember only how far they looked for a line's end. */
export function makeOutputReaders(): Pick<
  ProcessHost,
  'readLines' | 'readStderrTail' | 'lastOutputAt'
> {
  const unfinished = new Map<string, Unfinished>()
  return {
    readLines(runDirectory, offset, ended) {
      const before = unfinished.get(runDirectory)
      const searchedTo = before?.offset === offset ? before.searchedTo : offset
      const path = join(runDirectory, 'stdout')
      const most = ended ? REST_STEP_BYTES : STEP_BYTES
      const read = readLines(path, offset, most, { ended, searchedTo })
      const { lines, ...reached } = read
      if (reached.searchedTo > reached.offset) unfinished.set(runDirectory, reached)
      else unfinished.delete(runDirectory)
      return { lines, offset: reached.offset, atEnd: reached.atEnd }
    },
    lastOutputAt(runDirectory) {
      const times = ['stdout', 'stderr'].flatMap(name => {
        const seen = statSync(join(runDirectory, name), { throwIfNoEntry: false })
        return seen !== undefined && seen.size > 0 ? [Math.round(seen.mtimeMs)] : []
      })
      return times.length === 0 ? null : Math.max(...times)
    },
    readStderrTail: (runDirectory, bytes) => readTail(join(runDirectory, 'stderr'), bytes),
  }
}

/** As `ProcessHost.watchOutput`. */
export function watchOutput(runDirectory: string, onChange: () => void): OutputWatch {
  let watcher: FSWatcher | undefined
  const stop = () => {
    watcher?.close()
    watcher = undefined
  }
  try {
    watcher = watch(join(runDirectory, 'stdout'), { persistent: false }, onChange)
    watcher.on('error', stop)
  } catch {
    // Gone, or no watch is left.
  }
  return { isOn: () => watcher !== undefined, stop }
}
