/**
 * Every JSON that we print, as zod schemas. Other programs build on these: a field is added, never
 * renamed. Times are ISO 8601 UTC; null is "none" or "unknown". `make-view.ts` fills them; it needs
 * only the types, so that a command that prints loads no zod.
 */
import * as z from 'zod/mini'
import { hostNames } from '../domain/hosts.ts'
import { noticeEvents } from '../domain/notice.ts'
import { reviewKinds, reviewScopes, reviewVerdicts, severities } from '../domain/review.ts'
import { callerKinds } from '../domain/task.ts'

export const stateView = z.enum([
  'queued',
  'starting',
  'running',
  'needs_input',
  'waiting',
  'cancelling',
  'succeeded',
  'failed',
  'cancelled',
])

export const usageView = z.object({
  inputTokens: z.nullable(z.number()),
  cachedInputTokens: z.nullable(z.number()),
  outputTokens: z.nullable(z.number()),
  costUsd: z.nullable(z.number()),
})

const commandView = z.object({
  argv: z.array(z.string()),
  scripts: z.array(z.string()),
  trusted: z.boolean(),
})

/** What readies a task's new worktree before its agent starts. */
export const setUpView = z.object({
  /** Ignored files that came along, by `.worktreeinclude`. */
  included: z.nullable(
    z.object({ files: z.number(), bytes: z.number(), leftOut: z.array(z.string()) }),
  ),
  /** The repository's own command; it runs only if it was trusted when the task was handed in. */
  command: z.nullable(commandView),
  /** What is run before its worktree is put away, if it was trusted. */
  cleanUp: z.nullable(commandView),
  /** Ignored directories that come along, and how. */
  directories: z.array(z.object({ path: z.string(), way: z.enum(['clone', 'copy', 'symlink']) })),
})

export const repositoryResultView = z.object({
  path: z.string(),
  /** In the task directory. */
  directory: z.string(),
  files: z.number(),
  insertions: z.number(),
  deletions: z.number(),
  commits: z.number(),
})

export const callerView = z.object({
  kind: z.enum(callerKinds),
  /** The caller session, the delegating task, or the terminal; null: nothing tells it from others. */
  id: z.nullable(z.string()),
  /** Of a caller session: its subagent. */
  subagent: z.nullable(z.string()),
  /** The login session of a terminal. */
  login: z.nullable(z.string()),
  directory: z.string(),
})

/** What verifies its work, and what the newest run of that came to. */
export const verifyView = z.object({
  command: z.array(z.string()),
  limitMs: z.number(),
  /** `unknown`: it could not be run, or nobody knows how it ended. */
  state: z.enum(['not_run', 'running', 'passed', 'failed', 'unknown']),
  /** In words, where it failed or is unknown, or why it is not run. */
  how: z.nullable(z.string()),
  /** The end of what it printed. */
  output: z.nullable(z.string()),
  endedAt: z.nullable(z.string()),
  /** How often the agent was told that it failed. */
  failedBefore: z.number(),
})

/** What a review looks at. */
export const reviewTargetView = z.object({
  scope: z.enum(reviewScopes),
  /** In words. */
  label: z.string(),
  /** Of a branch: what it is compared with, as the caller named it. */
  base: z.nullable(z.string()),
  /** The task whose result is reviewed. */
  task: z.nullable(z.string()),
  /** The commits before and after the change; null before a first commit. */
  from: z.nullable(z.string()),
  to: z.string(),
})

