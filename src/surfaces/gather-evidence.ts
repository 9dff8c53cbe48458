import { AppError } from '../domain/errors.ts'
import { hasEnded, type Task } from '../domain/task.ts'
import { listChain, listFollowers, listUnheard } from '../engine/all-said.ts'
import type { Store } from '../ports/store.ts'
import { acknowledgeShown } from './acknowledge.ts'
import type { SurfaceContext } from './context.ts'
import { eventPages } from './event-pages.ts'
import { lookAtTask } from './look.ts'
import type { ResultView } from './view.ts'

/** Of a task that has ended, whose end is then taken note of; else refuses with `not_finished`. */
export async function requireResult(task: Task, context: SurfaceContext): Promise<ResultView> {
  if (!hasEnded(task.state)) throw notFinished(task)
  const evidence = await gatherEvidence(task, context)
  await acknowledgeShown([task], context)
  return evidence
}

export function notFinished({ request: { id }, state }: Task): AppError {
  return new AppError('not_finished', `${id} has not ended yet: it is ${state.name}`, {
    hint: `holdfast wait ${id}`,
  })
}

/** It, what it follows, and what follows it; the oldest first. */
export async function viewConversation(
  task: Task,
  store: Store,
): Promise<ResultView['conversation']> {
  const chain = [...(await listChain(task, store)), ...(await listFollowers(task, store))]
  return chain.map(({ request: { id, name }, state }) => ({ id, name, state: state.name }))
}

/** The answer and what speaks for it. */
export async function gatherEvidence(task: Task, context: SurfaceContext): Promise<ResultView> {
  const store = await context.holdfast.store()
  const view = await lookAtTask(task, context)
  const commands: ResultView['commands'] = []
  const refused: ResultView['refused'] = []
  const timeline: ResultView['timeline'] = []
  for await (const page of eventPages(store, task.request.id, 0)) {
    for (const { at, body } of page) {
      if (body.kind === 'command_ended') {
        commands.push({ command: body.command, exitCode: body.exitCode })
      } else if (body.kind === 'action_refused') {
        refused.push({ action: body.action, why: body.why })
      } else if ('text' in body && /^(?:task|attempt)_/.test(body.kind)) {
        timeline.push({ at: new Date(at).toISOString(), text: body.text })
      }
    }
  }
  const delta = view.result
  return {
    task: view,
    answer: delta?.answer ?? null,
    commit: delta?.commit ?? null,
    files: delta?.files ?? 0,
    insertions: delta?.insertions ?? 0,
    deletions: delta?.deletions ?? 0,
    leftOut: delta?.leftOut ?? [],
    commands,
    refused,
    usage: view.usage,
    timeline,
    ended: view.endedAt === null ? null : (view.reason ?? view.state),
    review: await findReview(task, context),
    unheard: (await listUnheard(task, store)).map(({ text }) => text),
    conversation: await viewConversation(task, store),
  }
}

/** Null: it is no review. */
async function findReview(task: Task, context: SurfaceContext): Promise<ResultView['review']> {
  if (task.request.review === null) return null
  const { viewReview } = await import('./review/view-review.ts')
  return await viewReview(task, context)
}
