/** Keeps what is asked, and gives the words by which the model hands it in. */
import { AppError } from '../../domain/errors.ts'
import type { KeptRequest } from '../../domain/kept-request.ts'
import type { CommandContext } from '../cli/command.ts'
import { type Arguments, readArguments, soundsLikeGoingOn } from '../rescue/read-arguments.ts'
import { findTranscript } from '../rescue/read-transcript.ts'
import { ownLine } from './own-command.ts'

/** `problem`: nothing is kept, and this is why. */
export type Taking = { readonly problem: string } | { readonly words: string }

export async function takeRequest(request: KeptRequest, context: CommandContext): Promise<Taking> {
  try {
    return await keep(request, context)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return {
      problem: `holdfast: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`,
    }
  }
}

async function keep(request: KeptRequest, context: CommandContext): Promise<Taking> {
  const { kind, text, plugin } = request
  const read = readArguments(kind, text)
  if (typeof read === 'string') return { problem: `/${plugin}:${kind}: ${read}` }
  if (kind === 'rescue' && read.text === '' && read.resume !== true) {
    const who = request.agent === null ? 'the agent' : agentTitle(request.agent)
    return { problem: `What should ${who} do? Say it after the command: /${plugin}:rescue …` }
  }
  // Where it was typed: the model's command may stand elsewhere.
  const transcript =
    read.source === undefined ? request.transcript : findTranscript(read.source, context)
  const id = await (await context.holdfast.pluginFiles()).keepRequest({ ...request, transcript })
  const line = (choice: 'resume' | 'fresh' | null) =>
    ownLine(context.holdfast.command, { request: id, choice })
  const agent = request.isOfSubagent ? undefined : await agentToAskFor(request, read, context)
  return {
    words:
      agent === undefined
        ? `Holdfast has kept the request, word for word. ${runOnce(line(null))}`
        : askFirst(agentTitle(agent), soundsLikeGoingOn(read.text), line),
  }
}

function runOnce(line: string): string {
  return `Hand it in now: run exactly this one command with the Bash tool, once, as it stands:

${line}

It needs no permission and may take minutes. Then give its output to the user, whole and word for word, and stop. Do not poll, do not look into the task, and do not do its work yourself: whoever asked is told when it ends.`
}

function askFirst(
  agent: string,
  goesOn: boolean,
  line: (choice: 'resume' | 'fresh') => string,
): string {
  const options = [
    { label: `Continue current ${agent} thread`, line: line('resume') },
    { label: `Start a new ${agent} thread`, line: line('fresh') },
  ]
  if (!goesOn) options.reverse()
  const [first, second] = options
  return `Holdfast has kept the request, word for word. This session has a thread of ${agent} that could go on. Ask the user exactly one question with the AskUserQuestion tool, with these two options in this order: "${first?.label} (Recommended)" and "${second?.label}". Where nobody can be asked, take the first.

For "${first?.label}" the command is:

${first?.line}

For "${second?.label}" it is:

${second?.line}

${runOnce('(the one that was chosen)')}`
}

/** The agent whose session could go on, where only the user can say whether it should; undefined: nothing is open. */
async function agentToAskFor(
  { kind, agent }: KeptRequest,
  { resume, agent: named }: Arguments,
  context: CommandContext,
): Promise<string | undefined> {
  if (kind !== 'rescue' || resume !== undefined) return undefined
  const { findResumable } = await import('../rescue/find-resumable.ts')
  return (await findResumable(named ?? agent, context))?.agent
}

const titles: Readonly<Record<string, string>> = {
  codex: 'Codex',
  claude: 'Claude',
  opencode: 'OpenCode',
  pi: 'Pi',
  gemini: 'Gemini',
}

/** As people write it. */
export function agentTitle(agent: string): string {
  return titles[agent] ?? agent
}