export const taskView = z.object({
  id: z.string(),
  name: z.string(),
  /** Who does it now; with `fallback`, it may be another than it was handed to. */
  agent: z.string(),
  /** Who goes on, one after the other, where an account is used up. */
  fallback: z.array(z.string()),
  state: stateView,
  stateAsOf: z.string(),
  reason: z.nullable(z.string()),
  /** What its agent asks; null unless it is `needs_input`. */
  question: z.nullable(
    z.object({
      id: z.string(),
      text: z.string(),
      options: z.array(z.object({ id: z.string(), label: z.string() })),
    }),
  ),
  attempt: z.number(),
  session: z.nullable(z.string()),
  caller: callerView,
  repo: z.object({ root: z.string(), commonDir: z.string(), subdirectory: z.string() }),
  base: z.object({
    commit: z.string(),
    changes: z.nullable(
      z.object({
        snapshot: z.string(),
        modified: z.number(),
        untracked: z.number(),
        deleted: z.number(),
        leftOut: z.array(z.string()),
      }),
    ),
  }),
  /** The snapshot of another task's files that it starts from; null: its files are those of its base. */
  start: z.nullable(z.object({ from: z.string(), commit: z.string(), takenAt: z.string() })),
  /** When its files were last kept aside, for the case that its worktree is lost; null: not, or they are collected. */
  snapshot: z.nullable(z.object({ takenAt: z.string(), leftOut: z.array(z.string()) })),
  setUp: z.nullable(setUpView),
  /** It is a review, and of what. */
  review: z.nullable(
    z.object({ kind: z.enum(reviewKinds), focus: z.string(), target: reviewTargetView }),
  ),
  model: z.nullable(z.string()),
  effort: z.nullable(z.string()),
  permissions: z.object({
    asked: z.enum(['read-only', 'workspace', 'full']),
    effective: z.enum(['read-only', 'workspace', 'full']),
    enforcedBy: z.enum(['agent', 'system', 'none']),
  }),
  /** Of queued tasks, larger goes first. */
  priority: z.number(),
  /** The tasks that must have succeeded before it starts. */
  after: z.array(z.string()),
  /** How long its agents may be at work in all, in milliseconds; null: no limit. */
  timeoutMs: z.nullable(z.number()),
  /** What it may use in all; null: whatever it takes. */
  budget: z.nullable(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('usd'), usd: z.number() }),
      z.object({ kind: z.literal('tokens'), tokens: z.number() }),
    ]),
  ),
  /** The task that delegated it, and the one at the top of these; null: no task did. */
  delegation: z.nullable(z.object({ parent: z.string(), root: z.string(), depth: z.number() })),
  /** How much memory the processes of a try may use together; null: no limit. */
  memoryBytes: z.nullable(z.number()),
  /** Who its caller is, in words, if it was handed in to end with that; null: it outlives its caller. */
  endsWith: z.nullable(z.string()),
  follows: z.nullable(z.string()),
  /** What a person drives at a terminal (`open`): the agent's user interface, or an editor; null: nobody does. */
  opened: z.nullable(z.enum(['agent', 'editor'])),
  /** The newest that follows it. */
  followedBy: z.nullable(z.string()),
  /** The group that it is a member of, whose name stands before the colon. */
  group: z.nullable(z.string()),
  /** Of a group of which one was picked: whether it is that one. */
  picked: z.nullable(z.boolean()),
  /** What looks at its work once its agent is done; null: nothing does. */
  verify: z.nullable(verifyView),
  worktree: z.nullable(
    z.object({
      path: z.string(),
      kind: z.enum(['managed', 'permanent', 'borrowed']),
      pinned: z.boolean(),
      /** The first of the ports that are its own; null: it has none. */
      port: z.nullable(z.number()),
    }),
  ),
  /** When its worktree was put away; `restore` brings it back. */
  putAway: z.nullable(z.string()),
  /** What was said to it after it was handed in, and how much of that its agent has not shown to have. */
  messages: z.object({ sent: z.number(), unheard: z.number() }),
  createdAt: z.string(),
  startedAt: z.nullable(z.string()),
  endedAt: z.nullable(z.string()),
  waitingUntil: z.nullable(z.string()),
  usage: z.nullable(usageView),
  result: z.nullable(
    z.object({
      answer: z.nullable(z.string()),
      commit: z.nullable(z.string()),
      files: z.number(),
      insertions: z.number(),
      deletions: z.number(),
      leftOut: z.array(z.string()),
      /** Work in repositories inside of the worktree: it is not in the commit. */
      repositories: z.array(repositoryResultView),
    }),
  ),
  /** When its result was taken home (applied to a checkout); null: not yet, or given back. */
  taken: z.nullable(z.string()),
  error: z.nullable(
    z.object({ code: z.string(), message: z.string(), hint: z.nullable(z.string()) }),
  ),
})

