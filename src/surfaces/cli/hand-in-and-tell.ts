/** The second half of every command that hands a task in: does it, tells of it, and may stay with it. */

import type { TaskEvent } from '../../domain/agent-events.ts'
import { reach } from '../../domain/crash-points.ts'
import { messageOf } from '../../domain/errors.ts'
import { describeTarget } from '../../domain/review.ts'
import { resultOf, type Task } from '../../domain/task.ts'
import { isUntaken } from '../../domain/untaken.ts'
import { findAsked } from '../../engine/answer.ts'
import type { HandInPlan } from '../../engine/hand-in.ts'
import { acknowledgeShown } from '../acknowledge.ts'
import { lookAtTask, ringOrTell } from '../look.ts'
import { viewTask } from '../make-view.ts'
import { type HandedIn, handInPlanned } from '../submit.ts'
import { tellLeftOut } from '../tell-left-out.ts'
import { waitForTasks } from '../wait-for.ts'
import { askHere, tellQuestion } from './ask-here.ts'
import type { CommandContext } from './command.ts'
import { exitCodeOfState, exitCodes, signalExitCode } from './exit-codes.ts'
import {
  describeBase,
  describeDelta,
  describeNamed,
  describePermissions,
  describeSetUp,
  describeStart,
  renderEvent,
} from './render.ts'
import { showInTmux } from './show-in-tmux.ts'
import { tellFailure } from './tell-failure.ts'

export const waitFlag = {
  wait: { about: 'stay until it has ended, and print the answer; an interrupt only detaches' },
} as const

export interface Asked {
  readonly wait?: true
  readonly json?: true
  readonly tmux?: true
  /** What is shown of it, in the place of the task and its answer. */
  readonly shownAs?: Shown
}

export interface Shown {
  /** Of one that was handed in just now. */
  view(task: Task): Promise<unknown>
  /** Shows its end; the exit code. */
  end(task: Task): Promise<number>
}

/** The exit code. */
export async function handInAndTell(
  plan: HandInPlan,
  asked: Asked,
  context: CommandContext,
): Promise<number> {
  const { output } = context
  // From here on a signal waits: it may not leave half a task, nor one whose id nobody knows.
  const { interrupted } = context
  let handedIn: HandedIn
  try {
    handedIn = await handInPlanned(plan, context)
  } catch (error) {
    if (!interrupted.aborted) throw error
    output.tell(`interrupted before it was handed in: ${messageOf(error)}`)
    return signalExitCode(Number(interrupted.reason))
  }
  return await tellHandedIn(handedIn, asked, context)
}

/** Not new: it was handed in before, under the same key. */
export async function tellHandedIn(
  { task, isNew }: HandedIn,
  asked: Asked,
  context: CommandContext,
): Promise<number> {
  const { output, interrupted } = context
  if (!isNew) output.tell(`it was handed in before, under the same key: it is ${task.state.name}`)
  const { base, start, setUp, verify } = task.request
  for (const line of base.changes?.leftOut ?? []) output.tell(`left out: ${line}`)
  if (start !== null) output.tell(`starts from ${describeStart(start, context.now())}`)
  for (const line of start?.leftOut ?? []) output.tell(`not in it: ${line}`)
  for (const line of describeSetUp(setUp)) output.tell(line)
  for (const line of describeNamed(verify)) output.tell(line)
  await ringOrTell(context)
  reach('submission.rung')
  if (asked.tmux === true) await showInTmux(task, context)
  if (asked.wait === true) return await waitAndTell(task, asked, context)
  await announce(task, asked, context)
  reach('submission.id-written')
  if (!interrupted.aborted) return exitCodes.done
  output.tell(`interrupted; ${task.request.id} was handed in, and goes on`)
  return signalExitCode(Number(interrupted.reason))
}

