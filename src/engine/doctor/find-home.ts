import { isActive } from '../../domain/task.ts'
import type { Store } from '../../ports/store.ts'
import type { HomeLook, Leftover, Upkeep } from '../../ports/upkeep.ts'
import { isRowTrouble } from '../trouble.ts'
import { type Finding, fine, trouble } from './finding.ts'

const CHECK = 'state directory'

/** Below this much free space new worktrees are likely to fail. */
const LOW_DISK_BYTES = 1_000_000_000

/** Whether the state directory can serve. */
export function findHomeTrouble(upkeep: Upkeep): readonly Finding[] {
  let home: HomeLook
  try {
    home = upkeep.look()
  } catch (error) {
    return [trouble(CHECK, 'error', error)]
  }
  const { path, isThere, isPrivate, isWritable, freeBytes } = home
  const findings: Finding[] = []
  if (!isWritable) {
    const hint = 'tasks can be looked at, and none handed in'
    findings.push(trouble(CHECK, 'error', `${path} cannot be written to`, { hint }))
  }
  if (!isPrivate) {
    findings.push(
      trouble(CHECK, 'warning', `${path} can be read by others`, {
        hint: `chmod 700 ${path}`,
        repair: { kind: 'make_private' },
      }),
    )
  }
  if (freeBytes < LOW_DISK_BYTES) {
    const left = `${Math.round(freeBytes / 1e6)} MB are left on its disk`
    findings.push(trouble(CHECK, 'warning', left, { hint: 'make room: worktrees need it' }))
  }
  const said = isThere ? path : `${path}; the first task makes it`
  return isWritable ? [fine(CHECK, said), ...findings] : findings
}

/** What killed commands and workers have left lying in it. */
export async function findLeftoverFiles(upkeep: Upkeep, store: Store): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const leftover of upkeep.listLeftovers()) {
    if (await isInUse(leftover, store)) continue
    const what = `${leftover.path} was left by a killed process (${leftover.kind})`
    findings.push(
      trouble('leftovers', 'warning', what, { repair: { kind: 'remove_leftover', leftover } }),
    )
  }
  return findings
}

/** Of a task that is under way nothing is taken for left: its worker may be suspended. */
export async function isInUse({ task }: Leftover, store: Store): Promise<boolean> {
  if (task === null) return false
  try {
    const found = await store.findTask(task)
    return found !== undefined && isActive(found.state)
  } catch (error) {
    if (!isRowTrouble(error)) throw error
    return true
  }
}
