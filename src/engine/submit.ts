/**
 * What `run` asks for, as a plan that can still be refused and has touched nothing. `hand-in.ts`
 * carries it out.
 */
import type { Budget } from '../domain/budget.ts'
import type { Bounds } from '../domain/configuration.ts'
import { delegationBy } from '../domain/delegation.ts'
import type { Subscription } from '../domain/delivery.ts'
import { agentEnvironment } from '../domain/environment.ts'
import { AppError } from '../domain/errors.ts'
import type { GroupId } from '../domain/group.ts'
import { makeTaskName, type SessionId, type TaskId } from '../domain/ids.ts'
import { narrowMemory } from '../domain/memory.ts'
import type { PermissionMode } from '../domain/permissions.ts'
import type { ReviewRequest } from '../domain/review.ts'
import {
  type Caller,
  type Idempotency,
  OPENED_REQUEST,
  type Opened,
  type RepositoryPlace,
  type Task,
} from '../domain/task.ts'
import type { Tie } from '../domain/tie.ts'
import { VERIFY_LIMIT_MS } from '../domain/verify.ts'
import type { Agent } from '../ports/agent.ts'
import type { Confinement } from '../ports/confinement.ts'
import type { Store } from '../ports/store.ts'
import type { Trust } from '../ports/trust.ts'
import type { ChangeScope, Checkout, Worktrees } from '../ports/worktrees.ts'
import { findAccount } from './after-limit.ts'
import { checkPrompt } from './check-prompt.ts'
import { chooseVerify, type VerifyWish } from './choose-verify.ts'
import { type ChosenWorkplace, chooseWorkplace, type Place } from './choose-workplace.ts'
import type { HandInPlan } from './hand-in.ts'
import { checkOpener, settleOpened } from './open.ts'
import { planSetUp, type SetUpWish } from './plan-set-up.ts'
import { settlePermissions } from './settle-permissions.ts'
import { requireVerifiable } from './verify.ts'
import { readUsed } from './watch-usage.ts'

/** What a caller asks for. */
export interface Submission {
  readonly agent: Agent
  /** Byte for byte; empty for the agent `command`. */
  readonly prompt: Uint8Array
  /** For the agent `command`. */
  readonly argv: readonly string[]
  /** A session of the agent's that has come to its end, and is given the prompt. Absent: a new one. */
  readonly session?: SessionId | null
  readonly retryOnCrash: boolean
  readonly model: string | null
  readonly effort: string | null
  readonly permissions: PermissionMode | null
  /** Of uncommitted changes that come along. */
  readonly bounds: Bounds
  readonly setUp: SetUpWish
  readonly caller: Caller
  readonly callerEnvironment: Readonly<Record<string, string | undefined>>
  readonly umask: number
  /** Null: made from the prompt. */
  readonly name: string | null
  readonly place: Place
  readonly changes: ChangeScope
  /** The commit to start from, in the caller's words; null: where the checkout stands. */
  readonly revision: string | null
  readonly priority: number
  readonly after: readonly TaskId[]
  readonly timeoutMs: number | null
  /** It asks before it edits or runs anything. */
  readonly asks: boolean
  /** As JSON; null: it answers as it likes. */
  readonly outputSchema: string | null
  /** What it reviews. Absent: it is no review. */
  readonly review?: ReviewRequest
  /** What it starts from, where that is not the checkout that the caller stands in. */
  readonly source?: Source
  readonly stallMs: number
  readonly maxFailures: number
  readonly budget: Budget | null
  /** Who goes on, one after the other, where an account is used up. */
  readonly fallback: readonly Agent[]
  readonly idempotencyKey: string | null
  /** What the processes of a try may use together. Absent, or null: no limit. */
  readonly memoryBytes?: number | null
  /** What it ends with. Absent, or null: it outlives whoever asks. */
  readonly tie?: Tie | null
  /** It is not talked to while it works, even where it could be. Absent: it is. */
  readonly oneShot?: boolean
  /** What looks at its work once its agent is done. Absent, or null: nothing does. */
  readonly verify?: VerifyWish | null
  /** The group that it is a member of. Absent: it is handed in alone. */
  readonly member?: Member
  /** Who is told of it. */
  readonly notify: readonly Subscription[]
  /** A person drives it, and its prompt is empty. Absent: its agent works by itself. */
  readonly opened?: Opened
}

/** One of the tasks of a group. */
interface Member {
  readonly group: GroupId
  readonly name: string
  /** The names of all, of which the first bears the idempotency key. */
  readonly all: readonly string[]
}