export const workerView = z.object({
  /** `silent`: it is there, and shows no sign of life. */
  state: z.enum(['running', 'silent', 'stopped']),
  pid: z.nullable(z.number()),
  version: z.nullable(z.string()),
  startedAt: z.nullable(z.string()),
  /** Attempts under way. */
  tasks: z.number(),
})

/** What starts the worker with the machine. */
export const bootView = z.object({
  /** Whether it is there now; with `--print` nothing is changed. */
  installed: z.boolean(),
  method: z.nullable(z.enum(['systemd', 'launchd', 'cron'])),
  /** Its file, or `crontab`. */
  where: z.nullable(z.string()),
  text: z.nullable(z.string()),
  /** What remains to be done by hand. */
  notes: z.array(z.string()),
  /** Where entries were that `worker uninstall` took away. */
  removed: z.array(z.string()),
})

/** A task whose row in the store is damaged: what is still known of it. */
export const unreadableView = z.object({
  id: z.string(),
  name: z.string(),
  agent: z.string(),
  /** As it was last written down; nobody looks after it. */
  state: z.string(),
  createdAt: z.string(),
  /** Where its prompt, its output and its patch are. */
  directory: z.string(),
  problem: z.string(),
})

/** The tasks that a command was about. */
export const tasksView = z.object({ tasks: z.array(taskView), worker: workerView })

/** The disk, as the worker found it when it last put the house in order. */
export const diskView = z.object({
  /** By worktrees, pool, trash, task directories and raw output together. */
  usedBytes: z.nullable(z.number()),
  budgetBytes: z.nullable(z.number()),
  measuredAt: z.nullable(z.string()),
  /** Of the file system of the state directory, at this moment. */
  freeBytes: z.number(),
  totalBytes: z.number(),
  /** In words: four fifths of the budget are used, or the disk is nearly full. */
  warning: z.nullable(z.string()),
})

/** The tasks of a group, the newest of each line. */
export const groupView = z.object({
  group: z.string(),
  /** What people type. */
  name: z.string(),
  /** The ids of those that were picked. */
  picked: z.array(z.string()),
  tasks: z.array(taskView),
  worker: workerView,
})

/** What the members of a group have come to, side by side. */
export const groupDiffView = z.object({
  group: z.string(),
  name: z.string(),
  picked: z.array(z.string()),
  tasks: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      agent: z.string(),
      state: stateView,
      verify: z.nullable(z.enum(['not_run', 'running', 'passed', 'failed', 'unknown'])),
      /** Null, as the next two: nothing is known of it (yet). While it runs: so far. */
      files: z.nullable(z.number()),
      insertions: z.nullable(z.number()),
      deletions: z.nullable(z.number()),
      /** How long its agents were at work, in milliseconds. */
      workedMs: z.number(),
      usage: z.nullable(usageView),
      error: z.nullable(z.string()),
    }),
  ),
})

export const statusView = z.object({
  tasks: z.array(taskView),
  unreadable: z.array(unreadableView),
  worker: workerView,
  disk: diskView,
})

export const gcView = z.object({
  worktrees: z.array(
    z.object({
      id: z.string(),
      /** The name of the newest task that worked in it. */
      task: z.nullable(z.string()),
      path: z.string(),
      /** Null: not measured yet. */
      bytes: z.nullable(z.number()),
      fate: z.enum(['stays', 'would go', 'put away', 'stays after all']),
      why: z.string(),
    }),
  ),
  /** What goes from worktrees and task directories that stay. */
  reclaim: z.array(
    z.object({
      /** Of the worktree, or of the task. */
      id: z.string(),
      kind: z.enum(['build_output', 'raw_output']),
      task: z.nullable(z.string()),
      path: z.string(),
      bytes: z.number(),
      fate: z.enum(['would go', 'would be compressed', 'gone', 'compressed', 'stays after all']),
      why: z.string(),
    }),
  ),
  /** How many worktrees that were put away have left the disk for good. */
  unlinked: z.number(),
  /** What lies in the trash, and stays there; why. */
  trash: z.array(
    z.object({
      path: z.string(),
      worktreePath: z.nullable(z.string()),
      kept: z.nullable(z.string()),
    }),
  ),
  /** As it was before. */
  disk: z.object({
    usedBytes: z.number(),
    budgetBytes: z.number(),
    /** What is still over when all that may go has gone. */
    stillOverBytes: z.number(),
    worktrees: z.number(),
    pool: z.number(),
    trash: z.number(),
    snapshots: z.number(),
    tasks: z.number(),
    rawOutput: z.number(),
    /** False: not all could be measured in time; it is at least so much. */
    isWhole: z.boolean(),
  }),
})

