/**
 * The JSON columns of the store: what goes in is typed, what comes out is checked. A store that
 * somebody edited, or that a newer version wrote, is noticed here and not three calls later.
 */
import * as z from 'zod/mini'
import type { TaskEventBody } from '../domain/agent-events.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import type { CommitId, Fence, SessionId, TaskId, WorktreeId } from '../domain/ids.ts'
import type { FailureCode, Usage } from '../domain/outcome.ts'
import type { TaskRequest, TaskState } from '../domain/task.ts'
import type { Translation } from '../ports/agent.ts'
import type { WorktreeRecord } from '../ports/worktrees.ts'

/** A string that was branded when it was written. */
const branded = <T extends string>() =>
  z.pipe(
    z.string(),
    z.transform(text => text as T),
  )
const fence = z.pipe(
  z.number(),
  z.transform(count => count as Fence),
)
const commit = branded<CommitId>()

const usage = z.object({
  inputTokens: z.nullable(z.number()),
  cachedInputTokens: z.nullable(z.number()),
  outputTokens: z.nullable(z.number()),
  costUsd: z.nullable(z.number()),
})

const failure = z.object({
  code: branded<FailureCode>(),
  message: z.string(),
  hint: z.optional(z.string()),
})

const result = z.object({
  answer: z.nullable(z.string()),
  commit: z.nullable(commit),
  files: z.number(),
  insertions: z.number(),
  deletions: z.number(),
  leftOut: z.array(z.string()),
})

const mode = z.enum(['read-only', 'workspace', 'full'])

const request = z.object({
  id: branded<TaskId>(),
  name: z.string(),
  agent: z.string(),
  model: z.nullable(z.string()),
  effort: z.nullable(z.string()),
  permissions: z.object({
    asked: mode,
    effective: mode,
    enforcedBy: z.enum(['agent', 'system', 'none']),
  }),
  argv: z.array(z.string()),
  retryOnCrash: z.boolean(),
  repo: z.object({ root: z.string(), commonDir: z.string(), subdirectory: z.string() }),
  base: z.object({
    commit,
    changes: z.nullable(
      z.object({
        snapshot: commit,
        staged: z.nullable(commit),
        modified: z.number(),
        untracked: z.number(),
        deleted: z.number(),
        leftOut: z.array(z.string()),
      }),
    ),
  }),
  caller: z.object({
    kind: z.enum(['terminal', 'claude', 'task', 'program']),
    id: z.nullable(z.string()),
    directory: z.string(),
  }),
  createdAt: z.number(),
})

const state = z.discriminatedUnion('name', [
  z.object({ name: z.literal('queued') }),
  z.object({ name: z.literal('starting'), fence }),
  z.object({ name: z.literal('running'), fence }),
  z.object({ name: z.literal('needs_input'), fence, question: z.string() }),
  z.object({
    name: z.literal('waiting'),
    wait: z.object({ reason: z.literal('backoff'), until: z.number(), failure }),
  }),
  z.object({ name: z.literal('cancelling'), fence }),
  z.object({ name: z.literal('succeeded'), endedAt: z.number(), result }),
  z.object({ name: z.literal('failed'), endedAt: z.number(), failure, result: z.nullable(result) }),
  z.object({ name: z.literal('cancelled'), endedAt: z.number(), result: z.nullable(result) }),
])

const translation = z.object({
  session: z.nullable(branded<SessionId>()),
  answer: z.nullable(z.string()),
  usage: z.nullable(usage),
  turn: z.nullable(
    z.discriminatedUnion('ok', [
      z.object({ ok: z.literal(true) }),
      z.object({ ok: z.literal(false), message: z.string() }),
    ]),
  ),
})

const worktreeRecord = z.object({
  id: branded<WorktreeId>(),
  path: z.string(),
  gitDir: z.string(),
  commonDir: z.string(),
  device: z.number(),
  inode: z.number(),
})

/** What a log line says; its kinds are open, so only that it has one is checked. */
const eventBody = z.looseObject({ kind: z.string() })

function reader<T>(column: string, schema: z.ZodMiniType<unknown>): (json: string) => T {
  return json => {
    try {
      return schema.parse(JSON.parse(json)) as T
    } catch (error) {
      throw new AppError('store_unreadable', `the store's column ${column} cannot be read`, {
        hint: 'run: holdfast doctor',
        cause: messageOf(error),
      })
    }
  }
}

export const readRequest = reader<TaskRequest>('tasks.request_json', request)
export const readState = reader<TaskState>('tasks.state_json', state)
export const readUsage = reader<Usage>('tasks.usage_json', usage)
export const readTranslation = reader<Translation>('attempts.translation_json', translation)
export const readWorktreeRecord = reader<WorktreeRecord>('worktrees.record_json', worktreeRecord)
export const readEventBody = reader<TaskEventBody>('events.body_json', eventBody)