export interface Source {
  readonly repo: RepositoryPlace
  /** What its set-up is taken from; null: it is gone. */
  readonly checkout: Checkout | null
  readonly takeBase: HandInPlan['takeBase']
}

export interface PlanPorts {
  readonly store: Store
  readonly worktrees: Worktrees
  readonly trust: Trust
  readonly confinement: Confinement
  /** The state directory: permanent worktrees stand in it. */
  readonly home: string
  /** A short name for a longer text, in hexadecimal. */
  readonly hash: (text: string) => string
}

/**
 * Checks everything that can be checked without writing. Throws a refusal; but what was handed in
 * before, under the same key, needs no check.
 */
export async function planSubmission(
  submission: Submission,
  ports: PlanPorts,
): Promise<HandInPlan | { readonly handedInBefore: Task }> {
  const { agent, prompt, argv, caller } = submission
  const session = submission.session ?? null
  const { store, confinement } = ports
  const opened = submission.opened ?? null
  if (opened !== null) checkOpener(caller)
  else if (agent.capabilities.takesPrompt) checkPrompt(prompt, agent)
  else if (argv.length === 0) {
    throw new AppError('bad_usage', `the agent ${agent.name} needs a program to run`, {
      hint: 'holdfast run command -- npm test',
    })
  }
  const idempotency = await identify(submission, ports)
  const handedInBefore = idempotency && (await store.findTwin(idempotency))
  if (handedInBefore) return { handedInBefore }
  const environment = agentEnvironment(submission.callerEnvironment)
  const parent = await findParent(caller, store)
  const delegation = parent === undefined ? null : delegationBy(parent)
  const wish = { asked: submission.permissions, parent, asks: submission.asks }
  refuseUnable(submission)
  if (submission.tie?.kind === 'task' && parent === undefined) throw callerUnknown()
  const review = submission.review ?? null
  const [origin, permissions, account, reviewModel] = await Promise.all([
    findOrigin(submission, ports),
    opened === null
      ? settlePermissions(agent, wish, environment, confinement)
      : settleOpened(
          opened,
          agent,
          submission.permissions ?? 'workspace',
          environment,
          confinement,
        ),
    findAccount(agent, environment),
    review === null ? undefined : agent.findReviewModel?.(environment),
    agent.findInstallation(environment, argv, caller.directory),
  ])
  const { repo, checkout, workplace, seen, takeBase } = origin
  const verify = chooseVerify(submission, permissions, repo.commonDir, ports.trust)
  await requireVerifiable(verify, permissions, confinement)
  // A worktree that is there already is as it is.
  const isNew = (seen?.record ?? null) === null
  return {
    prompt,
    environment,
    request: {
      name: submission.member?.name ?? submission.name ?? nameOf(submission),
      agent: agent.name,
      fallback: submission.fallback.map(({ name }) => name),
      account,
      asks: submission.asks,
      outputSchema: submission.outputSchema,
      review,
      model: submission.model ?? reviewModel ?? null,
      effort: submission.effort,
      permissions,
      argv,
      retryOnCrash: submission.retryOnCrash,
      repo,
      start: null,
      caller,
      umask: submission.umask,
      priority: submission.priority,
      after: submission.after,
      timeoutMs: submission.timeoutMs,
      stallMs: submission.stallMs,
      maxFailures: submission.maxFailures,
      budget: submission.budget,
      idempotency,
      notify: submission.notify,
      follows: null,
      session,
      sessionUsage: session === null ? null : await readUsed(agent, session, environment),
      ownPrompt: false,
      delegation,
      memoryBytes: narrowMemory(
        submission.memoryBytes ?? null,
        parent?.request.memoryBytes ?? null,
      ),
      tie: submission.tie ?? null,
      group: submission.member?.group ?? null,
      verify,
      oneShot: submission.oneShot ?? false,
      ...(opened === null ? { opened } : { ...OPENED_REQUEST, opened }),
      ...(workplace === undefined ? {} : { workplace }),
    },
    ...(seen === undefined ? {} : { seen }),
    setUp:
      isNew && checkout !== null
        ? planSetUp(
            checkout,
            submission.setUp,
            { permissions, delegated: parent !== undefined },
            ports,
          )
        : null,
    takeBase,
  }
}

/** Where it comes from, and where it is to work. */
async function findOrigin(
  submission: Submission,
  ports: PlanPorts,
): Promise<Source & Pick<ChosenWorkplace, 'workplace' | 'seen'>> {
  if (submission.source !== undefined) return submission.source
  const { caller, changes, revision, bounds } = submission
  const { worktrees } = ports
  const checkout = await worktrees.openCheckout(caller.directory)
  const { source, ...chosen } = await chooseWorkplace(submission, checkout, ports)
  return {
    repo: checkout.place,
    checkout,
    ...chosen,
    takeBase: (id, scratch) =>
      worktrees.captureBase(source, id, scratch, { ...bounds, changes, revision }),
  }
}

