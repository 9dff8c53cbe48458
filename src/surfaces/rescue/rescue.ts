/**
 * Hands in what a plugin's command has asked, and says what comes of it. All of it is words on stdout:
 * whoever reads it is a model, for which an exit code would hide them.
 */
import { AppError } from '../../domain/errors.ts'
import { isReview, type KeptRequest } from '../../domain/kept-request.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import { describeOptions } from '../../engine/answer.ts'
import type { BroughtBack } from '../../engine/bring-back.ts'
import { acknowledgeShown } from '../acknowledge.ts'
import { bringHome } from '../bring-home.ts'
import type { CommandContext } from '../cli/command.ts'
import { describeDelta } from '../cli/render.ts'
import { agentTitle } from '../hook/take-request.ts'
import { plainCanvas, renderReview } from '../review/render-review.ts'
import { viewReview } from '../review/view-review.ts'
import { handInAndRing } from '../submit.ts'
import { waitForTasks } from '../wait-for.ts'
import { planRescue, type RescueOrder } from './plan-rescue.ts'
import { readArguments } from './read-arguments.ts'

export interface RescueFlags {
  readonly request: string
  /** What the user has answered. */
  readonly resume: boolean | undefined
  /** How long it is waited for; undefined: until it has ended. */
  readonly atMostMs: number | undefined
}

export async function rescue(flags: RescueFlags, context: CommandContext): Promise<void> {
  const { output } = context
  const kept = await (await context.holdfast.pluginFiles()).findRequest(flags.request)
  if (kept === undefined) {
    output.write(`holdfast: there is no request ${flags.request} (any more): ask again\n`)
    return
  }
  try {
    await carryOut(flags, kept, context)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    output.write(`holdfast: ${error.message}\n`)
    if (error.hint !== undefined) output.write(`  ${error.hint}\n`)
    if (error.code.startsWith('agent_')) output.write(`  see /${kept.plugin}:setup\n`)
  }
}

async function carryOut(flags: RescueFlags, kept: KeptRequest, context: CommandContext) {
  const typed = readArguments(kept.kind, kept.text)
  if (typeof typed === 'string') throw new AppError('bad_usage', typed)
  const read = flags.resume === undefined ? typed : { ...typed, resume: flags.resume }
  const order: RescueOrder = { id: flags.request, kept, read }
  const { task } = await handInAndRing(await planRescue(order, context), context)
  if (read.background === true) announce(task, kept, context)
  else await attend(task, flags, kept, context)
}

function announce(task: Task, { kind }: KeptRequest, { output }: CommandContext): void {
  const { id, name } = task.request
  const what = isReview(kind) ? 'reviews, as' : 'works on'
  output.write(
    hasEnded(task.state)
      ? `${id} has ended already: it ${task.state.name}. Nothing was applied by itself.\n`
      : `${agentTitle(task.agent)} ${what} "${name}" in the background, as ${id}, in a worktree of its own. Nothing is applied by itself; whoever asked is told when it ends.\n`,
  )
  output.write(`${commandsFor(task, kind)}\n`)
}

function commandsFor({ request: { id } }: Task, kind: KeptRequest['kind']): string {
  const take = isReview(kind) ? '' : ` · holdfast diff ${id} · holdfast apply ${id}`
  return `holdfast status ${id} · holdfast result ${id}${take}`
}

/** Waits for its end, gives its answer, and brings back what it changed. */
async function attend(
  task: Task,
  { atMostMs }: RescueFlags,
  kept: KeptRequest,
  context: CommandContext,
): Promise<void> {
  const { output } = context
  const { id } = task.request
  const { tasks, end } = await waitForTasks([id], { timeoutMs: atMostMs }, context)
  const ended = tasks[0] ?? task
  const { state } = ended
  if (end !== 'ended') {
    output.write(
      `${agentTitle(ended.agent)} is still at work on "${ended.request.name}" (${id}): from here it goes on in the background, and nothing is applied by itself. Whoever asked is told when it ends.\n`,
    )
    output.write(`${commandsFor(ended, kept.kind)}\n`)
    return
  }
  if (state.name === 'needs_input') {
    output.write(`${agentTitle(ended.agent)} asks: ${state.question.text}\n`)
    if (state.question.options.length > 0) {
      output.write(`  ${describeOptions(state.question.options)}\n`)
    }
    output.write(`holdfast answer ${id} …\n`)
    return
  }
  await tellEnd(ended, kept, context)
  await acknowledgeShown([ended], context)
}

async function tellEnd(task: Task, kept: KeptRequest, context: CommandContext): Promise<void> {
  const { output } = context
  const { id } = task.request
  const { state } = task
  if (!hasEnded(state)) throw new Error(`${id} has not ended`)
  const { result } = state
  if (task.request.review !== null) {
    output.write(renderReview(await viewReview(task, context), [], plainCanvas))
    output.write(`\nholdfast result ${id}\n`)
  } else if (result?.answer != null) output.write(withNewline(result.answer))
  if (state.name === 'failed') {
    output.write(`${id} failed (${state.failure.code}): ${state.failure.message}\n`)
    if (state.failure.hint !== undefined) output.write(`  ${state.failure.hint}\n`)
    if (state.failure.code === 'agent_missing') output.write(`  see /${kept.plugin}:setup\n`)
  } else if (state.name === 'cancelled') output.write(`${id} was cancelled\n`)
  if (result?.commit == null || result.files === 0) return
  if (state.name !== 'succeeded') {
    output.write(`by then: ${describeDelta(result)}; nothing was applied: holdfast apply ${id}\n`)
    return
  }
  for (const line of result.leftOut) output.write(`left out: ${line}\n`)
  const brought = await bringHome(task, { onlyAsFound: false }, context)
  output.write(`${describeBroughtBack(id, describeDelta(result), brought)}\n`)
}

function describeBroughtBack(id: string, delta: string, brought: BroughtBack): string {
  switch (brought.kind) {
    case 'nothing':
      return `${delta}: all of it is in your working files already`
    case 'brought':
      return `${delta}: written to ${brought.root}, not staged. To take it back: holdfast apply --undo ${id}`
    case 'left':
      return `${delta}; nothing was written (${brought.why}). To take it: holdfast apply ${id}`
  }
}

const withNewline = (text: string) => (text.endsWith('\n') ? text : `${text}\n`)
