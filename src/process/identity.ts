/** What can be concluded of a process that wrote down who and where it is. */
import type { Liveness } from '../domain/recovery.ts'
import type { LocalIdentity, Place, ProcessIdentity, ProcessTable } from '../ports/process-table.ts'

/**
 * What can be known of a process of `there` without looking for it: `dead` after a reboot,
 * `unknown` on another machine or in another PID namespace; `here` means that one has to look.
 */
export function judgePlace(there: Place, here: Place): 'here' | 'dead' | 'unknown' {
  if (there.machine !== here.machine) return 'unknown'
  // Before the namespace: their numbers are given out anew at each boot.
  if (there.boot !== here.boot) return 'dead'
  return there.pidNamespace === here.pidNamespace ? 'here' : 'unknown'
}

export function livenessOf(identity: ProcessIdentity, processes: ProcessTable): Liveness {
  const judged = judgePlace(identity, processes.place())
  return judged === 'here' ? processes.liveness(identity) : judged
}

/** The form of the files `wrapper` and `pid`. A line without its end is not yet complete. */
export function parseIdentityLine(text: string): LocalIdentity | undefined {
  const match = /^([1-9][0-9]*) ([0-9]+)\n$/.exec(text)
  return match ? { pid: Number(match[1]), startTime: Number(match[2]) } : undefined
}
