/** The way in for a program: the calls of the command line, as functions. */
import { resolve } from 'node:path'
import { compose } from '../../compose.ts'
import { outerEnvironment } from '../../domain/environment.ts'
import { AppError } from '../../domain/errors.ts'
import { permissionModes } from '../../domain/permissions.ts'
import type { Task } from '../../domain/task.ts'
import { changeScopes } from '../../ports/worktrees.ts'
import { acknowledgeShown } from '../acknowledge.ts'
import { detectCaller } from '../caller.ts'
import type { SurfaceContext } from '../context.ts'
import { askForEnds, awaitEnds, findNamed } from '../end-tasks.ts'
import { findMembers, requireTask, requireTasks } from '../find-task.ts'
import { tieToSelf } from '../find-tie.ts'
import { followEvents } from '../follow-events.ts'
import { requireResult } from '../gather-evidence.ts'
import { lookAtTask, lookAtTasks, lookAtWorker } from '../look.ts'
import { lookAround } from '../look-around.ts'
import { lookAtGroup } from '../look-at-group.ts'
import { viewEvent } from '../make-view.ts'
import { passAnswer, requireSameQuestion } from '../pass-answer.ts'
import { acknowledgeNamed, listInbox, viewEntry } from '../read-inbox.ts'
import { sendAndView } from '../send-words.ts'
import { requireSchema } from '../settle-options.ts'
import { submitRequest, submitGroup as submitTogether } from '../submit-request.ts'
import { viewDiff } from '../take-diff.ts'
import { giveBack, takeHome } from '../take-home.ts'
import { waitForTasks } from '../wait-for.ts'
import { namingSandbox } from '../writable-store.ts'
import type { Abortable, Connection, ConnectOptions, SubmitRequest, Waited } from './contract.ts'

