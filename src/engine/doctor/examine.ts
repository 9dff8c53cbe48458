/**
 * Looks at everything that is ours, and, if asked, mends what it finds. In stages: what one stage
 * mends (the state directory, the store) the next one stands on. Within a stage all is found first.
 */
import { messageOf } from '../../domain/errors.ts'
import { activeStates } from '../../domain/task.ts'
import type { Agent } from '../../ports/agent.ts'
import type { Applications } from '../../ports/applications.ts'
import type { Boot } from '../../ports/boot.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Confinement } from '../../ports/confinement.ts'
import type { Locks } from '../../ports/lock.ts'
import type { ProcessHost } from '../../ports/process-host.ts'
import type { ProcessTable } from '../../ports/process-table.ts'
import type { Store } from '../../ports/store.ts'
import type { TaskFiles } from '../../ports/task-files.ts'
import type { Upkeep } from '../../ports/upkeep.ts'
import type { WorkerPresence } from '../../ports/worker-presence.ts'
import type { Worktrees } from '../../ports/worktrees.ts'
import type { CleanUpPorts } from '../clean-up.ts'
import { findApplicationTrouble } from './find-applications.ts'
import { findBootTrouble } from './find-boot.ts'
import { type DeadLetterFate, findDeliveryTrouble } from './find-deliveries.ts'
import { findHomeTrouble, findLeftoverFiles } from './find-home.ts'
import { findOrphanTrouble } from './find-processes.ts'
import { findRepositoryTrouble, type RepositoryLook } from './find-repositories.ts'
import { findStoreTrouble } from './find-store.ts'
import { findTaskTrouble } from './find-tasks.ts'
import {
  findAgentTrouble,
  findConfigurationTrouble,
  findConfinementTrouble,
  findGitTrouble,
  findProcessTrouble,
} from './find-tools.ts'
import { findWorkerTrouble } from './find-worker.ts'
import { findWorktreeTrouble } from './find-worktrees.ts'
import { type Finding, trouble } from './finding.ts'
import { repair } from './repair.ts'

export interface DoctorPorts {
  readonly upkeep: Upkeep
  /** Makes the state directory if it is missing: asked for only where it is there. */
  readonly presence: () => Promise<WorkerPresence>
  readonly boot: () => Promise<Boot>
  readonly locks: Locks
  /** Throws where it cannot be opened. */
  readonly store: () => Promise<Store>
  /** So that it can be replaced; asked for again, it is opened anew. */
  readonly closeStore: () => Promise<void>
  readonly files: TaskFiles
  readonly host: ProcessHost
  readonly processes: ProcessTable
  readonly worktrees: Worktrees
  readonly applications: Applications
  readonly clock: Clock
  readonly agents: readonly Agent[]
  readonly confinement: Confinement
  /** For the clean-up of a worktree that was being put away. */
  readonly cleaning: Omit<CleanUpPorts, 'store' | 'files'>
  /** Says what is set beforehand; throws where there is a mistake in it. */
  readonly configuration: () => Promise<string>
}

export interface DoctorOrder {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where the caller stands. */
  readonly directory: string
  readonly fix: boolean
  /** Takes over the worktrees of other tools at these paths; none: all of them. Null: none. */
  readonly adopt: readonly string[] | null
  readonly repositories: RepositoryLook
  /** What becomes of dead letters; null: they are only named. */
  readonly deadLetters: DeadLetterFate | null
}

/** A finding, and what came of its repair. */
export interface Examined extends Finding {
  /** Null: there was none, or it was not asked for. `problem`: why it could not be done. */
  readonly repaired:
    | { readonly ok: true; readonly notes: readonly string[] }
    | { readonly ok: false; readonly problem: string }
    | null
}

