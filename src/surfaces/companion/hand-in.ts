/** Hands a job in: as a task of the agent codex, in the caller's directory or in a worktree. */

import type { CompanionJob } from '../../domain/companion-job.ts'
import { configuredBounds, configuredOneShot } from '../../domain/configuration.ts'
import { AppError } from '../../domain/errors.ts'
import type { SessionId } from '../../domain/ids.ts'
import type { Task } from '../../domain/task.ts'
import type { Place } from '../../engine/choose-workplace.ts'
import type { HandInPlan } from '../../engine/hand-in.ts'
import { planSubmission } from '../../engine/submit.ts'
import { currentUmask } from '../caller.ts'
import type { CommandContext } from '../cli/command.ts'
import { findCheckout } from '../common-git-dir.ts'
import { callerEnvironment, planPorts } from '../hand-in-ports.ts'
import { ringOrTell } from '../look.ts'
import { readSetUpWish } from '../set-up-wish.ts'
import { settleOptions } from '../settle-options.ts'
import { handInPlanned } from '../submit.ts'
import { findDeleter } from './find-deleter.ts'

export interface AskedJob {
  readonly companion: CompanionJob
  readonly prompt: string
  /** Null: as Codex is configured. */
  readonly model: string | null
  readonly effort: string | null
  /** The thread that is given the prompt; null: a new one. */
  readonly session: SessionId | null
  /** Whoever asks stays with it. */
  readonly isAwaited: boolean
}

/**
 * One that may change files works in the caller's own directory, where no other task does and nobody
 * is known to delete it; what may only read has a worktree of its own, with all that is uncommitted.
 */
export async function handInJob(asked: AskedJob, context: CommandContext): Promise<Task> {
  // From here on a signal waits: it may not leave half a task, nor one whose id nobody knows.
  void context.interrupted
  const task = await handInSomewhere(asked, context)
  await tellOfJob(task, context)
  return task
}

/** What its caller has to know of one that was handed in, and the worker too. */
export async function tellOfJob(task: Task, context: CommandContext): Promise<void> {
  const leftOut = task.request.base.changes?.leftOut ?? []
  for (const line of leftOut) context.output.tell(`left out: ${line}`)
  await ringOrTell(context)
}

async function handInSomewhere(asked: AskedJob, context: CommandContext): Promise<Task> {
  if (!asked.companion.write) return await handInAt({ kind: 'own' }, asked, context)
  const deleter = findDeleter(context)
  if (deleter === null) {
    try {
      return await handInAt({ kind: 'in_place' }, asked, context)
    } catch (error) {
      const isTaken = error instanceof AppError && ELSEWHERE.includes(error.code)
      if (!isTaken) throw error
      context.output.tell(`It works in a worktree of its own: ${error.message}.`)
    }
  } else {
    context.output.tell(`It works in a worktree of its own: ${deleter}.`)
  }
  return await handInAt({ kind: 'own' }, asked, context)
}

/** Somebody else works there, or may delete it. */
const ELSEWHERE: readonly AppError['code'][] = ['leased', 'refused_in_state']

async function handInAt(place: Place, asked: AskedJob, context: CommandContext): Promise<Task> {
  return (await handInPlanned(await planJob(place, asked, context), context)).task
}

async function planJob(
  place: Place,
  asked: AskedJob,
  context: CommandContext,
): Promise<HandInPlan> {
  const { holdfast } = context
  const { companion, prompt, model, effort, session, isAwaited } = asked
  const root = findCheckout(context.directory)?.root ?? null
  const configuration = await holdfast.configuration(root)
  const submission = {
    ...(await settleOptions({}, configuration, isAwaited, context)),
    agent: await holdfast.agent('codex'),
    prompt: new TextEncoder().encode(prompt),
    argv: [],
    session,
    retryOnCrash: false,
    umask: currentUmask(),
    model,
    effort,
    permissions: companion.write ? ('workspace' as const) : ('read-only' as const),
    bounds: configuredBounds(configuration, 'capture'),
    setUp: await readSetUpWish(root, configuration, context),
    caller: { ...context.caller, companion },
    tie: null,
    oneShot: configuredOneShot(configuration),
    callerEnvironment: callerEnvironment(context),
    place,
    name: null,
  }
  const plan = await planSubmission(submission, await planPorts(context))
  // Without a key nothing was handed in before.
  if ('handedInBefore' in plan) throw new Error('a job has no idempotency key')
  return plan
}
