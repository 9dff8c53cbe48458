/** The worker, and the locks. */
import type { Upkeep } from '../../ports/upkeep.ts'
import type { WorkerPresence } from '../../ports/worker-presence.ts'
import { type Finding, fine, trouble } from './finding.ts'

export function findWorkerTrouble(presence: WorkerPresence, upkeep: Upkeep): readonly Finding[] {
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
    findings.push(lookAtWorker(presence))
    for (const { name, holder } of upkeep.listHeldLocks()) {
      if (name !== 'worker') findings.push(fine('locks', `${name} is held by ${holder}`))
    }
  } catch (error) {
    findings.push(trouble('worker', 'error', error))
  }
  return findings
}

function lookAtWorker(presence: WorkerPresence): Finding {
  const info = presence.look()
  if (info === undefined) {
    return presence.hasLeftCard()
      ? fine('worker', 'none is up; the last one was killed', { kind: 'remove_card' })
      : fine('worker', 'none is up; the next task starts one')
  }
  if (info === 'unnamed') return fine('worker', 'up')
  return fine('worker', `up, pid ${info.identity.pid}, version ${info.version}`)
}