export const eventView = z.looseObject({
  seq: z.number(),
  at: z.string(),
  attempt: z.nullable(z.number()),
  kind: z.string(),
})

/** What a review has found; until it has ended, and where it cannot be read, it has no verdict. */
export const reviewView = z.object({
  /** The id of the task that reviews. */
  task: z.string(),
  name: z.string(),
  agent: z.string(),
  state: stateView,
  kind: z.enum(reviewKinds),
  focus: z.string(),
  target: reviewTargetView,
  verdict: z.nullable(z.enum(reviewVerdicts)),
  summary: z.nullable(z.string()),
  /** The worst first. */
  findings: z.array(
    z.object({
      /** By which it can be named: from 1. */
      number: z.number(),
      severity: z.nullable(z.enum(severities)),
      title: z.string(),
      body: z.string(),
      /** From the top of the repository, where it is there; else as its agent named it. */
      file: z.nullable(z.string()),
      line_start: z.nullable(z.number()),
      line_end: z.nullable(z.number()),
      /** From 0 to 1. */
      confidence: z.nullable(z.number()),
      /** Empty: it has none. */
      recommendation: z.string(),
      /**
       * Whether file and lines are there after the change; `removed`: the change took the file away.
       * Null: it names no file, or that cannot be told.
       */
      place: z.nullable(z.enum(['there', 'removed', 'no_such_file', 'no_such_lines'])),
    }),
  ),
  next_steps: z.array(z.string()),
  /** What its agent said in the end, verbatim. */
  answer: z.nullable(z.string()),
  /** Why there is no verdict; null: there is one, or it has not ended. */
  problem: z.nullable(z.string()),
})

export const resultView = z.object({
  task: taskView,
  answer: z.nullable(z.string()),
  commit: z.nullable(z.string()),
  files: z.number(),
  insertions: z.number(),
  deletions: z.number(),
  leftOut: z.array(z.string()),
  commands: z.array(z.object({ command: z.string(), exitCode: z.nullable(z.number()) })),
  /** What its agent wanted to do and was not let. */
  refused: z.array(z.object({ action: z.string(), why: z.string() })),
  usage: z.nullable(usageView),
  timeline: z.array(z.object({ at: z.string(), text: z.string() })),
  ended: z.nullable(z.string()),
  /** Of a review: its answer, read. */
  review: z.nullable(reviewView),
  /** What was said to it that its agent has not shown to have. */
  unheard: z.array(z.string()),
  /** It, what it follows, and what follows it; the oldest first. */
  conversation: z.array(z.object({ id: z.string(), name: z.string(), state: stateView })),
})

export const sentView = z.object({
  /** The task that was told, or the one that follows. */
  task: taskView,
  /** Null: it is the prompt of a task that follows. */
  message: z.nullable(
    z.object({
      /** Counts from 1 within the task. */
      number: z.number(),
      text: z.string(),
      sentAt: z.string(),
      /** When its agent showed that it has it; null: not yet. */
      heardAt: z.nullable(z.string()),
    }),
  ),
  /** When its agent hears it: in the middle of its turn where it can; after it; as it starts, or goes on. */
  heard: z.enum(['at_once', 'after_turn', 'at_start']),
  /** False: it was sent before, under the same key. */
  isNew: z.boolean(),
})

export const diffView = z.object({
  id: z.string(),
  files: z.number(),
  insertions: z.number(),
  deletions: z.number(),
  /** As text; bytes that are no UTF-8 are replaced, so apply the raw output instead. */
  patch: z.string(),
})

