import * as z from 'zod/mini'
import { AppError } from '../../../domain/errors.ts'
import { permissionModes } from '../../../domain/permissions.ts'
import type { Task } from '../../../domain/task.ts'
import { changeScopes } from '../../../ports/worktrees.ts'
import { acknowledgeShown } from '../../acknowledge.ts'
import { lookAtTask, lookAtTasks, lookAtWorker } from '../../look.ts'
import { lookAtGroup } from '../../look-at-group.ts'
import { type OptionWishes, requireSchema } from '../../settle-options.ts'
import { isGroup, submitGroup, submitRequest } from '../../submit-request.ts'
import { groupView, taskView } from '../../view.ts'
import { keyOf, refuseUnlessAllowed } from '../asked-by-client.ts'
import { describeWaited } from '../describe.ts'
import { MOST_IN_ONE } from '../mcp-task.ts'
import { cwdField, defineTool, field, type GoesOn, type ToolCall } from '../tool.ts'

const text = (about: string) => z.optional(field(z.string(), about))

const input = z.strictObject({
  prompt: text('what the agent is to do; it knows nothing of your conversation'),
  command: z.optional(
    field(z.array(z.string()), 'instead of a prompt: a program and its arguments, without a shell'),
  ),
  cwd: cwdField,
  agent: text('who does it, for example codex or claude (default: as configured)'),
  agents: z.optional(
    field(
      z.array(z.string()),
      'instead of agent: several, each of which does it in a worktree of its own, as a group to compare',
    ),
  ),
  best_of: z.optional(field(z.int(), 'hand it in so many times, as a group (each agent so often)')),
  verify: z.optional(
    field(
      z.array(z.string()),
      'a program and its arguments, without a shell: run on the work when the agent is done; where it fails, the agent has one more turn (default: what the repository names)',
    ),
  ),
  no_verify: z.optional(field(z.boolean(), 'verify nothing, whatever the repository names')),
  name: text('what to call it'),
  model: text('the model, as the agent names it'),
  effort: text('how hard to think, as the agent names it'),
  permissions: z.optional(
    field(z.enum(permissionModes), 'default: as configured; full only where the user allows it'),
  ),
  base: text('start from this commit, without uncommitted changes'),
  changes: z.optional(
    field(
      z.enum(changeScopes),
      'which uncommitted changes come along (default: all; none with `base`)',
    ),
  ),
  worktree: text('work in the worktree of this name, which stays; made if new'),
  after: z.optional(
    field(z.array(z.string()), 'start once these tasks, or all of a group, have succeeded'),
  ),
  priority: z.optional(field(z.int(), 'of queued tasks, larger goes first (-100 to 100)')),
  timeout_seconds: z.optional(field(z.number(), 'end it after so much working time')),
  budget: text('stop when it has used so much: 5usd, 2Mtok'),
  memory: text('how much memory its processes may use together, for example 4G; or none'),
  fallback: z.optional(field(z.array(z.string()), 'agents that go on where an account is used up')),
  output_schema: z.optional(
    field(z.record(z.string(), z.unknown()), 'the JSON Schema that the final answer is to fit'),
  ),
  ask: z.optional(
    field(
      z.boolean(),
      'let the agent ask before it edits or runs anything (agents that can be talked to)',
    ),
  ),
  with_caller: z.optional(
    field(z.boolean(), 'end it when you have ended (your process); else it outlives you'),
  ),
  idempotency_key: text('handed in twice under one key, it is one task'),
})

export const delegatedView = z.object({
  /** Of a group, the first. */
  task: taskView,
  /** All tasks of a group; null: it is none. */
  group: z.nullable(groupView),
  /** False: it was handed in before, under the same key. Null: it is the result of an MCP task. */
  isNew: z.nullable(z.boolean()),
})

export const delegate = defineTool({
  name: 'delegate',
  title: 'Hand a task to an agent',
  description:
    'Hands a task to a coding agent, which works on it in a git worktree of its own, in the background. Returns at once with the id; the task goes on whatever becomes of you. Then: wait, result, diff, apply.',
  input,
  output: delegatedView,
  effect: 'sets_to_work',
  async run(given, call) {
    const { context } = call
    if (given.permissions === 'full') await refuseUnlessAllowed(call)
    const tie = given.with_caller === true ? await call.tie() : null
    const asked = { ...given, bestOf: given.best_of, isAwaited: true, tie }
    const options = {
      ...given,
      verify: readVerify(given),
      timeoutMs: given.timeout_seconds === undefined ? undefined : given.timeout_seconds * 1_000,
      outputSchema:
        given.output_schema === undefined ? undefined : requireSchema(given.output_schema),
      asks: given.ask,
      idempotencyKey: given.idempotency_key ?? keyOf(call),
    }
    if (isGroup(asked)) return await delegateGroup(asked, options, call)
    const { task, isNew } = await submitRequest(asked, options, context)
    const { id, name } = task.request
    if (call.client.takesTasks) return goOn([task])
    const when = isNew ? '' : 'was handed in before; it '
    const text = `${id} ${name}: ${when}is ${task.state.name}. It goes on by itself: wait, result, diff and apply take this id.`
    return { view: { task: await lookAtTask(task, context), group: null, isNew }, text }
  },
  async report(tasks, { context }) {
    const worker = await lookAtWorker(context)
    const [first, ...others] = await lookAtTasks(tasks, worker, context)
    if (first === undefined) throw new Error('something was delegated')
    await acknowledgeShown(tasks, context)
    const group = first.group === null ? null : await lookAtGroup(tasks, context)
    const text = describeWaited([first, ...others], false, context.now())
    return { view: { task: first, group, isNew: null }, text }
  },
})

function readVerify({ verify, no_verify }: z.infer<typeof input>): OptionWishes['verify'] {
  if (no_verify !== true) return verify
  if (verify === undefined) return false
  throw new AppError('bad_usage', 'verify and no_verify exclude each other')
}

const goOn = (tasks: readonly Task[]): GoesOn => ({
  goesOn: { tool: 'delegate', any: false, tasks: tasks.map(({ request }) => request.id) },
})

async function delegateGroup(
  asked: Parameters<typeof submitGroup>[0],
  options: OptionWishes,
  { context, client }: ToolCall,
) {
  const { tasks, isNew } = await submitGroup(asked, options, context)
  if (client.takesTasks && tasks.length <= MOST_IN_ONE) return goOn(tasks)
  const group = await lookAtGroup(tasks, context)
  const [task] = group.tasks
  if (task === undefined) throw new Error('a group has tasks')
  const which = group.tasks.map(({ id, name }) => `${id} ${name}`).join(', ')
  const when = isNew ? '' : ' was handed in before; it'
  const text = `${group.name}:${when} is a group of ${group.tasks.length}: ${which}. They go on by themselves: wait and cancel take ${group.name}; result, diff and apply take one of the ids.`
  return { view: { task, group, isNew }, text }
}
