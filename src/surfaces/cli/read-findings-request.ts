/** The findings of a review as what is asked: by `run`, of whom; by `send`, of a task. */
import { type Configuration, configuredAgent } from '../../domain/configuration.ts'
import { readFindings } from '../review/read-findings.ts'
import { firstReadyAgent } from '../submit.ts'
import type { CommandContext } from './command.ts'
import { readWords, type Typed } from './read-request.ts'

/** As `--findings` and `--only` say. */
interface Chosen {
  readonly findings: string
  readonly only?: string | undefined
}

/** An agent's name may stand first; one text more is what the caller says besides. */
export async function readFindingsRequest(
  { flags, words, verbatim }: Typed,
  chosen: Chosen,
  configuration: Configuration,
  context: CommandContext,
): Promise<{ agentName: string; prompt: Uint8Array; argv: readonly string[] }> {
  const names = await context.holdfast.agentNames()
  const [first = ''] = words
  const named = flags.agent === undefined && names.includes(first) ? first : undefined
  const rest = { flags, words: named === undefined ? words : words.slice(1), verbatim }
  const example = 'holdfast run --findings REVIEW "leave the tests as they are"'
  const prompt = await readFindingsText(rest, chosen, example, context)
  return {
    agentName:
      flags.agent ?? named ?? configuredAgent(configuration) ?? (await firstReadyAgent(context)),
    prompt,
    argv: [],
  }
}

/** With one text more beside them, from wherever a prompt may come; without one, stdin is not read. */
export async function readFindingsText(
  typed: Parameters<typeof readWords>[0],
  chosen: Chosen,
  example: string,
  context: CommandContext,
): Promise<Uint8Array> {
  const { flags, words, verbatim = [] } = typed
  const isMore = words.length > 0 || verbatim.length > 0 || flags.promptFile !== undefined
  const said = isMore ? new TextDecoder().decode(await readWords(typed, example, context)) : ''
  return new TextEncoder().encode(await readFindings(chosen, said, context))
}
