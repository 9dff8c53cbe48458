/**
 * The state of a task at this moment, where no worker keeps its row true: the recovery verdict is
 * applied to what can be seen, and nothing is written.
 */
import { recoveryVerdict } from '../domain/recovery.ts'
import { isActive, type Task, type TaskStateName } from '../domain/task.ts'
import type { ProcessHost } from '../ports/process-host.ts'
import type { TaskFiles } from '../ports/task-files.ts'

export interface JudgedState {
  readonly name: TaskStateName
  /** When it was last known to be so, in milliseconds since 1970. */
  readonly asOf: number
  /** What a reader should know besides; null where the row says all. */
  readonly remark: string | null
}

/** Of another machine, or of a PID namespace such as another container's. */
const OUT_OF_SIGHT = 'cannot be seen from here; if where it ran is no more: holdfast cancel --lost'

export function judgeNow(
  task: Task,
  now: number,
  { host, files }: { readonly host: ProcessHost; readonly files: TaskFiles },
): JudgedState {
  const { state } = task
  // A task whose end was asked for stays so, whatever became of its processes.
  if (!isActive(state) || state.name === 'cancelling')
    return { name: state.name, asOf: now, remark: null }
  const run = host.lookAtRun(files.runDirectory(task.request.id, state.fence))
  switch (recoveryVerdict(run, now)) {
    case 'adopt':
      return { name: state.name, asOf: now, remark: null }
    case 'collect':
      return {
        name: state.name,
        asOf: now,
        remark: 'the agent has ended; a worker will collect it',
      }
    case 'reap':
      return { name: 'waiting', asOf: now, remark: 'the agent died; a worker will see to it' }
    case 'relaunch':
      return { name: 'waiting', asOf: now, remark: 'not started yet; a worker will start it' }
    case 'wait':
      return { name: state.name, asOf: task.stateSince, remark: OUT_OF_SIGHT }
  }
}
