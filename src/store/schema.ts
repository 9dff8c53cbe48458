/**
 * The tables as Kysely sees them, for both dialects. Times are milliseconds since 1970; what must
 * stand in columns that end in `_json` is in `column-schemas.ts`.
 */
import type { Generated, Kysely, Transaction } from 'kysely'
import type { DeliveryState } from '../domain/delivery.ts'

export interface Database {
  tasks: {
    /** Order of submission; what "newest" means. */
    number: Generated<number>
    id: string
    name: string
    agent: string
    repository: string
    created_at: number
    request_json: string
    state: string
    state_since: number
    state_json: string
    /** When a wait ends; null in every other state. */
    wait_until: number | null
    ended_at: number | null
    started_at: number | null
    attempts: number
    failures_in_row: number
    runs: Generated<number>
    fruitless_ms: Generated<number>
    session: string | null
    usage_json: string | null
    worktree: string | null
    last_seq: Generated<number>
    priority: Generated<number>
    idempotency_key: string | null
    /** The task that delegated it, and the one at the top of these. */
    parent: string | null
    root: string | null
    taken_json: string | null
    /** Whose limits it meets now. */
    account: string | null
    /** As it may have been raised since it was handed in. */
    budget_json: string | null
    /** How many of the agents to fall back to have been turned to. */
    fallbacks: Generated<number>
    /** Null: it is shown like any other. */
    archived_at: number | null
    /** Of its files while it runs; null: there is none, or its result is collected. */
    snapshot_json: string | null
    /** 1: it ends with its caller. */
    tied: Generated<number>
    /** Of tasks that were made together. */
    group_id: string | null
    /** The task whose session and worktree it goes on with. */
    follows: string | null
    /** What became of its verification; null: there was none yet. */
    verify_json: string | null
  }
  /** What was said to a task after it was handed in. */
  messages: {
    task: string
    number: number
    text: string
    sent_at: number
    /** The attempt that was launched with it. */
    launched_with: number | null
    /** Null: its agent did not show yet that it has it. */
    heard_at: number | null
    /** Under which it was sent, no other is; null: under none. */
    idempotency_key: string | null
    fingerprint: string | null
  }
  /** Accounts that are used up. */
  limits: {
    account: string
    ends_at: number
    /** The task that tries whether it is over. */
    probe: string | null
  }
  answers: {
    task: string
    fence: number
    question: string
    answer: string
    answered_at: number
  }
  /** What has yet to succeed before a task may start. */
  dependencies: {
    task: string
    waits_for: string
  }
  attempts: {
    task: string
    fence: number
    mode: 'fresh' | 'resume'
    started_at: number
    ended_at: number | null
    ending: string | null
    stdout_offset: number
    stdout_lines: number
    active_ms: Generated<number>
    translation_json: string | null
    /** Null: of an older Holdfast, or not begun. */
    agent: string | null
    /** Of this attempt alone. */
    usage_json: string | null
  }
  events: {
    task: string
    seq: number
    at: number
    fence: number | null
    kind: string
    body_json: string
  }
  worktrees: {
    id: string
    kind: 'managed' | 'permanent' | 'borrowed'
    path: string
    repository: string
    pinned: number
    created_at: number
    /** Null until the worktree stands. */
    record_json: string | null
    /** 1: it is being taken away, and nobody may lease it. */
    retiring: Generated<number>
    /** The first of its ports; no two rows have the same. Null: it was given none. */
    port: number | null
  }
  /** Of worktrees; one that has a row there stands, and its snapshots are old. */
  snapshots: {
    worktree: string
    number: number
    kind: 'managed' | 'permanent' | 'borrowed'
    path: string
    repository: string
    taken_at: number
    content_json: string
    /** What its worktree had. */
    port: number | null
  }
  /** Worktrees that are made in advance. */
  spares: {
    id: string
    repository: string
    path: string
    umask: number | null
    made_at: number
    /** Null, like the next one: it does not stand yet, or not any more. */
    commit_id: string | null
    spare_json: string | null
    /** The worktree that it is to become. */
    claimed_by: string | null
  }
  leases: {
    worktree: string
    task: string
    fence: number
    taken_at: number
  }
  deliveries: {
    id: string
    task: string
    event: string
    /** Of the inbox: the caller; else who is to be told. */
    subscriber_json: string
    state: DeliveryState
    created_at: number
    /** `inbox`, or the kind of subscriber. */
    channel: Generated<string>
    attempts: Generated<number>
    /** Null: it is sent as soon as may be. */
    next_try_at: number | null
    /** Why it could not be sent the last time. */
    problem: string | null
    sent_at: number | null
    acknowledged_at: number | null
  }
}

/** The database, or a transaction on it. */
export type Db = Kysely<Database> | Transaction<Database>
