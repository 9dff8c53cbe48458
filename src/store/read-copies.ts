import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ZodMiniType } from 'zod/mini'
import type { TaskId } from '../domain/ids.ts'
import type { Snapshot } from '../domain/snapshot.ts'
import {
  type EndedState,
  hasEnded,
  plainRequest,
  type TaskRequest,
  type TaskState,
} from '../domain/task.ts'
import { columnSchemas, snapshotCopy } from './column-schemas.ts'
import { END_COPY, REQUEST_COPY, SNAPSHOT_COPY } from './copies.ts'

/** The copies in a task directory, as far as they are whole and belong to this task. */
export async function readCopies(
  directory: string,
  task: TaskId,
): Promise<{ readonly request: TaskRequest | null; readonly end: EndedState | null }> {
  const { request_json, state_json } = columnSchemas.tasks
  const request = await readCopy(join(directory, REQUEST_COPY), request_json)
  const state = (await readCopy(join(directory, END_COPY), state_json)) as TaskState | null
  const asked = request as TaskRequest | null
  return {
    // One that was written by an older Holdfast says less.
    request: asked?.id === task ? { ...plainRequest(task), ...asked } : null,
    end: state !== null && hasEnded(state) ? state : null,
  }
}

/** The copy in the directory of a snapshot, if it is whole and that of this directory. */
export async function readSnapshotCopy(
  directory: string,
  name: string,
): Promise<Snapshot | undefined> {
  const copy = (await readCopy(join(directory, SNAPSHOT_COPY), snapshotCopy)) as Snapshot | null
  return copy !== null && `${copy.worktree}-${copy.number}` === name ? copy : undefined
}

async function readCopy(path: string, schema: ZodMiniType): Promise<unknown> {
  try {
    const parsed = schema.safeParse(JSON.parse(await readFile(path, 'utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    // Missing or torn: it says nothing.
    return null
  }
}
