/** Who locks a file, as far as the system says so. */
import { readFileSync, statSync } from 'node:fs'

/** Where SQLite keeps its write lock: in a write-ahead log's index (sqlite.org/walformat.html). */
const WAL_WRITE_LOCK = 120
/** And in a database without one (`PENDING_BYTE` and what follows). */
const PENDING_BYTE = 0x40000000

/** `pid 4711 (sqlite3 store.db)`, for each process that keeps others from writing the database. */
export function findLockHolders(database: string): readonly string[] {
  const log = inodeOf(`${database}-shm`)
  const main = inodeOf(database)
  const holders = new Set<string>()
  for (const { pid, inode, start, end, isWrite } of readLocks()) {
    if (!isWrite || pid === process.pid) continue
    const holdsLog = inode === log && start <= WAL_WRITE_LOCK && end >= WAL_WRITE_LOCK
    const holdsMain = inode === main && end >= PENDING_BYTE
    if (holdsLog || holdsMain) holders.add(`pid ${pid}${commandOf(pid)}`)
  }
  return [...holders]
}

interface HeldLock {
  readonly pid: number
  readonly inode: number
  readonly start: number
  readonly end: number
  readonly isWrite: boolean
}

/** `1: POSIX  ADVISORY  WRITE 708 fe:00:1311 120 120` (proc_locks(5)); Linux has it, others not. */
function readLocks(): readonly HeldLock[] {
  let text: string
  try {
    text = readFileSync('/proc/locks', 'utf8')
  } catch {
    return []
  }
  return text.split('\n').flatMap(line => {
    const [, kind, , access, pid, file, start, end] = line.trim().split(/\s+/)
    // What waits for a lock stands behind an arrow, and holds none.
    if (kind !== 'POSIX' || end === undefined) return []
    return {
      pid: Number(pid),
      // The device is not compared: what `stat` and the kernel call it differs with subvolumes.
      inode: Number(file?.split(':')[2]),
      start: Number(start),
      end: end === 'EOF' ? Number.POSITIVE_INFINITY : Number(end),
      isWrite: access === 'WRITE',
    }
  })
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}

/** The command line, or nothing where it is not ours to see. */
function commandOf(pid: number): string {
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/[\0\s]+/g, ' ')
    return ` (${line.trim().slice(0, 80)})`
  } catch {
    return ''
  }
}
