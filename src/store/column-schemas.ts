/**
 * What must stand in the JSON columns of the store. `checkIntegrity` holds every row against them;
 * ordinary reads trust what only we have written (loading zod would cost `status` a sixth of its
 * time).
 */
import * as z from 'zod/mini'
import { companionKinds, reviewModes } from '../domain/companion-job.ts'
import type { GroupId } from '../domain/group.ts'
import type { CommitId, Fence, SessionId, TaskId, WorktreeId } from '../domain/ids.ts'
import type { FailureCode } from '../domain/outcome.ts'
import { reviewKinds } from '../domain/review.ts'
import { callerKinds } from '../domain/task.ts'

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
  repositories: z.optional(
    z.array(
      z.object({
        path: z.string(),
        directory: z.string(),
        files: z.number(),
        insertions: z.number(),
        deletions: z.number(),
        commits: z.number(),
      }),
    ),
  ),
})

const setUpCommand = z.object({
  argv: z.array(z.string()),
  scripts: z.array(z.string()),
  digest: z.string(),
  trusted: z.boolean(),
  limitMs: z.optional(z.number()),
})

const setUp = z.object({
  included: z.nullable(
    z.object({ files: z.number(), bytes: z.number(), leftOut: z.array(z.string()) }),
  ),
  command: z.nullable(setUpCommand),
  cleanUp: z.optional(z.nullable(setUpCommand)),
  directories: z.optional(
    z.array(z.object({ path: z.string(), way: z.enum(['clone', 'copy', 'symlink']) })),
  ),
})

const budget = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('usd'), usd: z.number() }),
  z.object({ kind: z.literal('tokens'), tokens: z.number() }),
])

const mode = z.enum(['read-only', 'workspace', 'full'])

const base = z.object({
  commit,
  changes: z.nullable(
    z.object({
      snapshot: commit,
      staged: z.nullable(commit),
      traits: z.optional(z.nullable(commit)),
      modified: z.number(),
      untracked: z.number(),
      deleted: z.number(),
      leftOut: z.array(z.string()),
    }),
  ),
  get submodules() {
    return z.optional(z.array(z.object({ path: z.string(), name: z.string(), base })))
  },
})

const caller = z.object({
  kind: z.enum(callerKinds),
  id: z.nullable(z.string()),
  directory: z.string(),
  subagent: z.optional(z.nullable(z.string())),
  login: z.optional(z.nullable(z.string())),
  companion: z.optional(
    z.object({
      kind: z.enum(companionKinds),
      title: z.string(),
      summary: z.string(),
      write: z.boolean(),
      review: z.optional(
        z.object({
          target: z.object({
            mode: z.enum(reviewModes),
            label: z.string(),
            baseRef: z.optional(z.string()),
            explicit: z.boolean(),
          }),
          context: z.object({ repoRoot: z.string(), branch: z.string(), summary: z.string() }),
        }),
      ),
    }),
  ),
})

const review = z.object({
  kind: z.enum(reviewKinds),
  focus: z.string(),
  target: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('uncommitted') }),
    z.object({
      kind: z.literal('branch'),
      base: z.string(),
      branch: z.nullable(z.string()),
      from: commit,
    }),
    z.object({ kind: z.literal('commit'), commit, from: z.nullable(commit) }),
    z.object({ kind: z.literal('task'), task: branded<TaskId>(), name: z.string(), from: commit }),
  ]),
})

const subscriber = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('file'), path: z.string() }),
  z.object({ kind: z.literal('command'), argv: z.array(z.string()) }),
  z.object({
    kind: z.literal('webhook'),
    url: z.string(),
    format: z.enum(['json', 'slack', 'ntfy']),
    keyFile: z.nullable(z.string()),
    mayBePrivate: z.boolean(),
  }),
  z.object({ kind: z.literal('desktop') }),
  z.object({
    kind: z.literal('openclaw'),
    session: z._default(z.nullable(z.string()), null),
    environment: z._default(z.record(z.string(), z.string()), {}),
  }),
  z.object({
    kind: z.literal('claude'),
    session: z.nullable(z.string()),
    socket: z.string(),
    tokenFile: z.nullable(z.string()),
  }),
])

const tie = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('process'),
    process: z.object({
      machine: z.string(),
      boot: z.string(),
      pidNamespace: z.string(),
      pid: z.number(),
      startTime: z.number(),
    }),
  }),
  z.object({ kind: z.literal('task'), id: z.string() }),
])

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
  base,
  start: z.optional(
    z.nullable(
      z.object({
        from: z.string(),
        commit,
        takenAt: z.number(),
        leftOut: z.array(z.string()),
      }),
    ),
  ),
  caller,
  notify: z.optional(
    z.array(z.object({ to: subscriber, isNamed: z.boolean(), givesWay: z.optional(z.boolean()) })),
  ),
  workplace: z.optional(
    z.object({
      kind: z.enum(['managed', 'permanent', 'borrowed']),
      id: z.string(),
      path: z.nullable(z.string()),
    }),
  ),
  setUp: z.optional(z.nullable(setUp)),
  umask: z.optional(z.nullable(z.number())),
  priority: z.optional(z.number()),
  after: z.optional(z.array(z.string())),
  timeoutMs: z.optional(z.nullable(z.number())),
  stallMs: z.optional(z.number()),
  maxFailures: z.optional(z.number()),
  budget: z.optional(z.nullable(budget)),
  fallback: z.optional(z.array(z.string())),
  account: z.optional(z.nullable(z.string())),
  asks: z.optional(z.boolean()),
  outputSchema: z.optional(z.nullable(z.string())),
  review: z.optional(z.nullable(review)),
  idempotency: z.optional(z.nullable(z.object({ key: z.string(), fingerprint: z.string() }))),
  follows: z.optional(z.nullable(z.string())),
  session: z.optional(z.nullable(z.string())),
  opened: z.optional(
    z.nullable(
      z.discriminatedUnion('by', [
        z.object({ by: z.literal('agent') }),
        z.object({ by: z.literal('editor'), argv: z.tuple([z.string()], z.string()) }),
      ]),
    ),
  ),
  sessionUsage: z.optional(z.nullable(usage)),
  delegation: z.optional(
    z.nullable(z.object({ parent: z.string(), root: z.string(), depth: z.number() })),
  ),
  memoryBytes: z.optional(z.nullable(z.number())),
  tie: z.optional(z.nullable(tie)),
  group: z.optional(z.nullable(branded<GroupId>())),
  oneShot: z.optional(z.boolean()),
  verify: z.optional(
    z.nullable(
      z.object({
        argv: z.array(z.string()),
        limitMs: z.number(),
        named: z.optional(z.object({ digest: z.string(), trusted: z.boolean() })),
      }),
    ),
  ),
  ownPrompt: z.optional(z.boolean()),
  createdAt: z.number(),
})

