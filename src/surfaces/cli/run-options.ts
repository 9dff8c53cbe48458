/** The flags of `run` that say where, when and under which name: read and checked. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { MAX_FAILURES_IN_ROW } from '../../domain/backoff.ts'
import { type Budget, parseBudget } from '../../domain/budget.ts'
import { type Configuration, configuredStallMs } from '../../domain/configuration.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import { findNameProblem, type TaskId } from '../../domain/ids.ts'
import { TARGETS } from '../../domain/notify-target.ts'
import { STALL_MS } from '../../domain/stall.ts'
import type { Place } from '../../engine/choose-workplace.ts'
import type { Submission } from '../../engine/submit.ts'
import type { Agent } from '../../ports/agent.ts'
import { changeScopes } from '../../ports/worktrees.ts'
import { chooseSubscriptions } from '../subscriptions.ts'
import type { CommandContext, FlagValues } from './command.ts'
import { requireTask } from './find-task.ts'
import { parseChoice, parseCount, parseDuration, parseTimeout } from './flags.ts'
import { whoByDefault } from './hand-in-ports.ts'

export const runOptions = {
  name: { about: 'what to call it (default: the first words of the prompt)', value: 'NAME' },
  base: { about: 'start from this commit, without uncommitted changes', value: 'REF' },
  changes: {
    about: 'which uncommitted changes come along: all, tracked or none (default: all)',
    value: 'WHICH',
  },
  inPlace: { about: 'work in this very directory, not in a worktree' },
  worktree: { about: 'work in the worktree of this name, which stays; made if new', value: 'NAME' },
  after: { about: 'start once these tasks have succeeded (separated by commas)', value: 'TASK' },
  priority: { about: 'of queued tasks, larger goes first (-100 to 100, default 0)', value: 'N' },
  timeout: { about: 'end it after so much working time, for example 90m', value: 'DURATION' },
  maxFailures: { about: 'give up after so many failures in a row (default 8)', value: 'N' },
  stall: {
    about: 'how long it may be silent and idle until it is interrupted (default 10m)',
    value: 'DURATION',
  },
  budget: { about: 'stop when it has used so much: 5usd, 2Mtok', value: 'AMOUNT' },
  fallback: {
    about: 'agents that go on, one after the other, where an account is used up',
    value: 'AGENTS',
  },
  outputSchema: {
    about: 'a file with the JSON Schema that the final answer is to fit',
    value: 'FILE',
  },
  ask: { about: 'let the agent ask before it edits or runs anything (ACP)' },
  notify: {
    about: `tell them what becomes of it; may be given several times: ${TARGETS}`,
    value: 'TARGET',
    repeats: true,
  },
  idempotencyKey: { about: 'handed in twice under one key, it is one task', value: 'KEY' },
} as const

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
>

/** Refuses what contradicts itself, and tasks that are not there. */
export async function readOptions(
  flags: FlagValues<typeof runOptions> & { readonly wait?: boolean },
  configuration: Configuration,
  context: CommandContext,
): Promise<Options> {
  if (flags.name !== undefined) requireName(flags.name, 'name')
  return {
    name: flags.name ?? null,
    place: readPlace(flags),
    changes:
      flags.changes === undefined ? 'all' : parseChoice(flags.changes, 'changes', changeScopes),
    revision: flags.base ?? null,
    priority: flags.priority === undefined ? 0 : parsePriority(flags.priority),
    after: await findTasks(flags.after, context),
    timeoutMs: flags.timeout === undefined ? null : parseTimeout(flags.timeout),
    idempotencyKey: flags.idempotencyKey ?? null,
    notify: chooseSubscriptions(flags.notify, configuration, {
      directory: context.directory,
      defaults: await whoByDefault(flags, context),
    }),
    asks: flags.ask === true,
    outputSchema:
      flags.outputSchema === undefined
        ? null
        : await readOutputSchema(resolve(context.directory, flags.outputSchema)),
    stallMs:
      flags.stall === undefined
        ? (configuredStallMs(configuration) ?? STALL_MS)
        : parseStall(flags.stall),
    maxFailures:
      flags.maxFailures === undefined
        ? MAX_FAILURES_IN_ROW
        : requirePositive(parseCount(flags.maxFailures, 'max-failures'), 'max-failures'),
    budget: flags.budget === undefined ? null : requireBudget(flags.budget),
    fallback: await findAgents(flags.fallback, context),
  }
}

function readPlace(flags: FlagValues<typeof runOptions>): Place {
  const { inPlace, worktree, base, changes } = flags
  if (inPlace !== undefined && worktree !== undefined) {
    throw new AppError('bad_usage', '--in-place and --worktree name two places')
  }
  if (inPlace !== undefined) {
    const other = base === undefined ? changes && '--changes' : '--base'
    if (other !== undefined) {
      throw new AppError(
        'bad_usage',
        `--in-place works on what is there: ${other} does not go with it`,
      )
    }
    return { kind: 'in_place' }
  }
  if (worktree === undefined) return { kind: 'own' }
  requireName(worktree, 'worktree')
  return { kind: 'named', name: worktree }
}

function requireName(name: string, flag: string): void {
  const problem = findNameProblem(name)
  if (problem === null) return
  throw new AppError('bad_usage', `--${flag} "${name}" is no name: ${problem}`)
}

function parsePriority(text: string): number {
  const priority = /^-?\d{1,3}$/.test(text) ? Number(text) : Number.NaN
  if (Math.abs(priority) <= 100) return priority
  throw new AppError('bad_usage', `--priority ${text} is no whole number from -100 to 100`)
}

function parseStall(text: string): number {
  return requirePositive(parseDuration(text, 'stall'), 'stall')
}

function requirePositive(number: number, flag: string): number {
  if (number > 0) return number
  throw new AppError('bad_usage', `--${flag} 0 would end it before it begins`)
}

/** The value of `--budget`. */
export function requireBudget(text: string): Budget {
  const budget = parseBudget(text)
  if (budget !== undefined) return budget
  throw new AppError('bad_usage', `--budget ${text} is no amount`, {
    hint: 'for example 5usd, 500ktok or 2Mtok',
  })
}

async function findAgents(
  list: string | undefined,
  { holdfast }: CommandContext,
): Promise<readonly Agent[]> {
  const names = new Set(list?.split(',').map(name => name.trim()))
  return await Promise.all([...names].map(name => holdfast.agent(name)))
}

async function findTasks(
  list: string | undefined,
  { holdfast }: CommandContext,
): Promise<readonly TaskId[]> {
  const ids = new Set<TaskId>()
  for (const reference of list?.split(',') ?? []) {
    const task = await requireTask(await holdfast.store(), reference.trim())
    ids.add(task.request.id)
  }
  return [...ids]
}

/** One argument of a program may be no longer than 128 KiB. */
const MOST_SCHEMA_BYTES = 100_000

async function readOutputSchema(path: string): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new AppError('bad_usage', `the output schema ${path} ${why}`, {
      hint: 'a JSON Schema, for example: {"type":"object","properties":{"ok":{"type":"boolean"}}}',
      cause,
    })
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw refuse(`cannot be read: ${messageOf(cause)}`, cause)
  }
  let schema: unknown
  try {
    schema = JSON.parse(text)
  } catch (cause) {
    throw refuse(`is no JSON: ${messageOf(cause)}`, cause)
  }
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw refuse('is no object')
  }
  const json = JSON.stringify(schema)
  if (Buffer.byteLength(json) <= MOST_SCHEMA_BYTES) return json
  throw refuse(`is longer than ${MOST_SCHEMA_BYTES} bytes`)
}
