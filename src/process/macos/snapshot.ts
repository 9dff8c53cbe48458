/**
 * The table that `ps` showed last, kept for a short moment: a look at all of it costs about 10 ms,
 * and each of two hundred attempts is looked at twice a second.
 *
 * In between the kernel is asked whether there is a process with that number (signal 0), which
 * costs a microsecond. So an old table can be wrong in two ways only: the process has died and
 * nobody has collected it yet; or it has died and its number was given out anew. Numbers are given
 * out in turn, up to 99,999: none comes back within a second.
 */
import type { Liveness } from '../../domain/recovery.ts'
import { type LocalIdentity, ProcessesUnseen } from '../../ports/process-table.ts'
import type { Programs } from './programs.ts'
import { hasDied, type PsRow, parseTable, TABLE } from './ps.ts'

const KEPT_MS = 1_000

export type Rows = ReadonlyMap<number, PsRow>

export interface Snapshots {
  /** All processes, dead ones too, as they are now. */
  take(): Rows
  liveness(process: LocalIdentity): Liveness
  find(pid: number): PsRow | undefined
}

export function makeSnapshots(programs: Programs): Snapshots {
  let kept: { readonly rows: Rows; readonly at: number } | undefined
  const take = () => {
    kept = undefined
    const at = performance.now()
    const { pid: ours, stdout } = programs.run('ps', TABLE)
    const rows = new Map(parseTable(stdout).map(row => [row.pid, row]))
    // A table in which we are not ourselves is none, whatever it is.
    if (!rows.has(process.pid)) throw new ProcessesUnseen('ps does not show this process')
    rows.delete(ours)
    kept = { rows, at }
    return rows
  }
  const recent = () =>
    kept !== undefined && performance.now() - kept.at <= KEPT_MS ? kept.rows : take()

  /** The row of a process; a number that is not in the table, or was another's, is looked up anew. */
  const look = ({ pid, startTime }: LocalIdentity) => {
    const row = recent().get(pid)
    return row === undefined || row.startTime < startTime ? take().get(pid) : row
  }
  return {
    take,
    find(pid) {
      const row = isThere(pid) ? take().get(pid) : undefined
      return row === undefined || hasDied(row) ? undefined : row
    },
    liveness(identity) {
      if (!isThere(identity.pid)) return 'dead'
      try {
        const row = look(identity)
        if (row === undefined || row.startTime !== identity.startTime) return 'dead'
        return hasDied(row) ? 'dead' : 'alive'
      } catch (error) {
        if (!(error instanceof ProcessesUnseen)) throw error
        return 'unknown'
      }
    },
  }
}

/** Whether a process has this number: a dead one too that nobody has collected. */
function isThere(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' // somebody else's
  }
}
