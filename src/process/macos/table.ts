/**
 * The process table of macOS: what `ps`, `lsof` and their like say. Start times are whole seconds
 * since 1970, by the clock as it stood when the process started. What this system does not show is
 * in `docs/reference/platforms.md`.
 */
import { shellWord } from '../../domain/shell-word.ts'
import { type Place, ProcessesUnseen, type ProcessTable } from '../../ports/process-table.ts'
import { describeCommand } from '../command.ts'
import { findOwnSession } from '../own-session.ts'
import { readPlace } from './place.ts'
import { makePrograms, type Programs, SHELL_ENVIRONMENT } from './programs.ts'
import { commandsOf, cpuTimeOf, parseCommands, parseCpuTime } from './ps.ts'
import { makeScanner } from './scan.ts'
import { readSessions } from './sessions.ts'
import { makeSnapshots } from './snapshot.ts'

/** `directory`: where all programs are that are asked; by default the system's own. */
export function makeMacosTable(directory?: string): ProcessTable {
  const programs = makePrograms(directory)
  const snapshots = makeSnapshots(programs)
  let here: Place | undefined
  const place = () => {
    here ??= readPlace(programs)
    return here
  }
  return {
    place,
    self() {
      const row = snapshots.find(process.pid)
      if (row === undefined) throw new ProcessesUnseen('ps does not show this process')
      return { ...place(), pid: row.pid, startTime: row.startTime }
    },
    liveness: snapshots.liveness,
    // All that are asked about in a moment share one `ps`.
    watch: process => ({
      liveness: () => snapshots.liveness(process),
      close: () => undefined,
    }),
    isSuspended({ pid, startTime }) {
      const row = snapshots.take().get(pid)
      return row?.startTime === startTime && row.state.startsWith('T')
    },
    find(pid) {
      const row = snapshots.find(pid)
      if (row === undefined) return undefined
      return { ...row, session: readSessions([pid], programs).get(pid) ?? 0 }
    },
    ...makeScanner(snapshots, programs),
    commandsOf(processes) {
      if (processes.length === 0) return new Map()
      const { stdout } = programs.run('ps', commandsOf(processes.map(({ pid }) => pid)))
      const lines = parseCommands(stdout)
      return new Map(
        processes.map(({ pid, name }) => [pid, describeCommand(lines.get(pid) ?? '', name)]),
      )
    },
    exertionOf({ pid, startTime }) {
      if (snapshots.find(pid)?.startTime !== startTime) return undefined
      const { stdout } = programs.run('ps', cpuTimeOf(pid))
      return { cpuMs: parseCpuTime(stdout), ioBytes: 0 }
    },
    // `ps` shows it with everything escaped that is not ASCII: the bytes are not to be had.
    ownCommandLine: () => undefined,
    shellIdentify: makeShellIdentify(programs),
    ownSession: toolPath => findOwnSession(['perl'], toolPath),
  }
}

/** `ps` says when the shell was started (`Sat Nov  7 10:12:13 2026`), `date` counts the seconds. */
function makeShellIdentify(programs: Programs): string {
  const ask = (name: 'ps' | 'date') => `${SHELL_ENVIRONMENT} ${shellWord(programs.path(name))}`
  return `identify() {
  set -- $(${ask('ps')} -o lstart= -p $$)
  [ $# -eq 5 ] || return 1
  set -- "$(${ask('date')} -j -f '%b %d %T %Y' "$2 $3 $4 $5" +%s)"
  [ -n "$1" ] || return 1
  echo "$$ $1"
}`
}
