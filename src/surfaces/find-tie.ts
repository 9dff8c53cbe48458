/**
 * Which process asks, for `--with-caller`. A task that ends with the wrong one would end too soon,
 * or never: where it cannot be told beyond doubt, it is refused.
 */
import { AppError } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Caller } from '../domain/task.ts'
import type { Tie } from '../domain/tie.ts'
import type { ProcessEntry, ProcessTable } from '../ports/process-table.ts'
import type { WorkerInfo, WorkerPresence } from '../ports/worker-presence.ts'

const HINT = 'without --with-caller the task outlives whoever asks; holdfast cancel ends it'

/** `find` is asked for this process and those that it descends from. */
export function findTie(
  caller: Caller,
  environment: Readonly<Record<string, string | undefined>>,
  processes: Pick<ProcessTable, 'place' | 'find' | 'self'>,
): Tie {
  if (caller.kind === 'task' && caller.id !== null) {
    return { kind: 'task', id: caller.id as TaskId }
  }
  const own = processes.find(processes.self().pid)
  const found = own && findProcess(caller, own, environment, processes)
  if (found === undefined) throw unknown(caller)
  const { pid, startTime } = found
  return { kind: 'process', process: { ...processes.place(), pid, startTime } }
}

function findProcess(
  { kind }: Caller,
  own: ProcessEntry,
  environment: Readonly<Record<string, string | undefined>>,
  processes: Pick<ProcessTable, 'find'>,
): ProcessEntry | undefined {
  switch (kind) {
    case 'claude':
      return findSession(own, environment.CLAUDE_PID, processes)
    case 'terminal':
      // Its shell. A command that a terminal runs alone is the leader itself.
      return own.session > 0 && own.session !== own.pid ? processes.find(own.session) : undefined
    case 'program':
      // Whoever was left by its parent is a child of process 1, or is seen as one of nobody.
      return own.parent > 1 ? processes.find(own.parent) : undefined
    default:
      return undefined
  }
}

/**
 * The process of the session, among those that this one descends from: `CLAUDE_PID` says which
 * (Claude Code ≥ 2.1.214). One that is none of them is of a session that is gone, or of another
 * namespace. Older ones are known by their name.
 */
function findSession(
  own: ProcessEntry,
  said: string | undefined,
  { find }: Pick<ProcessTable, 'find'>,
): ProcessEntry | undefined {
  const seen = new Set<number>()
  for (let pid = own.parent; pid > 0 && !seen.has(pid); ) {
    seen.add(pid)
    const ancestor = find(pid)
    if (ancestor === undefined) return undefined
    if (said ? String(pid) === said : ancestor.name === 'claude') return ancestor
    pid = ancestor.parent
  }
  return undefined
}

/** A worker of another machine or PID namespace would never see it end. */
export function requireInSight(tie: Tie, worker: WorkerInfo | 'unnamed' | undefined): void {
  if (tie.kind !== 'process' || typeof worker !== 'object') return
  const { machine, pidNamespace } = worker.identity
  if (machine === tie.process.machine && pidNamespace === tie.process.pidNamespace) return
  throw new AppError(
    'refused_in_state',
    '--with-caller: the worker cannot see who asks from where it runs',
    {
      hint: HINT,
    },
  )
}

interface Sights {
  processes(): Promise<ProcessTable>
  presence(): Promise<Pick<WorkerPresence, 'look'>>
}

/** To whoever asks from outside of this process. */
export async function tieToCaller(
  caller: Caller,
  environment: Readonly<Record<string, string | undefined>>,
  holdfast: Sights,
): Promise<Tie> {
  const tie = findTie(caller, environment, await holdfast.processes())
  requireInSight(tie, (await holdfast.presence()).look())
  return tie
}

/** To this very process, which asks for itself; or, as ever, to the task whose agent it is. */
export async function tieToSelf(caller: Caller, holdfast: Sights): Promise<Tie> {
  if (caller.kind === 'task') return await tieToCaller(caller, {}, holdfast)
  const processes = await holdfast.processes()
  const own = processes.find(processes.self().pid)
  if (own === undefined) throw unknown(caller)
  const { pid, startTime } = own
  const tie = { kind: 'process', process: { ...processes.place(), pid, startTime } } as const
  requireInSight(tie, (await holdfast.presence()).look())
  return tie
}

function unknown({ kind }: Caller): AppError {
  const whose = kind === 'claude' ? 'which process the session of Claude Code is' : 'who asks'
  return new AppError('refused_in_state', `--with-caller: it cannot be told ${whose}`, {
    hint: HINT,
  })
}
