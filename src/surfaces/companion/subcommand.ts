import type { CommandContext } from '../cli/command.ts'
import type { Arguments, Grammar } from './arguments.ts'

export interface Subcommand {
  readonly grammar: Grammar
  /** The exit code. `context` stands in the directory that `--cwd` names. */
  run(given: Arguments, context: CommandContext): Promise<number>
}

/** What a caller got wrong: one sentence on stderr, and exit code 1. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}
