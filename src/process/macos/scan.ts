/** Looks at all processes: as `src/process/linux/scan.ts`, with a program for each thing to know. */
import type { Chase, OnBearer, ProcessEntry, SeenProcess } from '../../ports/process-table.ts'
import { directoriesOf, parseDirectories } from './lsof.ts'
import type { Programs } from './programs.ts'
import {
  environmentsOf,
  findVariable,
  hasDied,
  isUnreadable,
  type PsRow,
  parseCommands,
} from './ps.ts'
import { readSessions } from './sessions.ts'
import type { Rows, Snapshots } from './snapshot.ts'

/** A look takes 20 ms here: whoever lives for less is met by chance, however often one looks. */
const QUIET_LOOKS = 3

export interface Scanner {
  scan(variable: string, since: number, onBearer: OnBearer): readonly SeenProcess[]
  makeChase(variable: string, since: number): Chase
  forBearers(variable: string, onBearer: OnBearer): void
}

export function makeScanner(snapshots: Snapshots, programs: Programs): Scanner {
  const user = process.geteuid?.() ?? -1

  /** Those of this user that live and started no earlier, but for those in `spared`. */
  const candidates = (rows: Rows, since: number, spared: ReadonlySet<number>) =>
    [...rows.values()].filter(
      row =>
        !spared.has(row.pid) &&
        !hasDied(row) &&
        row.startTime >= since &&
        (row.effectiveUser === user || row.realUser === user),
    )
  const readLines = (rows: readonly PsRow[]) => {
    if (rows.length === 0) return new Map<number, string>()
    return parseCommands(programs.run('ps', environmentsOf(rows.map(({ pid }) => pid))).stdout)
  }
  const withSessions = (rows: readonly PsRow[]): readonly ProcessEntry[] => {
    const pids = rows.map(({ pid }) => pid)
    const sessions = readSessions(pids, programs)
    return rows.map(row => ({ ...row, session: sessions.get(row.pid) ?? 0 }))
  }
  /** Shows the bearers among `rows`; their marks, and whose environment could not be read. */
  const showBearers = (rows: readonly PsRow[], variable: string, onBearer: OnBearer) => {
    const lines = readLines(rows)
    const marks = new Map<number, string>()
    for (const [pid, line] of lines) {
      const mark = findVariable(line, variable)
      if (mark !== null) marks.set(pid, mark)
    }
    for (const bearer of withSessions(rows.filter(({ pid }) => marks.has(pid)))) {
      onBearer(bearer, marks.get(bearer.pid) ?? '')
    }
    return { marks, unread: rows.filter(row => isUnreadable(lines.get(row.pid), row)) }
  }

  return {
    scan(variable, since, onBearer) {
      const rows = snapshots.take()
      const found = candidates(rows, since, findOwnLine(rows))
      const { marks } = showBearers(found, variable, onBearer)
      const directories = parseDirectories(programs.run('lsof', directoriesOf(user)).stdout)
      return withSessions(found).map(entry => ({
        ...entry,
        mark: marks.get(entry.pid) ?? null,
        directory: directories.get(entry.pid) ?? null,
      }))
    },
    makeChase(variable, since) {
      let settled: ReadonlySet<number> | undefined
      return {
        quietLooks: QUIET_LOOKS,
        look(onBearer) {
          const rows = snapshots.take()
          const spared = settled ?? findOwnLine(rows)
          const { unread } = showBearers(candidates(rows, since, spared), variable, onBearer)
          // Only those of this look: a number that was missing once may have been given out anew.
          const still = new Set(rows.keys())
          // In the middle of an `exec` it shows no environment: it is looked at again.
          for (const { pid } of unread) still.delete(pid)
          settled = still
        },
      }
    },
    forBearers(variable, onBearer) {
      const rows = snapshots.take()
      showBearers(candidates(rows, 0, new Set([1, process.pid])), variable, onBearer)
    },
  }
}

/** Pid 1, this process, and all that it descends from. */
function findOwnLine(rows: Rows): ReadonlySet<number> {
  const line = new Set([1])
  for (let pid = process.pid; pid > 0 && !line.has(pid); pid = rows.get(pid)?.parent ?? 0) {
    line.add(pid)
  }
  return line
}
