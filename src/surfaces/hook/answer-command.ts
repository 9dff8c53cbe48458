/** Runs a command of the command line, and gives what it says: a hook has no terminal. */
import { AppError } from '../../domain/errors.ts'
import type { Command, CommandContext } from '../cli/command.ts'
import { parseInput } from '../cli/flags.ts'
import type { Output } from '../cli/output.ts'
import type { Answered } from './plugin-command.ts'
import { readTyped } from './read-typed.ts'

const commands: Readonly<Record<Answered, () => Promise<Command>>> = {
  status: async () => (await import('../cli/commands/status.ts')).status as Command,
  result: async () => (await import('../cli/commands/result.ts')).result as Command,
  cancel: async () => (await import('../cli/commands/cancel.ts')).cancel as Command,
  inbox: async () => (await import('../cli/commands/inbox.ts')).inbox as Command,
  setup: async () => (await import('../cli/commands/setup.ts')).setup as Command,
}

/** Never fails by an exit code: what went wrong is in the words. `isTyped`: by a person, not by a model. */
export async function answerCommand(
  verb: Answered,
  typed: string,
  context: CommandContext,
  isTyped: boolean,
): Promise<string> {
  const said: string[] = []
  const output = collect(said)
  const command = await commands[verb]()
  const words = typed.split(/\s+/).filter(word => word !== '')
  try {
    const { holdfast, environment, directory, caller, stdin, version, interrupted, now } = context
    // A model names what it means, and is not made to stand still.
    const input = isTyped ? await readTyped(command, words, context) : parseInput(command, words)
    await command.run(input, {
      ...{ holdfast, environment, directory, caller, stdin, version, interrupted, now },
      output,
      isTyped,
    })
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    output.tell(`holdfast: ${error.message}`)
    if (error.hint !== undefined) output.tell(`  ${error.hint}`)
  }
  return said.join('').trimEnd() || 'nothing'
}

/** Whoever reads it is a person, so the next command to type is said. */
function collect(said: string[]): Output {
  const write = (data: string | Uint8Array) => {
    said.push(typeof data === 'string' ? data : new TextDecoder().decode(data))
  }
  return {
    write,
    writeJson: document => write(`${JSON.stringify(document)}\n`),
    tell: line => write(`${line}\n`),
    stdoutIsTerminal: true,
    style: (_, text) => text,
    link: (_, text) => text,
  }
}
