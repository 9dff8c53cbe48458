/** A look at one process that is repeated for hours: a single read, where `stat` takes three times as much. */
import { closeSync, openSync, readSync } from 'node:fs'
import type { Liveness } from '../../domain/recovery.ts'
import type { LocalIdentity, WatchedProcess } from '../../ports/process-table.ts'
import { isGone } from '../is-gone.ts'

/** As `ProcessTable.watch`; `look` is its `liveness`. */
export function watchProcess(
  process: LocalIdentity,
  look: (process: LocalIdentity) => Liveness,
): WatchedProcess {
  /** Stays with whoever has the number now: read when that is gone, it is refused. */
  let file = openIfThere(`/proc/${process.pid}/statm`)
  let isChecked = false
  const close = () => {
    if (file !== undefined) closeSync(file)
    file = undefined
  }
  return {
    liveness() {
      if (isChecked && file !== undefined && hasMemory(file)) return 'alive'
      const liveness = look(process)
      isChecked = true
      if (liveness === 'dead') close()
      return liveness
    },
    close,
  }
}

const buffer = Buffer.alloc(16)
const ZERO = 0x30

/** The first number of `statm` is the size; of one that has died, and awaits its parent, it is 0. */
function hasMemory(file: number): boolean {
  try {
    return readSync(file, buffer, 0, buffer.length, 0) > 0 && buffer[0] !== ZERO
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch {
    // It is gone, or no file is left: then it is looked at in the other way.
    return undefined
  }
}