export const applyView = z.object({
  id: z.string(),
  /** The top of the checkout; null where there was nothing to apply. */
  to: z.nullable(z.string()),
  /**
   * `conflicts`: nothing was written. `applied` with conflicts: they stand in the files, with
   * markers. `in_place`: everything was there already. `nothing`: the agent changed no file.
   */
  state: z.enum(['applied', 'in_place', 'nothing', 'would_apply', 'conflicts', 'undone']),
  files: z.array(z.object({ path: z.string(), change: z.enum(['added', 'modified', 'deleted']) })),
  conflicts: z.array(z.object({ path: z.string(), why: z.string() })),
  taken: z.nullable(z.string()),
})

export const pickView = z.object({
  id: z.string(),
  /** The top of the checkout. */
  to: z.string(),
  /** `in_place`: HEAD had all of it. `given_back`: HEAD is where it was before the pick. */
  state: z.enum(['picked', 'in_place', 'given_back']),
  /** What HEAD is now, and how many commits that are; null: it is as it was. */
  commit: z.nullable(z.string()),
  commits: z.number(),
  /** What HEAD was. */
  from: z.nullable(z.string()),
  /** The branch that moved along; null: HEAD is detached, or did not move. */
  branch: z.nullable(z.string()),
  files: z.array(z.object({ path: z.string(), change: z.enum(['added', 'modified', 'deleted']) })),
  /** The command that takes it back. */
  undo: z.nullable(z.string()),
  /** Of a group: what became of the other members. */
  others: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      /**
       * `put_away`: it is archived, and its worktree comes back with `restore`. `archived`: it had
       * none. `goes_on`: it has not ended. `cancelled`: it was to end.
       */
      became: z.enum(['put_away', 'archived', 'goes_on', 'cancelled', 'stays', 'listed']),
      /** Why its worktree stays, in words. */
      why: z.nullable(z.string()),
    }),
  ),
})

export const handoffView = z.object({
  id: z.string(),
  /** `local`: to a checkout of yours; `worktree`: back to that of the task. */
  direction: z.enum(['local', 'worktree']),
  /** The top of the checkout, or of the worktree. */
  path: z.string(),
  /**
   * `in_place`: it is handed off, and no file had to be written. `conflicts`: nothing was written.
   * `handed_off` with conflicts: they stand in the files, with markers.
   */
  state: z.enum(['handed_off', 'in_place', 'would_hand_off', 'conflicts', 'undone']),
  files: z.array(z.object({ path: z.string(), change: z.enum(['added', 'modified', 'deleted']) })),
  conflicts: z.array(z.object({ path: z.string(), why: z.string() })),
  /** Null: the task has none. */
  session: z.nullable(
    z.object({
      id: z.string(),
      moves: z.boolean(),
      /** Why it stays where it is; null: it does not. */
      why: z.nullable(z.string()),
      /** Where it goes on, and with which argv; null: none is known. */
      directory: z.string(),
      argv: z.nullable(z.array(z.string())),
    }),
  ),
  /** Ignored files that stay in the worktree, and how many more are not named; null: not known. */
  leftBehind: z.nullable(z.object({ paths: z.array(z.string()), more: z.number() })),
  problems: z.array(z.string()),
})

/** What has ended, or asks something, and nobody has taken note of; the newest first. */
export const inboxView = z.object({
  deliveries: z.array(
    z.object({
      id: z.string(),
      event: z.enum(noticeEvents),
      at: z.string(),
      task: z.object({
        id: z.string(),
        name: z.string(),
        agent: z.string(),
        repository: z.string(),
        files: z.nullable(z.number()),
        insertions: z.nullable(z.number()),
        deletions: z.nullable(z.number()),
      }),
      caller: callerView,
      command: z.string(),
    }),
  ),
})

/** What `inbox --ack` and `--ack-all` print. */
export const acknowledgedView = z.object({ acknowledged: z.number() })