export async function examine(
  ports: DoctorPorts,
  order: DoctorOrder,
): Promise<readonly Examined[]> {
  const { environment, directory } = order
  const examined: Examined[] = []
  const stage = async (
    check: string,
    find: () => readonly Finding[] | Promise<readonly Finding[]>,
  ) => {
    const attended: Examined[] = []
    for (const finding of await findOr(check, find)) {
      const isAsked = isWanted(finding, order)
      attended.push(await attend(finding, isAsked, { ...ports, directory }))
    }
    examined.push(...attended)
    return attended.every(isWell)
  }
  const { upkeep, worktrees, processes, agents } = ports
  const homeServes = await stage('state directory', () => findHomeTrouble(upkeep))
  await stage('git', () => findGitTrouble(worktrees))
  await stage('processes', () => findProcessTrouble(processes, environment.PATH ?? ''))
  // Without a state directory there is nothing of ours to look at, and a look makes nothing.
  if (homeServes && upkeep.look().isThere) {
    const storeServes = await stage('store', () => findStoreTrouble(ports))
    await stage('worker', async () => findWorkerTrouble(await ports.presence(), upkeep, ports))
    if (storeServes) {
      await lookInside(ports, order, stage)
      if (examined.some(({ repaired }) => repaired?.ok === true)) await goOn(ports)
    }
  }
  await stage('boot', async () => findBootTrouble(await ports.boot()))
  await stage('configuration', () => findConfigurationTrouble(ports.configuration))
  await stage('agents', () => findAgentTrouble(agents, environment, directory))
  await stage('confinement', () => findConfinementTrouble(ports.confinement))
  return examined
}

type Stage = (
  check: string,
  find: () => readonly Finding[] | Promise<readonly Finding[]>,
) => Promise<boolean>

/** What takes a store that can be read. */
async function lookInside(
  ports: DoctorPorts,
  { repositories, deadLetters }: DoctorOrder,
  stage: Stage,
): Promise<void> {
  const open = { ...ports, store: await ports.store() }
  await stage('tasks', () => findTaskTrouble(open))
  await stage('processes', () => findOrphanTrouble(open))
  await stage('worktrees', () => findWorktreeTrouble(open))
  await stage('repositories', () => findRepositoryTrouble(repositories, open))
  await stage('applications', () => findApplicationTrouble(ports.applications, ports.files))
  await stage('deliveries', () => findDeliveryTrouble(open.store, deadLetters))
  await stage('leftovers', () => findLeftoverFiles(ports.upkeep, open.store))
}

/** What was mended may be work for a worker. */
async function goOn({ store, presence }: DoctorPorts): Promise<void> {
  const open = ['queued', 'waiting', ...activeStates] as const
  const opened = await store()
  const isLeft = (await opened.countTasks(open)) > 0 || (await opened.listOwed()).length > 0
  if (isLeft) await (await presence()).ring()
}

/** What is another tool's is taken over only if that itself was asked for. */
function isWanted({ repair: plan }: Finding, { fix, adopt }: DoctorOrder): boolean {
  // There is such a plan only where it was asked for.
  if (plan?.kind === 'dead_letters') return true
  if (plan?.kind !== 'adopt') return fix
  return adopt !== null && (adopt.length === 0 || adopt.includes(plan.adoptable.path))
}

const isWell = ({ status, repaired }: Examined) => status !== 'error' || repaired?.ok === true

async function findOr(
  check: string,
  find: () => readonly Finding[] | Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await find()
  } catch (error) {
    return [trouble(check, 'error', error)]
  }
}

async function attend(
  finding: Finding,
  fix: boolean,
  ports: DoctorPorts & Pick<DoctorOrder, 'directory'>,
): Promise<Examined> {
  if (!fix || finding.repair === null) return { ...finding, repaired: null }
  try {
    const notes = await repair(finding.repair, ports)
    return { ...finding, repaired: { ok: true, notes: notes ?? [] } }
  } catch (error) {
    return { ...finding, repaired: { ok: false, problem: messageOf(error) } }
  }
}
