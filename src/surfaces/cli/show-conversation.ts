/** A task and those that it follows, as one log. */
import type { TaskEvent } from '../../domain/agent-events.ts'
import type { TaskId } from '../../domain/ids.ts'
import { plainText } from '../../domain/plain-text.ts'
import type { Task } from '../../domain/task.ts'
import { listChain } from '../../engine/all-said.ts'
import type { TaskFiles } from '../../ports/task-files.ts'
import type { CommandContext } from './command.ts'

/** Of a long prompt, the beginning. */
const PROMPT_LINES = 12

/** What is shown of one task of a conversation. */
interface Part {
  readonly task: Task
  /** Who it is, and what it was told; null: its beginning is not shown. */
  readonly heading: readonly string[] | null
  readonly events: readonly TaskEvent[]
}

/** The last events of a conversation, over all of its tasks up to this one, the oldest first. */
export async function readConversation(
  task: Task,
  count: number,
  { holdfast, output }: Pick<CommandContext, 'holdfast' | 'output'>,
): Promise<readonly Part[]> {
  const store = await holdfast.store()
  const chain = await listChain(task, store)
  const files = await holdfast.files()
  const parts: Part[] = []
  let left = count
  for (const one of chain.toReversed()) {
    if (left <= 0 && parts.length > 0) break
    const { id, name } = one.request
    const events = await store.lastEvents(id, Math.max(left, 0))
    left -= events.length
    const isWhole = events[0]?.seq === 1
    const title = output.style('bold', `── ${name} (${id}) ${one.state.name}`)
    const heading = isWhole ? [title, ...(await quotePrompt(one, files))] : [title]
    parts.unshift({ task: one, events, heading: chain.length === 1 ? null : heading })
  }
  return parts
}

/** What a person has said; nothing for one that only goes on with the same. */
async function quotePrompt({ request }: Task, files: TaskFiles): Promise<readonly string[]> {
  if (request.follows !== null && !request.ownPrompt) return []
  const text = await readPrompt(request.id, files)
  const lines = text.trimEnd().split('\n')
  const cut = lines.length > PROMPT_LINES ? ['…'] : []
  return [...lines.slice(0, PROMPT_LINES), ...cut].map(line => plainText(`> ${line}`))
}

async function readPrompt(id: TaskId, files: TaskFiles): Promise<string> {
  try {
    return new TextDecoder().decode(await files.readPrompt(id))
  } catch {
    // Its directory is damaged, which is no reason not to show its log.
    return ''
  }
}
