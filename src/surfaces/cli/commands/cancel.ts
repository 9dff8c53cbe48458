import { reach } from '../../../domain/crash-points.ts'
import { descendantsOf } from '../../../domain/delegation.ts'
import { AppError } from '../../../domain/errors.ts'
import { asFence, type TaskId } from '../../../domain/ids.ts'
import { hasEnded, type Task } from '../../../domain/task.ts'
import { forgetSecrets } from '../../../engine/forget-secrets.ts'
import type { Store } from '../../../ports/store.ts'
import { type CommandContext, defineCommand, jsonFlag } from '../command.ts'
import { exitCodeOfRefusal, exitCodes, signalExitCode } from '../exit-codes.ts'
import { requireTask } from '../find-task.ts'
import { lookAtTasks, lookAtWorker, ringOrTell } from '../look.ts'
import { describeDelta } from '../render.ts'
import { waitForTasks } from '../wait-for.ts'

/** An agent is given 2 s to end in order, then it is made to; the work so far is collected. */
const LIMIT_MS = 30_000

export const cancel = defineCommand({
  name: 'cancel',
  group: 'Do',
  summary: 'End a task, with every process that it started; its work so far is kept',
  usage: 'cancel TASK… | cancel --all',
  flags: {
    all: { about: 'every task that has not ended' },
    tree: { about: 'also the tasks that these have delegated' },
    lost: {
      about: 'their processes are gone: said of a machine or container that no longer is',
    },
    ...jsonFlag,
  },
  examples: [
    'holdfast cancel fix-the-login',
    'holdfast cancel k3v9 m2x7',
    'holdfast cancel --tree k3v9',
  ],
  async run({ flags, words }, context) {
    const { output, holdfast } = context
    if ((words.length === 0) === (flags.all !== true)) {
      throw new AppError('bad_usage', 'cancel needs tasks by their names, or --all', {
        hint: 'holdfast status lists what is under way',
      })
    }
    const store = await holdfast.store()
    const going: TaskId[] = []
    const refusals: AppError[] = []
    const end = async (task: Task) => {
      const isGoing = await askForEnd(task, context)
      if (flags.lost === true) await declareLost(task, context)
      if (isGoing) going.push(task.request.id)
      return isGoing
    }
    for (const task of await (flags.all === true ? listOpen(store) : findNamed(words, store))) {
      let ended = await end(task)
      // The outer one is cancelled first; whom it still hands in meanwhile is found by another look.
      for (let more = flags.tree === true; more; ) {
        const open = await openBelow(task, store)
        for (const inner of open) ended = (await end(inner)) || ended
        more = open.length > 0
      }
      if (!ended) refusals.push(hasEndedAlready(task))
    }
    if (going.length === 0 && refusals.length === 0) output.tell('nothing is under way')
    const [refusal] = refusals
    if (refusal !== undefined && going.length === 0 && refusals.length === 1) throw refusal
    for (const { message, hint } of refusals) output.tell(`holdfast: ${message}\n  ${hint}`)

    // A task that was queued has ended with the asking: a worker is needed only to tell of it.
    const isLeft = (await store.countTasks(['cancelling'])) > 0
    if (isLeft || (await store.listOwed()).length > 0) await ringOrTell(context)
    reach('cancel.rung')
    const { tasks, end: waitEnd } = await waitForTasks(going, { timeoutMs: LIMIT_MS }, context)
    const worker = await lookAtWorker(context)
    if (flags.json === true) {
      const views = await lookAtTasks(tasks, worker, context)
      output.writeJson({ tasks: views, worker })
    } else {
      for (const { request, state } of tasks) {
        const result = 'result' in state ? state.result : null
        const delta = result === null ? '' : `, ${describeDelta(result)}`
        output.write(`${request.id} ${state.name}${delta}\n`)
      }
    }
    if (typeof waitEnd === 'object') return signalExitCode(waitEnd.interrupted)
    if (waitEnd === 'timeout') {
      for (const task of tasks) await tellWhyNotOver(task, context)
      return exitCodes.notFinished
    }
    return refusal === undefined ? exitCodes.done : exitCodeOfRefusal(refusal.code)
  },
})

async function findNamed(words: readonly string[], store: Store): Promise<readonly Task[]> {
  const named = new Map<TaskId, Task>()
  for (const word of words) {
    const task = await requireTask(store, word)
    named.set(task.request.id, task)
  }
  // The newest first, like a list: what waits for another is cancelled before it would fail with it.
  return [...named.values()].sort((a, b) => b.request.createdAt - a.request.createdAt)
}

/** Those that have not ended, and whose end was not asked for yet. */
async function listOpen(store: Store): Promise<readonly Task[]> {
  return await store.listTasks({
    states: ['queued', 'waiting', 'starting', 'running', 'needs_input'],
  })
}

async function openBelow({ request }: Task, store: Store): Promise<readonly Task[]> {
  const root = request.delegation?.root ?? request.id
  const below = descendantsOf(request.id, await store.listTasks({ root }))
  return below.filter(({ state }) => !hasEnded(state) && state.name !== 'cancelling')
}

/** What a cancelled task still waits for, as far as it can be seen. */
async function tellWhyNotOver(
  { request, state, worktree }: Task,
  { holdfast, output }: CommandContext,
): Promise<void> {
  if (state.name !== 'cancelling') return
  const files = await holdfast.files()
  const living = (await holdfast.host()).findProcesses({
    task: request.id,
    fence: state.fence,
    runDirectory: files.runDirectory(request.id, state.fence),
    worktree: worktree?.kind === 'borrowed' ? null : (worktree?.path ?? null),
  })
  const why =
    (await holdfast.presence()).look() === undefined
      ? 'no worker is up to end it'
      : living.length === 0
        ? 'its work is still being collected'
        : `still alive: ${living.map(({ pid, command }) => `${pid} ${command}`).join(', ')}`
  output.tell(`${request.id} is not over after ${LIMIT_MS / 1000} s: ${why}`)
  output.tell(
    `  it goes on by itself: holdfast wait ${request.id}; see ${holdfast.home}/worker.log`,
  )
}

/** Only where nobody can look: what can be seen is ended by us, and not by a word. */
async function declareLost(
  { request, attempts }: Task,
  { holdfast, output }: CommandContext,
): Promise<void> {
  const files = await holdfast.files()
  const fence = asFence(attempts)
  const attempt = {
    task: request.id,
    fence,
    runDirectory: files.runDirectory(request.id, fence),
    worktree: null,
  }
  if ((await holdfast.host()).declareGone(attempt)) return
  output.tell(`${request.id}: --lost says nothing here, its processes can be looked for`)
}

/** False: it has already ended. */
async function askForEnd(task: Task, { holdfast, now }: CommandContext): Promise<boolean> {
  const store = await holdfast.store()
  const { id } = task.request
  const at = now()
  const after = await store.transition(id, null, { kind: 'cancel_requested' }, at)
  reach('cancel.requested')
  if (after !== undefined && hasEnded(after.state)) {
    await forgetSecrets(after, at, { store, files: await holdfast.files() })
    reach('cancel.environment-forgotten')
  }
  return after !== undefined
}

function hasEndedAlready({ request: { id }, state }: Task): AppError {
  const how = hasEnded(state) ? `: it is ${state.name}` : ''
  return new AppError('already_ended', `${id} has already ended${how}`, {
    hint: `holdfast result ${id}`,
  })
}