const state = z.discriminatedUnion('name', [
  z.object({ name: z.literal('queued') }),
  z.object({ name: z.literal('starting'), fence }),
  z.object({ name: z.literal('running'), fence }),
  z.object({
    name: z.literal('needs_input'),
    fence,
    question: z.object({
      id: z.string(),
      text: z.string(),
      options: z.array(z.object({ id: z.string(), label: z.string() })),
    }),
  }),
  z.object({
    name: z.literal('waiting'),
    wait: z.discriminatedUnion('reason', [
      z.object({ reason: z.literal('backoff'), until: z.number(), failure }),
      z.object({
        reason: z.literal('usage_limit'),
        until: z.number(),
        failure,
        account: z.string(),
      }),
      z.object({ reason: z.literal('budget'), failure }),
      z.object({ reason: z.literal('message'), until: z.number() }),
      z.object({ reason: z.literal('dependency'), on: z.array(branded<TaskId>()) }),
    ]),
  }),
  z.object({ name: z.literal('cancelling'), fence, why: z.optional(z.string()) }),
  z.object({ name: z.literal('succeeded'), endedAt: z.number(), result }),
  z.object({ name: z.literal('failed'), endedAt: z.number(), failure, result: z.nullable(result) }),
  z.object({
    name: z.literal('cancelled'),
    endedAt: z.number(),
    result: z.nullable(result),
    why: z.optional(z.string()),
  }),
])

const takenPlace = { at: z.number(), where: z.string(), number: z.nullable(z.number()) }
const taken = z.union([
  z.object({ how: z.enum(['applied', 'branched']), ...takenPlace }),
  z.object({
    how: z.literal('picked'),
    ...takenPlace,
    head: z.optional(
      z.object({ from: commit, commit, branch: z.optional(z.nullable(z.string())) }),
    ),
  }),
  z.object({
    how: z.enum(['handed_off', 'handed_back']),
    ...takenPlace,
    state: z.nullable(commit),
    withSession: z.boolean(),
  }),
])

const runningSnapshot = z.object({
  fence,
  number: z.number(),
  commit,
  takenAt: z.number(),
  leftOut: z.array(z.string()),
})

const ranVerification = { fence, failedBefore: z.number(), result: z.optional(result) }
const judgedVerification = { ...ranVerification, endedAt: z.number(), output: z.string() }
const verification = z.discriminatedUnion('state', [
  z.object({ state: z.literal('running'), fromMs: z.number(), ...ranVerification }),
  z.object({ state: z.literal('passed'), ...judgedVerification }),
  z.object({ state: z.enum(['failed', 'unknown']), how: z.string(), ...judgedVerification }),
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
  gitDirIdentity: z.optional(z.nullable(z.string())),
  adoptedFrom: z.optional(z.string()),
})

const snapshotContent = z.object({
  state: base,
  branch: z.nullable(z.string()),
  ignored: z.object({ files: z.number(), bytes: z.number(), dropped: z.array(z.string()) }),
  isKept: z.optional(z.boolean()),
  before: z.optional(z.number()),
})

/** The copy of a snapshot's row: all of its columns. */
export const snapshotCopy = z.extend(snapshotContent, {
  worktree: branded<WorktreeId>(),
  number: z.number(),
  kind: z.enum(['managed', 'permanent', 'borrowed']),
  path: z.string(),
  commonDir: z.string(),
  takenAt: z.number(),
})

/** What a log line says; its kinds are open, so only that it has one is checked. */
const eventBody = z.looseObject({ kind: z.string() })

/** By table and column. */
export const columnSchemas = {
  tasks: {
    request_json: request,
    state_json: state,
    usage_json: z.nullable(usage),
    taken_json: z.nullable(taken),
    budget_json: z.nullable(budget),
    snapshot_json: z.nullable(runningSnapshot),
    verify_json: z.nullable(verification),
  },
  attempts: { translation_json: z.nullable(translation), usage_json: z.nullable(usage) },
  worktrees: { record_json: z.nullable(worktreeRecord) },
  snapshots: { content_json: snapshotContent },
  events: { body_json: eventBody },
  deliveries: { subscriber_json: z.nullable(z.union([caller, subscriber])) },
} as const
