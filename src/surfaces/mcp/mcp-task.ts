/**
 * A call of a tool that its client looks after by an id, as the extension for tasks has it. Nothing is
 * kept of it: the id says which tasks of ours it is of, and what is waited for.
 */
import { parseTaskId, type TaskId } from '../../domain/ids.ts'

/** The extension, as both sides declare it. */
export const TASKS = 'io.modelcontextprotocol/tasks'

/** An id is a header over HTTP. */
export const MOST_IN_ONE = 100

export interface McpTask {
  readonly tool: 'delegate' | 'wait'
  /** Over with the first of them; else with all. */
  readonly any: boolean
  /** At least one. */
  readonly tasks: readonly TaskId[]
}

/** Of one that was delegated, its own id. */
export function nameMcpTask({ tool, any, tasks }: McpTask): string {
  const verb = tool === 'delegate' ? [] : [any ? 'wait-any' : 'wait']
  return [...verb, ...tasks].join('.')
}

export function parseMcpTask(text: string): McpTask | undefined {
  const [first = '', ...rest] = text.split('.')
  const any = first === 'wait-any'
  const tool = any || first === 'wait' ? 'wait' : 'delegate'
  const words = tool === 'wait' ? rest : [first, ...rest]
  const tasks = words.flatMap(word => parseTaskId(word) ?? [])
  const isWhole = tasks.length === words.length && tasks.length > 0
  return isWhole && tasks.length <= MOST_IN_ONE ? { tool, any, tasks } : undefined
}
