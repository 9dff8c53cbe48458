/** Where, when and under which name a task is to be done: checked, and filled in where nothing is said. */
import { MAX_FAILURES_IN_ROW } from '../domain/backoff.ts'
import { type Budget, parseBudget } from '../domain/budget.ts'
import { splitCommand } from '../domain/command-words.ts'
import { type Configuration, configuredStallMs } from '../domain/configuration.ts'
import { AppError } from '../domain/errors.ts'
import { findNameProblem, type TaskId } from '../domain/ids.ts'
import { STALL_MS } from '../domain/stall.ts'
import type { VerifyWish } from '../engine/choose-verify.ts'
import type { Place } from '../engine/choose-workplace.ts'
import type { Submission } from '../engine/submit.ts'
import type { Agent } from '../ports/agent.ts'
import type { ChangeScope } from '../ports/worktrees.ts'
import type { SurfaceContext } from './context.ts'
import { requireTasks } from './find-task.ts'
import { whoByDefault } from './hand-in-ports.ts'
import { chooseSubscriptions } from './subscriptions.ts'

/** What a caller may say; absent: nothing is said. */
export interface OptionWishes {
  readonly name?: string | undefined
  /** The commit to start from, without uncommitted changes. */
  readonly base?: string | undefined
  readonly changes?: ChangeScope | undefined
  readonly inPlace?: boolean | undefined
  /** The name of a worktree that stays. */
  readonly worktree?: string | undefined
  /** Tasks, or all of a group, that must have succeeded before. */
  readonly after?: readonly string[] | undefined
  readonly priority?: number | undefined
  readonly timeoutMs?: number | undefined
  readonly maxFailures?: number | undefined
  readonly stallMs?: number | undefined
  readonly budget?: string | undefined
  /** Agents that go on where an account is used up. */
  readonly fallback?: readonly string[] | undefined
  /** A JSON Schema, as JSON. */
  readonly outputSchema?: string | undefined
  readonly asks?: boolean | undefined
  /** As `--notify` takes them. */
  readonly notify?: readonly string[] | undefined
  readonly idempotencyKey?: string | undefined
  /**
   * A command in one text, as `splitCommand` reads it, or the words of it. False: none; absent: what the
   * repository names.
   */
  readonly verify?: string | readonly string[] | false | undefined
  /** How long one run of that may take. */
  readonly verifyTimeoutMs?: number | undefined
}

type Options = Pick<
  Submission,
  | 'name'
  | 'place'
  | 'changes'
  | 'revision'
  | 'priority'
  | 'after'
  | 'timeoutMs'
  | 'idempotencyKey'
  | 'notify'
  | 'asks'
  | 'outputSchema'
  | 'stallMs'
  | 'maxFailures'
  | 'budget'
  | 'fallback'
  | 'verify'
>

/** Refuses what contradicts itself, and tasks that are not there. `isAwaited`: the caller stays with it. */
export async function settleOptions(
  wishes: OptionWishes,
  configuration: Configuration,
  isAwaited: boolean,
  context: SurfaceContext,
): Promise<Options> {
  const { name, budget, maxFailures, stallMs, timeoutMs } = wishes
  if (name !== undefined) requireName(name, 'name')
  return {
    name: name ?? null,
    place: settlePlace(wishes),
    changes: wishes.changes ?? (wishes.base === undefined ? 'all' : 'none'),
    revision: wishes.base ?? null,
    priority: requirePriority(wishes.priority ?? 0),
    after: await findTasks(wishes.after ?? [], context),
    timeoutMs: timeoutMs === undefined ? null : requirePositive(timeoutMs, 'timeout'),
    idempotencyKey: wishes.idempotencyKey ?? null,
    notify: chooseSubscriptions(wishes.notify, configuration, {
      directory: context.directory,
      environment: context.environment,
      defaults: await whoByDefault(isAwaited, context),
    }),
    asks: wishes.asks ?? false,
    outputSchema: wishes.outputSchema ?? null,
    stallMs:
      stallMs === undefined
        ? (configuredStallMs(configuration) ?? STALL_MS)
        : requirePositive(stallMs, 'stall'),
    maxFailures:
      maxFailures === undefined
        ? MAX_FAILURES_IN_ROW
        : requirePositive(maxFailures, 'max-failures'),
    budget: budget === undefined ? null : requireBudget(budget),
    fallback: await findAgents(wishes.fallback ?? [], context),
    verify: settleVerify(wishes),
  }
}

