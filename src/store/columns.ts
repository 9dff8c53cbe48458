/**
 * The JSON columns of the store as they are read. That they are JSON is seen here; that they have
 * the right shape is checked by `checkIntegrity` (`column-schemas.ts`).
 */
import type { TaskEventBody } from '../domain/agent-events.ts'
import { AppError } from '../domain/errors.ts'
import type { Usage } from '../domain/outcome.ts'
import { plainRequest, type TaskRequest, type TaskState } from '../domain/task.ts'
import type { Translation } from '../ports/agent.ts'
import type { WorktreeRecord } from '../ports/worktrees.ts'

function reader<T>(column: string): (json: string) => T {
  return json => {
    try {
      return JSON.parse(json) as T
    } catch (cause) {
      throw new AppError('store_unreadable', `the store's column ${column} cannot be read`, {
        hint: 'run: holdfast doctor',
        cause,
      })
    }
  }
}

const requestAsWritten = reader<Partial<TaskRequest> & Pick<TaskRequest, 'id'>>(
  'tasks.request_json',
)

/** One that was written by an older Holdfast says less. */
export function readRequest(json: string): TaskRequest {
  const written = requestAsWritten(json)
  return { ...plainRequest(written.id), ...written } as TaskRequest
}

export const readState = reader<TaskState>('tasks.state_json')
export const readUsage = reader<Usage>('tasks.usage_json')
export const readTranslation = reader<Translation>('attempts.translation_json')
export const readWorktreeRecord = reader<WorktreeRecord>('worktrees.record_json')
export const readEventBody = reader<TaskEventBody>('events.body_json')
