/** What is told of tasks, and to whom. Pure. */
import type { TaskId } from './ids.ts'

/** `waiting`: for a limit, a budget or its next try. `all_idle`: nothing is queued or under way any more. */
export const noticeEvents = [
  'succeeded',
  'failed',
  'cancelled',
  'needs_input',
  'waiting',
  'stalled',
  'all_idle',
] as const
export type NoticeEvent = (typeof noticeEvents)[number]

/**
 * One thing that is told. It never holds the agent's text: whoever wants that runs the command. A
 * receiver may get it twice, and drops repeats by its id.
 */
export interface Notice {
  readonly id: string
  readonly event: NoticeEvent
  /** Milliseconds since 1970. */
  readonly at: number
  /** Null: it is of no single task (`all_idle`). */
  readonly task: {
    readonly id: TaskId
    readonly name: string
    readonly agent: string
    readonly repository: string
    /** What it has changed; null: it is not known, or not over. */
    readonly files: number | null
    readonly insertions: number | null
    readonly deletions: number | null
  } | null
  /** The command that says more. */
  readonly command: string
}

/** Where somebody is told. It stands in the store: a secret is named, and lies elsewhere. */
export type Subscriber =
  /** A file that is appended to, a line of JSON each. */
  | { readonly kind: 'file'; readonly path: string }
  /** A program of the user's: JSON on stdin, no shell. */
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | {
      readonly kind: 'webhook'
      readonly url: string
      readonly format: 'json' | 'slack' | 'ntfy'
      /** A private file with the key that signs it; null: it is not signed. */
      readonly keyFile: string | null
      /** Loopback and private addresses too. */
      readonly mayBePrivate: boolean
    }
  | { readonly kind: 'desktop' }
  /** An OpenClaw of this user, by its own command. */
  | {
      readonly kind: 'openclaw'
      /** The key of the session that is told; null: its main one. */
      readonly session: string | null
      /** The variables that say which OpenClaw it is. */
      readonly environment: Readonly<Record<string, string>>
    }
  /** A live session of Claude Code, by its inbox; its token, if it has one, lies in a private file. */
  | {
      readonly kind: 'claude'
      readonly session: string | null
      readonly socket: string
      readonly tokenFile: string | null
    }