function settleVerify({ verify, verifyTimeoutMs }: OptionWishes): VerifyWish | null {
  const limitMs =
    verifyTimeoutMs === undefined ? null : requirePositive(verifyTimeoutMs, 'verify-timeout')
  if (verify === undefined) return { argv: null, limitMs }
  if (verify === false) {
    if (limitMs === null) return null
    throw new AppError('bad_usage', 'a time limit for what verifies, and nothing is to')
  }
  const words = splitCommand(typeof verify === 'string' ? verify : JSON.stringify(verify))
  if ('problem' in words) {
    throw new AppError('bad_usage', `verify ${JSON.stringify(verify)}: ${words.problem}`, {
      hint: `no shell reads it: a program and its arguments, a JSON list of words, or a shell of your own: --verify "sh -c '…'"`,
    })
  }
  return { argv: words.argv, limitMs }
}

function settlePlace({ inPlace, worktree, base, changes }: OptionWishes): Place {
  if (inPlace === true && worktree !== undefined) {
    throw new AppError('bad_usage', 'in place, and in a worktree of a name: these are two places')
  }
  if (inPlace === true) {
    const other = base === undefined ? changes && 'changes' : 'base'
    if (other !== undefined) {
      throw new AppError(
        'bad_usage',
        `in place it works on what is there: ${other} does not go with it`,
      )
    }
    return { kind: 'in_place' }
  }
  if (worktree === undefined) return { kind: 'own' }
  requireName(worktree, 'worktree')
  return { kind: 'named', name: worktree }
}

function requireName(name: string, what: string): void {
  const problem = findNameProblem(name)
  if (problem === null) return
  throw new AppError('bad_usage', `${what} "${name}" is no name: ${problem}`)
}

function requirePriority(priority: number): number {
  if (Number.isInteger(priority) && Math.abs(priority) <= 100) return priority
  throw new AppError('bad_usage', `priority ${priority} is no whole number from -100 to 100`)
}

function requirePositive(number: number, what: string): number {
  if (number > 0) return number
  throw new AppError('bad_usage', `${what} ${number} would end it before it begins`)
}

export function requireBudget(text: string): Budget {
  const budget = parseBudget(text)
  if (budget !== undefined) return budget
  throw new AppError('bad_usage', `budget ${text} is no amount`, {
    hint: 'for example 5usd, 500ktok or 2Mtok',
  })
}

async function findAgents(
  names: readonly string[],
  { holdfast }: SurfaceContext,
): Promise<readonly Agent[]> {
  return await Promise.all([...new Set(names)].map(name => holdfast.agent(name)))
}

/** Of a group, all of its tasks. */
async function findTasks(
  references: readonly string[],
  { holdfast }: SurfaceContext,
): Promise<readonly TaskId[]> {
  if (references.length === 0) return []
  const tasks = await requireTasks(await holdfast.store(), references)
  return tasks.map(({ request }) => request.id)
}

/** One argument of a program may be no longer than 128 KiB. */
const MOST_SCHEMA_BYTES = 100_000

/** A JSON Schema as JSON; `what`: how a refusal names it. */
export function requireSchema(schema: unknown, what = 'the output schema'): string {
  const refuse = (why: string) =>
    new AppError('bad_usage', `${what} ${why}`, {
      hint: 'a JSON Schema, for example: {"type":"object","properties":{"ok":{"type":"boolean"}}}',
    })
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw refuse('is no object')
  }
  // Claude Code (2.1.329) takes the name of a dialect for a schema that it lacks.
  const { $schema: _, ...rest } = schema as { readonly $schema?: unknown }
  const json = JSON.stringify(rest)
  if (Buffer.byteLength(json) <= MOST_SCHEMA_BYTES) return json
  throw refuse(`is longer than ${MOST_SCHEMA_BYTES} bytes`)
}
