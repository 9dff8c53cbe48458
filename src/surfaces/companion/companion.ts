/**
 * The command line of the Codex plugin for Claude Code, spoken by Holdfast: the same subcommands,
 * flags, shapes and exit codes, on tasks that outlive their caller. `docs/companion.md` says what
 * differs, and why.
 */
import { AppError } from '../../domain/errors.ts'
import type { CommandContext } from '../cli/command.ts'
import { MissingValue, parseArguments } from './arguments.ts'
import { findCaller } from './caller-session.ts'
import { Refusal, type Subcommand } from './subcommand.ts'
import { usage } from './usage.ts'

const subcommands: Readonly<Record<string, () => Promise<Subcommand>>> = {
  setup: async () => (await import('./setup.ts')).setup,
  review: async () => (await import('./review.ts')).review,
  'adversarial-review': async () => (await import('./adversarial-review.ts')).adversarialReview,
  task: async () => (await import('./task.ts')).task,
  'task-resume-candidate': async () =>
    (await import('./task-resume-candidate.ts')).taskResumeCandidate,
  status: async () => (await import('./status.ts')).status,
  result: async () => (await import('./result.ts')).result,
  cancel: async () => (await import('./cancel.ts')).cancel,
  // Of ours, for ourselves.
  'bring-back': async () => (await import('./bring-back.ts')).bringBack,
  transfer: async () => (await import('./transfer.ts')).transfer,
}

export async function runCompanion(
  [name, ...argv]: readonly string[],
  context: CommandContext,
): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    context.output.write(usage)
    return 0
  }
  try {
    const load = Object.entries(subcommands).find(([known]) => known === name)?.[1]
    if (load === undefined) throw new Refusal(`Unknown subcommand: ${name}`)
    const subcommand = await load()
    const given = parseArguments(argv, subcommand.grammar)
    return await subcommand.run(given, await asCaller(given.values.cwd, context))
  } catch (error) {
    return await refuse(error, context)
  }
}

/** The same, from another directory, and of a caller session. Its parts are made when they are asked for. */
async function asCaller(cwd: string | undefined, context: CommandContext): Promise<CommandContext> {
  const { resolve } = await import('node:path')
  const directory = cwd === undefined ? context.directory : resolve(context.directory, cwd)
  const caller = findCaller(directory, context.environment)
  return Object.create(context, { directory: { value: directory }, caller: { value: caller } })
}

/** In one sentence on stderr, with what to do about it; nothing on stdout. */
async function refuse(error: unknown, context: CommandContext): Promise<number> {
  const { output } = context
  if (error instanceof Refusal || error instanceof MissingValue) {
    output.tell(error.message)
    return 1
  }
  if (!(error instanceof AppError)) throw error
  const { namingSandbox } = await import('../writable-store.ts')
  const { message, hint } = await namingSandbox(error, context)
  output.tell(message)
  if (hint !== undefined) output.tell(`  ${hint}`)
  return 1
}