/** The first words of what is asked. */
export function nameOf({ agent, prompt, argv, opened }: Submission): string {
  const said = agent.capabilities.takesPrompt ? new TextDecoder().decode(prompt) : argv.join(' ')
  return makeTaskName(said, `${agent.name}-${opened === undefined ? 'task' : 'open'}`)
}

/** What an agent cannot do is said before it is asked to. */
function refuseUnable(submission: Submission): void {
  const { agent, asks, outputSchema, budget, fallback, session, oneShot } = submission
  const { argv, model, effort, revision } = submission
  // Tried again and again, it would keep all others waiting.
  if ([...argv, model, effort, revision].some(word => word?.includes('\0'))) {
    throw new AppError('bad_usage', 'there is a zero byte in what a program is to be given')
  }
  const { name, capabilities } = agent
  if (session != null && capabilities.continues !== 'session') {
    throw new AppError('bad_usage', `${name} has no sessions to go on with`)
  }
  const free = [agent, ...fallback].find(one => one.capabilities.answersBySchema !== true)
  if (outputSchema !== null && free !== undefined) {
    throw new AppError('bad_usage', `${free.name} cannot be held to an output schema`, {
      hint: 'codex and claude can, for example: run -a codex --output-schema answer.json',
    })
  }
  if (asks && agent.dialogue === undefined) {
    throw new AppError('bad_usage', `${name} cannot ask while it works`, {
      hint: 'one that can be talked to can, for example: run -a gemini --ask',
    })
  }
  if (asks && oneShot === true && capabilities.oneShot === true) {
    throw new AppError('bad_usage', `${name} cannot ask where it is given its prompt alone`, {
      hint: 'leave out --one-shot, or --ask',
    })
  }
  if (budget?.kind === 'usd' && !capabilities.saysCost) {
    throw new AppError('bad_usage', `${name} does not say what it costs`, {
      hint: 'set its budget in tokens, for example: --budget 2Mtok',
    })
  }
  const odd = fallback.find(one => !one.capabilities.takesPrompt || one.name === name)
  if (odd === undefined && (capabilities.takesPrompt || fallback.length === 0)) return
  throw new AppError('bad_usage', `--fallback ${odd?.name ?? ''} cannot go on for ${name}`)
}

/** The store in which the task is that asks is another one. */
function callerUnknown(): AppError {
  return new AppError(
    'refused_in_state',
    '--with-caller: the task that asks is not in this store',
    {
      hint: 'without --with-caller it outlives whoever asks',
    },
  )
}

/** The task whose agent asks. One of another store is a label like any other. */
export async function findParent(caller: Caller, store: Store): Promise<Task | undefined> {
  if (caller.kind !== 'task' || caller.id === null) return undefined
  return await store.findTask(caller.id as TaskId)
}

/** All that was asked, less who asks: the same key for anything else is a mistake. */
async function identify(
  submission: Submission,
  { worktrees, hash }: PlanPorts,
): Promise<Idempotency | null> {
  const { idempotencyKey: key, agent, prompt, caller, callerEnvironment, ...rest } = submission
  const { bounds, setUp, fallback, notify, tie, memoryBytes, oneShot: _, ...more } = rest
  const { member, verify, review: __, source, ...asked } = more
  if (key === null || (member !== undefined && member.name !== member.all[0])) return null
  // Handed in again by another process, it is the same request.
  const kinds = tie == null ? [] : [`ends with a ${tie.kind}`]
  const limits = memoryBytes == null ? [] : [`memory ${memoryBytes}`]
  const group = member === undefined ? [] : [`group ${member.all.join(' ')}`]
  const { commonDir } = source?.repo ?? (await worktrees.openCheckout(caller.directory)).place
  const said = Buffer.from(prompt).toString('latin1')
  return {
    key,
    fingerprint: hash(
      JSON.stringify([
        agent.name,
        said,
        commonDir,
        asked,
        fallback.map(one => one.name),
        ...kinds,
        ...limits,
        ...group,
        ...identifyVerify(verify ?? null),
      ]),
    ),
  }
}

/** What the repository names is no more of the request than what it is set up with. */
function identifyVerify(wish: VerifyWish | null): readonly unknown[] {
  if (wish === null) return ['no verification']
  const { argv, limitMs } = wish
  if (argv === null) return limitMs === null ? [] : [{ limitMs }]
  return [{ argv, limitMs: limitMs ?? VERIFY_LIMIT_MS }]
}
