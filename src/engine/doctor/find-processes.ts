/** Processes of attempts that are over, and gits whose starters are dead. */
import type { Fence, TaskId } from '../../domain/ids.ts'
import { activeStates } from '../../domain/task.ts'
import type { MarkedProcess, ProcessHost } from '../../ports/process-host.ts'
import type { Store } from '../../ports/store.ts'
import type { TaskFiles } from '../../ports/task-files.ts'
import type { Worktrees } from '../../ports/worktrees.ts'
import { type Finding, trouble } from './finding.ts'

const CHECK = 'processes'
/** The mark of what is run for a task beside its attempts, as its verification is. */
const NO_ATTEMPT = 0

interface ProcessLookPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly host: ProcessHost
  readonly worktrees: Worktrees
}

export async function findOrphanTrouble(ports: ProcessLookPorts): Promise<readonly Finding[]> {
  const { host, worktrees } = ports
  const launches = new Map<string, { of: Launch; processes: MarkedProcess[] }>()
  for (const process of host.findMarked()) {
    const known = launches.get(process.mark)
    const of = known?.of ?? (await findLaunch(process, ports))
    // The mark of another store's attempt is not ours to judge.
    if (of === undefined) continue
    launches.set(process.mark, { of, processes: [...(known?.processes ?? []), process] })
  }
  const findings: Finding[] = []
  for (const { of, processes } of launches.values()) {
    const [first] = processes
    if (first === undefined || (await isUnderWay(first.task, of.fence, ports.store))) continue
    const { task } = first
    const who = processes.map(({ pid, command }) => `${pid} ${command}`).join(', ')
    const said = `try ${of.fence} of ${task} is over, and these live on: ${who}`
    const left = { task, fence: first.fence, runDirectory: of.runDirectory, worktree: null }
    findings.push(
      trouble(CHECK, 'warning', said, {
        repair: { kind: 'end_processes', fence: of.fence, processes: left },
      }),
    )
  }
  for (const { pid, command, worktreePath } of worktrees.findOrphans()) {
    const said = `a git of a killed process goes on: ${pid} ${command}`
    findings.push(trouble(CHECK, 'warning', said, { repair: { kind: 'end_gits', worktreePath } }))
  }
  return findings
}

interface Launch {
  /** Of the attempt that it was, or whose work it verifies. */
  readonly fence: Fence
  readonly runDirectory: string
}

/** What a process of ours belongs to; undefined: nothing that is known here. */
async function findLaunch(
  { task, fence, mark }: MarkedProcess,
  { files, host }: ProcessLookPorts,
): Promise<Launch | undefined> {
  const verifications = fence === NO_ATTEMPT ? await files.listVerifyDirectories(task) : []
  return [
    { fence, runDirectory: files.runDirectory(task, fence) },
    ...verifications.map(one => ({ fence: one.fence, runDirectory: one.directory })),
  ].find(({ runDirectory }) => host.isMarkOf(mark, runDirectory))
}

/** A task that the store does not know may be one that it has lost: nothing is known of it. */
export async function isUnderWay(task: TaskId, fence: Fence, store: Store): Promise<boolean> {
  const row = await store.findRemains(task)
  if (row === undefined) return true
  return row.attempts === fence && activeStates.some(name => name === row.state)
}
