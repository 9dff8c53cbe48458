/** What a task ends with that was handed in with `--with-caller`. Pure. */
import type { TaskId } from './ids.ts'
import type { Liveness } from './recovery.ts'
import { type Caller, hasEnded, type TaskState } from './task.ts'

/** Enough to know a process again, and to take no other for it. */
export interface KnownProcess {
  readonly machine: string
  readonly boot: string
  readonly pidNamespace: string
  readonly pid: number
  readonly startTime: number
}

export type Tie =
  /** The process of a caller session, the shell of a terminal, the program that asked. */
  | { readonly kind: 'process'; readonly process: KnownProcess }
  /** The task that delegates: not one of its attempts. */
  | { readonly kind: 'task'; readonly id: TaskId }

/** What was seen of it; an undefined state: of a task that cannot be read. */
export type TieSight =
  | { readonly kind: 'process'; readonly liveness: Liveness }
  | { readonly kind: 'task'; readonly state: TaskState | undefined }

/** Whoever is out of sight, of another machine or PID namespace, has not ended. */
export function isTieOver(sight: TieSight): boolean {
  return sight.kind === 'process'
    ? sight.liveness === 'dead'
    : sight.state !== undefined && hasEnded(sight.state)
}

const processWords: Readonly<Record<Caller['kind'], string>> = {
  claude: 'the caller session',
  terminal: 'the shell of the terminal',
  mcp: 'the MCP client',
  task: 'the agent',
  program: 'the program',
}

/** As people read it. */
export function describeTie(tie: Tie, caller: Pick<Caller, 'kind'>): string {
  if (tie.kind === 'task') return `task ${tie.id}`
  return `${processWords[caller.kind]} that asked (pid ${tie.process.pid})`
}
