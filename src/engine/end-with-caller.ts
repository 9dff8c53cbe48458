/**
 * Tasks that were handed in to end with their caller (`--with-caller`): the worker looks at the
 * callers again and again, and asks for the end of each task whose caller has ended.
 */
import { reach } from '../domain/crash-points.ts'
import { hasEnded, type Task } from '../domain/task.ts'
import { describeTie, isTieOver, type Tie } from '../domain/tie.ts'
import type { Clock } from '../ports/clock.ts'
import type { ProcessHost } from '../ports/process-host.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import { forgetSecrets } from './forget-secrets.ts'
import { isRowTrouble } from './trouble.ts'

interface CallerPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly host: Pick<ProcessHost, 'liveness'>
  readonly clock: Clock
}

interface Tied {
  readonly task: Task
  readonly tie: Tie
}

const OPEN = ['queued', 'waiting', 'starting', 'running', 'needs_input'] as const

export function watchCallers(ports: CallerPorts, log: (line: string) => void) {
  let tied: readonly Tied[] = []
  return {
    /** While there is one, somebody has to look: a worker stays. */
    isAnyTied: () => tied.length > 0,
    /** To be called wherever the store may have changed. */
    async read(): Promise<void> {
      const open = await ports.store.listTasks({ tied: true, states: OPEN })
      tied = open.flatMap(task =>
        task.request.tie === null ? [] : { task, tie: task.request.tie },
      )
    },
    /** Ends those whose caller has ended; at the price of one look at each. True: there were some. */
    async look(): Promise<boolean> {
      const over: Tied[] = []
      for (const one of tied) if (await hasCallerEnded(one.tie, ports)) over.push(one)
      for (const { task, tie } of over) {
        const why = `${describeTie(tie, task.request.caller)} has ended`
        log(`cancelling ${task.request.id}: ${why}`)
        await askForEnd(task, why, ports)
      }
      tied = tied.filter(one => !over.includes(one))
      return over.length > 0
    },
  }
}

async function hasCallerEnded(tie: Tie, { store, host }: CallerPorts): Promise<boolean> {
  if (tie.kind === 'process') {
    return isTieOver({ kind: 'process', liveness: host.liveness(tie.process) })
  }
  try {
    return isTieOver({ kind: 'task', state: (await store.findTask(tie.id))?.state })
  } catch (error) {
    // A damaged row does not say that it has ended.
    if (isRowTrouble(error)) return false
    throw error
  }
}

/** As `cancel` does, in nobody's name. */
async function askForEnd(
  { request }: Task,
  why: string,
  { store, files, clock }: CallerPorts,
): Promise<void> {
  const now = clock.now()
  const asked = await store.transition(request.id, null, { kind: 'cancel_requested', why }, now)
  reach('cancel.caller-ended')
  if (asked !== undefined && hasEnded(asked.state))
    await forgetSecrets(asked, now, { store, files })
}
