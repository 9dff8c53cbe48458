/** What `run --findings` asks, and of whom. */
import { type Configuration, configuredAgent } from '../../domain/configuration.ts'
import { AppError } from '../../domain/errors.ts'
import { readFindings } from '../review/read-findings.ts'
import { firstReadyAgent } from '../submit.ts'
import type { CommandContext } from './command.ts'
import type { Typed } from './read-request.ts'

/** An agent's name may stand first; one text more is what the caller says besides. */
export async function readFindingsRequest(
  { flags, words, verbatim = [] }: Typed,
  chosen: { readonly findings: string; readonly only?: string | undefined },
  configuration: Configuration,
  context: CommandContext,
): Promise<{ agentName: string; prompt: Uint8Array; argv: readonly string[] }> {
  const names = await context.holdfast.agentNames()
  const [first = ''] = words
  const named = flags.agent === undefined && names.includes(first) ? first : undefined
  const texts = [...(named === undefined ? words : words.slice(1)), ...verbatim]
  if (texts.length > 1 || flags.promptFile !== undefined) {
    throw new AppError('bad_usage', 'with --findings one text more is taken', {
      hint: 'quote it: holdfast run --findings REVIEW "leave the tests as they are"',
    })
  }
  const prompt = await readFindings(chosen, texts[0] ?? '', context)
  return {
    agentName:
      flags.agent ?? named ?? configuredAgent(configuration) ?? (await firstReadyAgent(context)),
    prompt: new TextEncoder().encode(prompt),
    argv: [],
  }
}
