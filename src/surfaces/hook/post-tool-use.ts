/**
 * A command has handed tasks in, and this hook waits beside the session for their end: where no inbox
 * says it to the session, it is woken by this process. One is lost with its session, and with it
 * nothing but the wake: the inbox has what became of them.
 */
import process from 'node:process'
import { parseTaskId, type TaskId } from '../../domain/ids.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import type { CommandContext } from '../cli/command.ts'
import { waitForTasks } from '../wait-for.ts'
import { asCaller, taskAround } from './hook-context.ts'
import type { HookInput } from './input.ts'
import { type Reply, Wake } from './reply.ts'
import { describeUntold, listUntold } from './untold.ts'

/** How often it is looked whether the session is still there. */
const LOOK_FOR_SESSION_MS = 10_000
/** It may wait for a day, beside many others. */
const POLL_MS = 1_000

export async function onPostToolUse(
  input: HookInput,
  context: CommandContext,
): Promise<Reply | Wake> {
  const { holdfast } = context
  if (taskAround(context) !== undefined || !holdfast.isInUse()) return undefined
  const ids = await findSilent(input.tool.response, context)
  if (ids.length === 0 || !(await areOver(ids, context))) return undefined
  const untold = (await listUntold(input.session, asCaller(context, input))).filter(one =>
    ids.includes(one.task.request.id),
  )
  if (untold.length === 0) return undefined
  await (await holdfast.pluginFiles()).addShown(
    input.session,
    untold.map(({ delivery }) => delivery.id),
  )
  return new Wake(
    `Holdfast: what this session has handed in has ended, or asks something. Tell the user in a line each; take nothing home unasked.\n${describeUntold(untold)}`,
  )
}

/** The open tasks that a command has named, of which no inbox of a session will be told. */
async function findSilent(said: string, { holdfast }: CommandContext): Promise<readonly TaskId[]> {
  const store = await holdfast.store()
  const named = new Set(said.match(/\b[a-z][0-9a-z]{9}\b/g) ?? [])
  const silent: TaskId[] = []
  for (const word of named) {
    const id = parseTaskId(word)
    const task = id && (await store.findTask(id).catch(() => undefined)) // Its row is damaged.
    if (task !== undefined && !hasEnded(task.state) && !tellsSession(task)) {
      silent.push(task.request.id)
    }
  }
  return silent
}

const tellsSession = ({ request }: Task) => request.notify.some(({ to }) => to.kind === 'claude')

/** False: whoever would be woken is gone, or does not want it any more. */
async function areOver(ids: readonly TaskId[], context: CommandContext): Promise<boolean> {
  const session = process.ppid
  for (;;) {
    const wait = { timeoutMs: LOOK_FOR_SESSION_MS, pollMs: POLL_MS }
    const { end } = await waitForTasks(ids, wait, context)
    if (end === 'ended') return true
    if (end !== 'timeout' || process.ppid !== session) return false
  }
}
