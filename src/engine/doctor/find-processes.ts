/** Processes of attempts that are over, and gits whose starters are dead. */
import type { Fence, TaskId } from '../../domain/ids.ts'
import { activeStates } from '../../domain/task.ts'
import type { AttemptProcesses, MarkedProcess, ProcessHost } from '../../ports/process-host.ts'
import type { Store } from '../../ports/store.ts'
import type { TaskFiles } from '../../ports/task-files.ts'
import type { Worktrees } from '../../ports/worktrees.ts'
import { type Finding, trouble } from './finding.ts'

const CHECK = 'processes'

export interface ProcessLookPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly host: ProcessHost
  readonly worktrees: Worktrees
}

export async function findOrphanTrouble(ports: ProcessLookPorts): Promise<readonly Finding[]> {
  const { files, host, worktrees } = ports
  const attempts = new Map<string, MarkedProcess[]>()
  for (const process of host.findMarked()) {
    // The mark of another store's attempt is not ours to judge.
    if (!host.isMarkOf(process.mark, files.runDirectory(process.task, process.fence))) continue
    attempts.set(process.mark, [...(attempts.get(process.mark) ?? []), process])
  }
  const findings: Finding[] = []
  for (const processes of attempts.values()) {
    const [{ task, fence } = { task: '' as TaskId, fence: 0 as Fence }] = processes
    if (await isUnderWay(task, fence, ports.store)) continue
    const attempt: AttemptProcesses = {
      task,
      fence,
      runDirectory: files.runDirectory(task, fence),
      worktree: null,
    }
    const who = processes.map(({ pid, command }) => `${pid} ${command}`).join(', ')
    findings.push(
      trouble(CHECK, 'warning', `try ${fence} of ${task} is over, and these live on: ${who}`, {
        repair: { kind: 'end_processes', attempt },
      }),
    )
  }
  for (const { pid, command, worktreePath } of worktrees.findOrphans()) {
    const said = `a git of a killed process goes on: ${pid} ${command}`
    findings.push(trouble(CHECK, 'warning', said, { repair: { kind: 'end_gits', worktreePath } }))
  }
  return findings
}

/** A task that the store does not know may be one that it has lost: nothing is known of it. */
export async function isUnderWay(task: TaskId, fence: Fence, store: Store): Promise<boolean> {
  const row = await store.findRemains(task)
  if (row === undefined) return true
  return row.attempts === fence && activeStates.some(name => name === row.state)
}
