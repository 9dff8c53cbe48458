/** The worker, and the locks. */
import type { ProcessHost } from '../../ports/process-host.ts'
import type { ProcessTable } from '../../ports/process-table.ts'
import type { Upkeep } from '../../ports/upkeep.ts'
import type { WorkerPresence } from '../../ports/worker-presence.ts'
import { type Finding, fine, trouble } from './finding.ts'

interface ProcessLook {
  readonly host: ProcessHost
  readonly processes: ProcessTable
}

export function findWorkerTrouble(
  presence: WorkerPresence,
  upkeep: Upkeep,
  look: ProcessLook,
): readonly Finding[] {
  const findings: Finding[] = []
  for (const name of upkeep.listBrokenLocks()) {
    findings.push(
      trouble('locks', 'error', `locks/${name}.lock is no lock file: nobody can take that lock`, {
        repair: { kind: 'mend_lock', name },
      }),
    )
  }
  if (findings.length > 0) return findings
  try {
    findings.push(lookAtWorker(presence, look))
    for (const { name, holder } of upkeep.listHeldLocks()) {
      if (name !== 'worker') findings.push(fine('locks', `${name} is held by ${holder}`))
    }
  } catch (error) {
    findings.push(trouble('worker', 'error', error))
  }
  return findings
}

function lookAtWorker(presence: WorkerPresence, { host, processes }: ProcessLook): Finding {
  const info = presence.look()
  if (info === undefined) {
    return presence.hasLeftCard()
      ? fine('worker', 'none is up; the last one was killed', { kind: 'remove_card' })
      : fine('worker', 'none is up; the next task starts one')
  }
  if (info === 'unnamed') return fine('worker', 'up')
  const { identity, version } = info
  const { pid } = identity
  if (host.liveness(identity) === 'alive' && processes.isSuspended(identity)) {
    return trouble('worker', 'error', `it stands still, suspended: pid ${pid}`, {
      hint: `kill -CONT ${pid} wakes it; holdfast worker stop ends it`,
    })
  }
  return fine('worker', `up, pid ${pid}, version ${version}`)
}