async function announce(task: Task, asked: Asked, context: CommandContext): Promise<void> {
  const { output } = context
  const { id } = task.request
  try {
    if (asked.json === true) {
      const judged = { name: task.state.name, asOf: context.now(), remark: null }
      output.writeJson((await asked.shownAs?.view(task)) ?? viewTask(task, judged))
      return
    }
    output.write(`${id}\n`)
  } catch (error) {
    // stdout takes nothing: somebody should still get to know its id.
    output.tell(`${id} was handed in, and goes on: holdfast result ${id}`)
    throw error
  }
  output.tell(describeRequest(task))
  output.tell(`next: holdfast logs -f ${id} · holdfast wait ${id} · holdfast result ${id}`)
}

/**
 * Waits for its end, shows on stderr what it does (after a line of its log), and prints the answer.
 * The exit code.
 */
export async function waitAndTell(
  task: Task,
  asked: Asked,
  context: CommandContext,
  after = 0,
): Promise<number> {
  const { output } = context
  const { id } = task.request
  output.tell(`${id} ${describeRequest(task)}`)
  const { ended, end } = await waitAndAnswer(task, after, context)
  if (typeof end === 'object') {
    output.tell(`detached; the task goes on. Come back with: holdfast wait ${id}`)
    return signalExitCode(end.interrupted)
  }
  const { state } = ended
  if (asked.shownAs !== undefined) return await asked.shownAs.end(ended)
  if (asked.json === true) {
    output.writeJson(await lookAtTask(ended, context))
    await acknowledgeShown([ended], context)
    return exitCodeOfState(state.name)
  }
  const result = resultOf(state)
  if (ended.request.review !== null) {
    await (await import('./show-review.ts')).showReview(ended, context)
  } else if (result?.answer != null) output.write(withNewline(result.answer))
  if (state.name === 'failed') tellFailure(id, state.failure, output)
  if (result !== null) {
    const see = result.files === 0 ? '' : `; see it with: holdfast diff ${id}`
    const { taken, worktree } = ended
    const isThere = result.files > 0 && isUntaken({ result, taken, worktree })
    const take = isThere ? ` · take it: holdfast apply ${id}` : ''
    output.tell(`${describeDelta(result)}${see}${take}`)
    // Of a task without a result, the failure above has said why.
    if (result.commit !== null) tellLeftOut(result, output)
  }
  await acknowledgeShown([ended], context)
  return exitCodeOfState(state.name)
}

/** What it asks meanwhile is asked here, where somebody sits at a terminal. */
async function waitAndAnswer(task: Task, seen: number, context: CommandContext) {
  const { output } = context
  const { id } = task.request
  const store = await context.holdfast.store()
  const isDrawnLater = await findDrawn(task)
  let after = seen
  for (;;) {
    const { tasks, end } = await waitForTasks(
      [id],
      {
        after,
        async onEvents(events) {
          for (const event of events) {
            const line = isDrawnLater(event) ? null : renderEvent(event, output)
            if (line !== null) output.tell(line)
            after = event.seq
          }
        },
      },
      context,
    )
    const ended = tasks[0] ?? task
    const isAsked = (await findAsked(ended, store)) !== null
    if (typeof end === 'object' || !isAsked) return { ended, end }
    if (await askHere(ended, context)) continue
    const { interrupted } = context
    if (interrupted.aborted) return { ended, end: { interrupted: Number(interrupted.reason) } }
    tellQuestion(ended, context)
    return { ended, end }
  }
}

/** What a review answers is drawn in the end: as it was said it is for programs. */
async function findDrawn({ request }: Task): Promise<(event: TaskEvent) => boolean> {
  if (request.review === null) return () => false
  const { readAnswer } = await import('../review/read-answer.ts')
  return ({ body }) => body.kind === 'message_ended' && readAnswer(body.text).answer !== null
}

/** What was handed in: its name, who does it, what it starts from, and how much it may do. */
function describeRequest({ request: { name, agent, review, base, permissions } }: Task): string {
  const what = review === null ? '' : `${describeTarget(review.target)}; `
  return `${name}: ${agent}; ${what}${describeBase(base)}; ${describePermissions(permissions)}`
}

const withNewline = (text: string) => (text.endsWith('\n') ? text : `${text}\n`)
