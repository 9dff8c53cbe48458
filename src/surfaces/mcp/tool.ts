/** What a tool is: data for the client and the reference, and a function. */
import * as z from 'zod/mini'
import type { Asked, Task } from '../../domain/task.ts'
import type { Tie } from '../../domain/tie.ts'
import type { SurfaceContext } from '../context.ts'
import type { McpTask } from './mcp-task.ts'

export interface Tool<I extends z.ZodMiniObject = z.ZodMiniObject, V = unknown> {
  readonly name: string
  readonly title: string
  /** For the model that calls it. */
  readonly description: string
  readonly input: I
  /** The document that it answers with. */
  readonly output: z.ZodMiniType<V>
  readonly effect: keyof typeof effects
  run(given: z.infer<I>, call: ToolCall): Promise<Told<V> | Asks | GoesOn>
  /** Of a tool whose call may go on as an MCP task: what it answers with once that is over. */
  report?(tasks: readonly Task[], call: ToolCall): Promise<Told<V>>
}

export interface ToolCall {
  readonly context: SurfaceContext
  readonly client: {
    readonly name: string
    /** Whether its user can be asked. */
    readonly elicits: boolean
    /** Whether it looks after MCP tasks. */
    readonly takesTasks: boolean
  }
  /** What names this one use of a tool, also when it is sent again; null: nothing does. */
  readonly toolUse: string | null
  /** Tells whoever waits what goes on; null: nobody asked for that. */
  readonly progress: ((message: string) => Promise<void>) | null
  /** What a task ends with that is to end with whoever calls; refuses where that cannot be told. */
  tie(): Promise<Tie>
  /** What the user has said to a question; undefined: was not asked yet. */
  replyTo(asked: Asked): Reply | undefined
  /** The names of those that the user would rather not answer, in the rounds before. */
  readonly declined: readonly string[]
}

/** `words` null: the user would rather not answer. */
export interface Reply {
  readonly words: string | null
}

/** What a client may tell its user before it lets a model call it. */
export const effects = {
  /** Nothing but that an end was taken note of. */
  none: { readOnlyHint: true, openWorldHint: false },
  /** An agent goes to work, and may go where it will. */
  sets_to_work: { readOnlyHint: false, destructiveHint: false, openWorldHint: true },
  /** Something that can be taken back. */
  changes: { readOnlyHint: false, destructiveHint: false, openWorldHint: false },
  ends_work: { readOnlyHint: false, destructiveHint: true, openWorldHint: false },
} as const

/** The document, and the same for people. */
export interface Told<V> {
  readonly view: V
  readonly text: string
}

/** The user is to answer first; then the tool is called once more. */
export interface Asks {
  readonly asks: Asked
  /** Of several, the name of the task that asks. */
  readonly who: string | null
  /** The names of those that the user would rather not answer, for the rounds that come. */
  readonly declined: readonly string[]
}

/** The client looks after it from here; where it is over already, it is told at once. */
export interface GoesOn {
  readonly goesOn: McpTask
}

/** Keeps the types of what goes in and out. */
export function defineTool<I extends z.ZodMiniObject, V>(tool: Tool<I, V>): Tool {
  return tool as unknown as Tool
}

/** An input of a tool, described. */
export const field = <T extends z.ZodMiniType>(schema: T, about: string): T =>
  schema.check(z.describe(about)) as T

export const taskField = field(z.string(), 'its id, the beginning of it, or its name')
export const tasksField = field(
  z.array(z.string()).check(z.minLength(1)),
  'their ids, the beginnings of these, or names',
)
export const cwdField = z.optional(
  field(z.string(), 'the directory that you work in (default: where this server was started)'),
)
