/** Task directories, and the rows that they belong to. */
import { activeStates, endedStates, type TaskRequest } from '../../domain/task.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Locks } from '../../ports/lock.ts'
import type { Store } from '../../ports/store.ts'
import type { TaskFiles } from '../../ports/task-files.ts'
import { findLeftovers, type Leftover } from '../reconcile.ts'
import { type Finding, fine, trouble } from './finding.ts'

const CHECK = 'tasks'

interface TaskLookPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly locks: Locks
  readonly clock: Clock
}

export async function findTaskTrouble(ports: TaskLookPorts): Promise<readonly Finding[]> {
  const { store, files } = ports
  const findings = [...(await findLost(ports))]
  for (const leftover of await findLeftovers(ports)) {
    const repair = { kind: 'clear_away', leftover } as const
    findings.push(trouble(CHECK, 'warning', describe(leftover, files), { repair }))
  }
  const open = await store.listTasks({ states: ['queued', 'waiting', ...activeStates] })
  // After the rows: a directory is there before its row is.
  const directories = await files.list()
  const there = new Set(directories.map(({ task }) => task))
  for (const { request } of open) {
    if (there.has(request.id)) continue
    const gone = `${files.directory(request.id)} is gone: ${request.id} cannot go on`
    findings.push(trouble(CHECK, 'error', gone, { hint: `holdfast cancel ${request.id}` }))
  }
  return findings.length > 0 ? findings : [fine(CHECK, `${directories.length}, each with its row`)]
}

/** Tasks of which the row is gone, or is one from before they ended: a store that lost a part. */
async function findLost({ store, files }: TaskLookPorts): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  const lost: TaskRequest[] = []
  for (const { task, hasRuns, wasHandedIn, hasEnded } of await files.list()) {
    if (!(hasRuns || wasHandedIn)) continue
    const row = await store.findRemains(task)
    const isBehind = hasEnded && row !== undefined && !endedStates.some(name => name === row.state)
    if (row !== undefined && !isBehind) continue
    const { request } = await files.readCopies(task)
    if (request !== null) lost.push(request)
    else if (row === undefined) {
      const said = `${files.directory(task)} is of no task that the store knows`
      const hint = 'what it holds is kept; look at it yourself'
      findings.push(trouble(CHECK, 'warning', said, { hint }))
    }
  }
  // In the order in which they were handed in: that is what "newest" means.
  for (const { id } of lost.sort((a, b) => a.createdAt - b.createdAt)) {
    const said = `the store has lost ${id}, or its end, which ${files.directory(id)} knows`
    findings.push(trouble(CHECK, 'error', said, { repair: { kind: 'restore_task', task: id } }))
  }
  return findings
}

function describe(leftover: Leftover, files: TaskFiles): string {
  switch (leftover.kind) {
    case 'abandoned_submission':
      return `${files.directory(leftover.directory.task)} was left by a submission that was killed`
    case 'environment_of_ended_task':
      return `${leftover.directory.task} has ended, and its environment is still there`
    case 'unused_worktree':
      return `${leftover.task.request.id} has ended, and no agent ever ran in its worktree`
    case 'abandoned_addition':
      return `whoever made the worktree ${leftover.worktree} was killed: copies of ignored files, or who it was for, are kept`
  }
}
