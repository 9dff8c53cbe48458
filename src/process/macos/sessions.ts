import { ProcessesUnseen } from '../../ports/process-table.ts'
import type { Programs } from './programs.ts'

/** `getsid`, by the number that it has among the system calls of macOS: Perl has no other name. */
const GETSID = 310

export const GETSID_SCRIPT = `print "$_ ", syscall(${GETSID}, $_ + 0), "\\n" for @ARGV`

/** Pid → process session; nothing of one that is gone. (`ps` says 0 for everybody.) */
export function readSessions(
  pids: readonly number[],
  programs: Programs,
): ReadonlyMap<number, number> {
  if (pids.length === 0) return new Map()
  try {
    return parseSessions(programs.run('perl', ['-e', GETSID_SCRIPT, ...pids.map(String)]).stdout)
  } catch (error) {
    if (!(error instanceof ProcessesUnseen)) throw error
    return new Map() // without Perl nothing can be launched either: nobody's session is known
  }
}

export function parseSessions(text: string): ReadonlyMap<number, number> {
  const sessions = new Map<number, number>()
  for (const match of text.matchAll(/^(\d+) (\d+)$/gm)) {
    sessions.set(Number(match[1]), Number(match[2]))
  }
  return sessions
}