/** `entry`: the program that starts the command line; a worker is started through it. */
export function connectThrough(entry: string, options: ConnectOptions = {}): Connection {
  const environment = outerEnvironment(options.environment ?? process.env)
  const holdfast = compose(environment, entry)
  const closed = new AbortController()

  const contextIn = (given: Abortable & { readonly directory?: string }): SurfaceContext => {
    if (closed.signal.aborted) throw new AppError('bad_usage', 'this connection was closed')
    const directory = resolve(options.directory ?? process.cwd(), given.directory ?? '')
    const { signal } = given
    return {
      holdfast,
      environment,
      directory,
      caller: detectCaller(environment, directory),
      output: { tell: line => options.tell?.(line) },
      interrupted: signal === undefined ? closed.signal : AbortSignal.any([signal, closed.signal]),
      now: () => Date.now(),
    }
  }
  const underWay = new Set<Promise<unknown>>()
  /** Does `work` for the caller, who is told where a sandbox is what stands in its way. */
  const call = async <T>(
    given: Abortable & { readonly directory?: string },
    work: (context: SurfaceContext) => Promise<T>,
  ): Promise<T> => {
    const context = contextIn(given)
    given.signal?.throwIfAborted()
    const working = work(context)
    underWay.add(working)
    try {
      return await working
    } catch (error) {
      throw error instanceof AppError ? await namingSandbox(error, context) : error
    } finally {
      underWay.delete(working)
    }
  }
  const callFor = <T>(
    name: string,
    given: Abortable,
    work: (task: Task, context: SurfaceContext) => Promise<T>,
  ): Promise<T> =>
    call(given, async context => work(await requireTask(await holdfast.store(), name), context))
  const close = async () => {
    closed.abort(new AppError('bad_usage', 'this connection was closed'))
    // What waits ends by that. The rest is brought to its end: it stands on the store.
    await Promise.allSettled(underWay)
    await holdfast.close()
  }

  return {
    submit: request =>
      call(
        request.directory === undefined ? {} : { directory: request.directory },
        async context => {
          const { task, isNew } = await submit(request, context)
          return { task: await lookAtTask(task, context), isNew }
        },
      ),
    submitGroup: request =>
      call(
        request.directory === undefined ? {} : { directory: request.directory },
        async context => {
          const { tasks, isNew } = await submitTogether(
            ...(await wordsOf(request, context)),
            context,
          )
          return { group: await lookAtGroup(tasks, context), isNew }
        },
      ),
    group: name =>
      call({}, async context => {
        const members = await findMembers(await holdfast.store(), name)
        if (members !== undefined) return await lookAtGroup(members, context)
        throw new AppError('no_such_task', `there is no group "${name}"`)
      }),
    status: (given = {}) => call({}, context => lookAround(given, context)),
    task: name => callFor(name, {}, lookAtTask),
    wait: (names, given = {}) =>
      call(given, async context => {
        const tasks = await findAll(names, context)
        const waited = await waitForTasks(idsOf(tasks), given, context)
        return await tellWaited(waited, context)
      }),
    events: async function* (name, given = {}) {
      const context = contextIn(given)
      try {
        const { id } = (await requireTask(await holdfast.store(), name)).request
        const events = followEvents(id, given.after ?? 0, context)
        for await (const event of events) yield viewEvent(event)
      } catch (error) {
        // Nobody waits for it when the connection is closed, which may be in the middle of a look.
        closed.signal.throwIfAborted()
        throw error
      }
      context.interrupted.throwIfAborted()
    },
    result: name => callFor(name, {}, requireResult),
    diff: name => callFor(name, {}, viewDiff),
    apply: (name, given = {}) =>
      callFor(name, given, async (task, context) => {
        const to = given.to === undefined ? null : resolve(context.directory, given.to)
        if (given.undo === true) return await giveBack(task, to, context)
        const { mode = 'clean' } = given
        requireOneOf('mode', mode, ['check', 'clean', 'conflicts'])
        return await takeHome(task, to, mode, context)
      }),
    send: (name, text, { idempotencyKey: key = null } = {}) =>
      callFor(name, {}, (task, context) =>
        sendAndView(task, { text: Buffer.from(text), key, isAwaited: false }, context),
      ),
    answer: (name, words, { question } = {}) =>
      callFor(name, {}, async (task, context) => {
        if (question !== undefined) requireSameQuestion(task, question)
        return await lookAtTask(await passAnswer(task, words, context), context)
      }),
    cancel: (names, given = {}) =>
      call(given, async context => {
        const tasks = await findNamed(listOf(names), await holdfast.store())
        const wish = { tree: given.tree ?? false, lost: false }
        const { going, refusals } = await askForEnds(tasks, wish, context)
        if (going.length === 0 && refusals[0] !== undefined) throw refusals[0]
        return await tellWaited(await awaitEnds(going, context), context)
      }),
    inbox: ({ mine = false } = {}) =>
      call({}, async context => ({ deliveries: (await listInbox(mine, context)).map(viewEntry) })),
    acknowledge: names =>
      call({}, async context => ({ acknowledged: await acknowledgeNamed(names, context) })),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function submit(request: SubmitRequest, context: SurfaceContext) {
  return await submitRequest(...(await wordsOf(request, context)), context)
}

/** What is asked, and how. */
async function wordsOf<T extends SubmitRequest>(request: T, context: SurfaceContext) {
  const { outputSchema, withCaller, directory: _, ...rest } = request
  requireOneOf('permissions', rest.permissions, permissionModes)
  requireOneOf('changes', rest.changes, changeScopes)
  const schema = outputSchema === undefined ? undefined : requireSchema(outputSchema)
  const tie = withCaller === true ? await tieToSelf(context.caller, context.holdfast) : null
  return [
    { ...rest, tie },
    { ...rest, outputSchema: schema },
  ] as const
}

/** A program without types may say anything. */
function requireOneOf(what: string, given: unknown, known: readonly string[]): void {
  if (given === undefined || known.some(one => one === given)) return
  throw new AppError('bad_usage', `${what} ${given} is none of ${known.join(', ')}`)
}

async function tellWaited(
  { tasks, end }: Awaited<ReturnType<typeof waitForTasks>>,
  context: SurfaceContext,
): Promise<Waited> {
  if (typeof end === 'object') context.interrupted.throwIfAborted()
  const worker = await lookAtWorker(context)
  const views = await lookAtTasks(tasks, worker, context)
  await acknowledgeShown(tasks, context)
  return { tasks: [...views], worker, timedOut: end === 'timeout' }
}

async function findAll(
  names: string | readonly string[],
  { holdfast }: SurfaceContext,
): Promise<readonly Task[]> {
  return await requireTasks(await holdfast.store(), listOf(names))
}

const listOf = (names: string | readonly string[]) => (typeof names === 'string' ? [names] : names)
const idsOf = (tasks: readonly Task[]) => tasks.map(({ request }) => request.id)
