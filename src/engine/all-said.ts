/** What was said in a session so far, for whoever has to begin it anew, or goes on with it. */
import type { Message } from '../domain/message.ts'
import type { Task, TaskRequest } from '../domain/task.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'

/** Between what was said and what was said later. */
export const THEN = '\n\nThen you were told:\n\n'

interface SaidPorts {
  readonly store: Store
  readonly files: TaskFiles
}

/**
 * The prompts of a task and of those that it follows, oldest first, with what was said to these
 * meanwhile; to the task itself, only with `isWhole`. Where its prompt is all, that byte for byte.
 */
export async function readAllSaid(
  task: Task,
  { store, files }: SaidPorts,
  isWhole = false,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let last = Buffer.alloc(0)
  for (const { request } of await listChain(task, store)) {
    const { id } = request
    // One that a person drives has none.
    if (request.opened !== null) continue
    const prompt = Buffer.from(await files.readPrompt(id))
    // One that only goes on has the prompt of the one before, or begins with it.
    const more = parts.length > 0 ? withoutRepeated(prompt, last) : prompt
    if (more.length > 0 || parts.length === 0) parts.push(more)
    last = prompt
    const isItself = id === task.request.id
    if (isItself && !isWhole) continue
    const said = await store.listMessages(id)
    // What was not heard stands in the prompt of the one that followed.
    const counted = isItself ? said : said.filter(({ heardAt }) => heardAt !== null)
    parts.push(...counted.map(({ text }) => Buffer.from(text)))
  }
  const [first = Buffer.alloc(0), ...more] = parts
  if (more.length === 0) return first
  const then = Buffer.from(THEN)
  return Buffer.concat([first, ...more.flatMap(part => [then, part])])
}

/** A prompt without the one before, where it begins with that. */
function withoutRepeated(prompt: Buffer, last: Buffer): Buffer {
  if (!prompt.subarray(0, last.length).equals(last)) return prompt
  const rest = prompt.subarray(last.length)
  if (rest.subarray(0, THEN.length).toString() === THEN) return rest.subarray(THEN.length)
  // Else the one only happens to begin with the same words.
  return rest.length === 0 || rest.subarray(0, 2).toString() === '\n\n' ? rest : prompt
}

/** Whether the session that a task goes on with may not know its prompt from anyone before it. */
export function isNews({ follows, session, ownPrompt }: TaskRequest): boolean {
  return follows === null ? session !== null : ownPrompt
}

/** A task and all that it follows, the oldest first. One that is gone ends the look back. */
export async function listChain(task: Task, store: Store): Promise<readonly Task[]> {
  const chain = [task]
  for (let { follows } = task.request; follows !== null; ) {
    const before = await store.findTask(follows)
    if (before === undefined) break
    chain.unshift(before)
    follows = before.request.follows
  }
  return chain
}

/** Those that follow a task, one after the other. */
export async function listFollowers(task: Task, store: Store): Promise<readonly Task[]> {
  const followers: Task[] = []
  for (let last = task; ; ) {
    const [next] = await store.listTasks({ follows: last.request.id, limit: 1 })
    if (next === undefined) return followers
    followers.push(next)
    last = next
  }
}

/** The newest of those that follow a task; itself, if none does. */
export async function findNewestOfChain(task: Task, store: Store): Promise<Task> {
  return (await listFollowers(task, store)).at(-1) ?? task
}

/** What was said to a task that its agent has not heard. */
export async function listUnheard(
  { request }: Pick<Task, 'request'>,
  store: Store,
): Promise<readonly Message[]> {
  return (await store.listMessages(request.id)).filter(({ heardAt }) => heardAt === null)
}
