/** The flags of `run` that say where, when and under which name. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { AppError, messageOf } from '../../domain/errors.ts'
import { TARGETS } from '../../domain/notify-target.ts'
import { changeScopes } from '../../ports/worktrees.ts'
import { type OptionWishes, requireSchema } from '../settle-options.ts'
import type { CommandContext, FlagValues } from './command.ts'
import { parseChoice, parseCount, parseDuration, parseTimeout } from './flags.ts'

export const runOptions = {
  name: { about: 'what to call it (default: the first words of the prompt)', value: 'NAME' },
  base: { about: 'start from this commit, without uncommitted changes', value: 'REF' },
  changes: {
    about:
      'which uncommitted changes come along: all, tracked or none (default: all; none with --base)',
    value: 'WHICH',
    choices: changeScopes,
  },
  inPlace: { about: 'work in this very directory, not in a worktree' },
  worktree: { about: 'work in the worktree of this name, which stays; made if new', value: 'NAME' },
  after: {
    about: 'start once these tasks, or all of a group, have succeeded (separated by commas)',
    value: 'TASK',
  },
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
  verify: {
    about:
      'a command that looks at its work when it is done, without a shell; if that fails the agent has one more turn (default: what the repository names)',
    value: 'COMMAND',
  },
  noVerify: { about: 'verify nothing, whatever the repository names' },
  verifyTimeout: {
    about: 'how long that may take (default: `verifySeconds`, else 30m)',
    value: 'DURATION',
  },
  ask: { about: 'let the agent ask before it edits or runs anything' },
  notify: {
    about: `tell them what becomes of it; may be given several times: ${TARGETS}`,
    value: 'TARGET',
    repeats: true,
  },
  idempotencyKey: { about: 'handed in twice under one key, it is one task', value: 'KEY' },
} as const

/** Refuses what cannot be read. */
export async function readOptions(
  flags: FlagValues<typeof runOptions>,
  { directory }: CommandContext,
): Promise<OptionWishes> {
  const { changes, priority, timeout, maxFailures, stall, outputSchema, verifyTimeout } = flags
  return {
    name: flags.name,
    base: flags.base,
    changes: changes === undefined ? undefined : parseChoice(changes, 'changes', changeScopes),
    inPlace: flags.inPlace,
    worktree: flags.worktree,
    after: splitList(flags.after),
    priority: priority === undefined ? undefined : parsePriority(priority),
    timeoutMs: timeout === undefined ? undefined : parseTimeout(timeout),
    maxFailures: maxFailures === undefined ? undefined : parseCount(maxFailures, 'max-failures'),
    stallMs: stall === undefined ? undefined : parseDuration(stall, 'stall'),
    budget: flags.budget,
    fallback: splitList(flags.fallback),
    outputSchema:
      outputSchema === undefined
        ? undefined
        : await readOutputSchema(resolve(directory, outputSchema)),
    asks: flags.ask,
    notify: flags.notify,
    idempotencyKey: flags.idempotencyKey,
    verify: readVerify(flags),
    verifyTimeoutMs:
      verifyTimeout === undefined ? undefined : parseDuration(verifyTimeout, 'verify-timeout'),
  }
}

function readVerify({ verify, noVerify }: FlagValues<typeof runOptions>) {
  if (noVerify !== true) return verify
  if (verify === undefined) return false
  throw new AppError('bad_usage', '--verify and --no-verify exclude each other')
}

function splitList(list: string | undefined): readonly string[] | undefined {
  return list?.split(',').map(word => word.trim())
}

function parsePriority(text: string): number {
  if (/^-?\d{1,3}$/.test(text)) return Number(text)
  throw new AppError('bad_usage', `--priority ${text} is no whole number from -100 to 100`)
}

async function readOutputSchema(path: string): Promise<string> {
  const what = `the output schema ${path}`
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new AppError('bad_usage', `${what} cannot be read: ${messageOf(cause)}`, { cause })
  }
  let schema: unknown
  try {
    schema = JSON.parse(text)
  } catch (cause) {
    throw new AppError('bad_usage', `${what} is no JSON: ${messageOf(cause)}`, { cause })
  }
  return requireSchema(schema, what)
}