export const doctorView = z.object({
  ok: z.boolean(),
  findings: z.array(
    z.object({
      check: z.string(),
      status: z.enum(['ok', 'warning', 'error']),
      message: z.string(),
      hint: z.nullable(z.string()),
      /** What `--fix` does about it, or has done; null: nothing can, or need, be repaired. */
      repair: z.nullable(
        z.object({
          plan: z.string(),
          state: z.enum(['possible', 'done', 'failed']),
          /** Why it failed. */
          problem: z.nullable(z.string()),
          /** What was and what was not saved, in words. */
          notes: z.array(z.string()),
        }),
      ),
    }),
  ),
})

export const agentsView = z.object({
  agents: z.array(
    z.object({
      name: z.string(),
      /** Installed, new enough, and not known to be logged out. */
      ready: z.boolean(),
      /** Who does a task for which no agent is named. */
      default: z.boolean(),
      program: z.nullable(z.string()),
      version: z.nullable(z.string()),
      /** The version that Holdfast was tested with; others are used too. */
      testedVersion: z.nullable(z.string()),
      login: z.enum(['present', 'missing', 'unknown', 'not needed']),
      /** What a task gets that asks for nothing else; null where such a task would be refused. */
      permissions: z.nullable(
        z.object({
          effective: z.enum(['read-only', 'workspace', 'full']),
          enforcedBy: z.enum(['agent', 'system', 'none']),
        }),
      ),
      trouble: z.nullable(
        z.object({ code: z.string(), message: z.string(), hint: z.nullable(z.string()) }),
      ),
    }),
  ),
})

const foundCommandView = z.object({
  from: z.string(),
  argv: z.array(z.string()),
  scripts: z.array(z.object({ path: z.string(), content: z.string() })),
})

export const trustView = z.object({
  /** The common git directory: trust is given for one repository. */
  repository: z.string(),
  trusted: z.boolean(),
  /** What would run; null where the repository names nothing. */
  setUp: z.nullable(foundCommandView),
  cleanUp: z.nullable(foundCommandView),
  verify: z.nullable(foundCommandView),
})

export const trustListView = z.object({
  trusted: z.array(
    z.object({
      repository: z.string(),
      argv: z.array(z.string()),
      scripts: z.array(z.string()),
      trustedAt: z.string(),
    }),
  ),
})

export const trustRevokedView = z.object({ repository: z.string(), revoked: z.number() })

export const initView = z.object({
  /** The top of the checkout. */
  root: z.string(),
  files: z.array(
    z.object({
      path: z.string(),
      became: z.enum(['written', 'kept', 'not needed']),
      content: z.nullable(z.string()),
      /** Why each thing is in it; of a file that was kept, what it lacks. */
      why: z.array(z.string()),
    }),
  ),
})

export const setupView = z.object({
  /** Whether a task could be handed in to an agent now. */
  ready: z.boolean(),
  tools: z.array(
    z.object({
      name: z.string(),
      version: z.nullable(z.string()),
      /** Null: nothing is wrong with it. */
      problem: z.nullable(z.string()),
      hint: z.nullable(z.string()),
    }),
  ),
  agents: agentsView.shape.agents,
  /** Whether a session of Claude Code stops here only after a review; null: that cannot be read. */
  reviewGate: z.nullable(z.boolean()),
  hosts: z.array(
    z.object({
      name: z.enum(hostNames),
      /** Null: it is not installed here. */
      program: z.nullable(z.string()),
      /** Why nothing can be added to it; null: something can. */
      problem: z.nullable(z.string()),
      additions: z.array(
        z.object({
          kind: z.enum(['marketplace', 'plugin', 'turned_off', 'skill']),
          what: z.string(),
          /** The command that adds it, or the file. */
          how: z.string(),
          state: z.enum(['there', 'missing', 'outdated', 'in_the_way', 'added', 'failed']),
          problem: z.nullable(z.string()),
          /** Added only with `--codex-commands`. */
          forCodexCommands: z.boolean(),
        }),
      ),
    }),
  ),
})

export const uninstallView = z.object({
  /** False: nothing was removed but what `removed` names, because of the objections. */
  done: z.boolean(),
  removed: z.array(z.string()),
  /** What stays, and where. */
  left: z.array(z.string()),
  /** What would be lost. */
  objections: z.array(z.string()),
})

