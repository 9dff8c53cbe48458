/**
 * What was asked, and how it ended, once more beside the files of each task: `request.json` and
 * `ended.json`; and what a snapshot is, beside its ignored files: `snapshot.json`. The store is the truth; these are read only where a row is lost or damaged. So they
 * are written after it, and one that cannot be written is no failure.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TaskId } from '../domain/ids.ts'
import type { Snapshot } from '../domain/snapshot.ts'
import type { EndedState, TaskRequest } from '../domain/task.ts'

/** A task directory that has it belongs to a task that was handed in: its row once stood. */
export const REQUEST_COPY = 'request.json'
export const END_COPY = 'ended.json'
export const SNAPSHOT_COPY = 'snapshot.json'

/** `home` is the state directory. */
export function keepRequest(home: string, request: TaskRequest): void {
  keep(join(home, 'tasks', request.id, REQUEST_COPY), request)
}

export function keepEnd(home: string, task: TaskId, state: EndedState): void {
  keep(join(home, 'tasks', task, END_COPY), state)
}

export function keepSnapshot(home: string, snapshot: Snapshot): void {
  const { worktree, number } = snapshot
  keep(join(home, 'snapshots', `${worktree}-${number}`, SNAPSHOT_COPY), snapshot)
}

function keep(path: string, content: TaskRequest | EndedState | Snapshot): void {
  try {
    writeFileSync(`${path}.new`, JSON.stringify(content), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  } catch {
    // A full disk, or no directory any more: the row says it all.
  }
}
