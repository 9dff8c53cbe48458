/** Takes down how far attempts have come: what a worker writes most often by far. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { AgentEvent } from '../domain/agent-events.ts'
import { reach } from '../domain/crash-points.ts'
import type { Usage } from '../domain/outcome.ts'
import type { ClaimedAttempt, Progress } from '../ports/store.ts'

/** One attempt's step. */
export interface Step {
  readonly attempt: ClaimedAttempt
  readonly progress: Progress
  readonly events: readonly AgentEvent[]
  readonly now: number
}

/**
 * Gives what records the steps of several attempts in one transaction; for each, whether its fence
 * still held. It is plain SQL that does not yield between two statements: to build it anew, and to
 * wait for each part, costs as much as the writing, or more.
 */
export function makeStepRecorder(
  database: DatabaseSync,
): (steps: readonly Step[]) => readonly boolean[] {
  let statements: Statements | undefined
  return steps => {
    // Most of those who open a store never record one.
    statements ??= prepare(database)
    database.exec('BEGIN IMMEDIATE')
    try {
      const held: boolean[] = []
      for (const step of steps) held.push(recordStep(statements, step))
      reach('follow.step-written')
      database.exec('COMMIT')
      return held
    } catch (error) {
      // A full or failing disk has SQLite roll back by itself.
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }
}

interface Statements {
  readonly task: StatementSync
  readonly attempt: StatementSync
  readonly event: StatementSync
}

function prepare(database: DatabaseSync): Statements {
  return {
    task: database.prepare(`
      UPDATE tasks SET
        last_seq = last_seq + ?,
        session = coalesce(?, session),
        usage_json = coalesce(?, usage_json),
        fruitless_ms = ?
      WHERE id = ? AND attempts = ?
      RETURNING last_seq`),
    attempt: database.prepare(`
      UPDATE attempts SET
        stdout_offset = ?, stdout_lines = ?, active_ms = ?, usage_json = ?, translation_json = ?
      WHERE task = ? AND fence = ?`),
    event: database.prepare(`
      INSERT INTO events (task, seq, at, fence, kind, body_json) VALUES (?, ?, ?, ?, ?, ?)`),
  }
}

function recordStep(statements: Statements, { attempt, progress, events, now }: Step): boolean {
  const { task, fence } = attempt
  const { offset, lines, translation, activity, spent, usage } = progress
  const fruitlessMs = Math.round(activity.fruitlessMs)
  const current = statements.task.get(
    ...[events.length, translation.session, json(usage), fruitlessMs, task, fence],
  )
  if (current === undefined) return false
  const activeMs = Math.round(activity.activeMs)
  const understood = JSON.stringify(translation)
  statements.attempt.run(offset, lines, activeMs, json(spent), understood, task, fence)
  let seq = Number(current.last_seq) - events.length
  for (const body of events) {
    seq += 1
    statements.event.run(task, seq, now, fence, body.kind, JSON.stringify(body))
  }
  return true
}

const json = (usage: Usage | null) => (usage === null ? null : JSON.stringify(usage))