export const usageSumsView = z.object({
  /** When the time that is looked at begins. */
  since: z.string(),
  by: z.enum(['agent', 'repository', 'day']),
  sums: z.array(
    z.object({
      /** An agent, the common git directory of a repository, or a day of the reader's calendar. */
      key: z.string(),
      tasks: z.number(),
      attempts: z.number(),
      /** Attempts that did not say what they used. */
      unknown: z.number(),
      usage: z.nullable(usageView),
    }),
  ),
})

export const worktreeView = z.object({
  id: z.string(),
  path: z.string(),
  kind: z.enum(['managed', 'permanent', 'borrowed']),
  /** The common git directory. */
  repository: z.string(),
  pinned: z.boolean(),
  /** Whether it is there, as it was made. */
  standing: z.boolean(),
  /** The task that has it; null: none. */
  leasedTo: z.nullable(z.string()),
  /** The newest task that worked in it; null: none is known. */
  task: z.nullable(z.string()),
})

export const worktreesView = z.object({ worktrees: z.array(worktreeView) })

export const addedWorktreeView = z.object({
  id: z.string(),
  path: z.string(),
  /** `back`: it had been put away, and is as it was then. */
  how: z.enum(['made', 'there', 'back']),
  /** What did not come along. */
  leftOut: z.array(z.string()),
})

export const completionView = z.object({
  shell: z.enum(['bash', 'zsh', 'fish']),
  script: z.string(),
})

export const demoView = z.object({
  ok: z.boolean(),
  /** What it shows, line by line. */
  told: z.array(z.string()),
  /** Why it failed; null where it did not. */
  problem: z.nullable(z.string()),
})

export const errorView = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.nullable(z.string()) }),
})

/** Every document, by the name under which the reference lists it. */
export const views = {
  task: taskView,
  status: statusView,
  tasks: tasksView,
  group: groupView,
  groupDiff: groupDiffView,
  worker: workerView,
  boot: bootView,
  event: eventView,
  result: resultView,
  review: reviewView,
  diff: diffView,
  apply: applyView,
  pick: pickView,
  handoff: handoffView,
  inbox: inboxView,
  acknowledged: acknowledgedView,
  sent: sentView,
  doctor: doctorView,
  agents: agentsView,
  init: initView,
  setup: setupView,
  uninstall: uninstallView,
  trust: trustView,
  gc: gcView,
  worktrees: worktreesView,
  addedWorktree: addedWorktreeView,
  trustList: trustListView,
  trustRevoked: trustRevokedView,
  usage: usageSumsView,
  completion: completionView,
  demo: demoView,
  error: errorView,
}

export type TaskView = z.infer<typeof taskView>
export type StatusView = z.infer<typeof statusView>
export type GroupView = z.infer<typeof groupView>
export type GroupDiffView = z.infer<typeof groupDiffView>
export type TasksView = z.infer<typeof tasksView>
export type DiskView = z.infer<typeof diskView>
export type WorktreeView = z.infer<typeof worktreeView>
export type GcView = z.infer<typeof gcView>
export type UnreadableView = z.infer<typeof unreadableView>
export type WorkerView = z.infer<typeof workerView>
export type BootView = z.infer<typeof bootView>
export type ReviewView = z.infer<typeof reviewView>
export type ResultView = z.infer<typeof resultView>
export type PickView = z.infer<typeof pickView>
export type SentView = z.infer<typeof sentView>
export type DiffView = z.infer<typeof diffView>
export type ApplyView = z.infer<typeof applyView>
export type HandoffView = z.infer<typeof handoffView>
export type AcknowledgedView = z.infer<typeof acknowledgedView>
export type InboxView = z.infer<typeof inboxView>
export type DoctorView = z.infer<typeof doctorView>
export type InitView = z.infer<typeof initView>
export type SetupView = z.infer<typeof setupView>
export type UninstallView = z.infer<typeof uninstallView>
export type AgentsView = z.infer<typeof agentsView>
export type DemoView = z.infer<typeof demoView>
export type EventView = z.infer<typeof eventView>
