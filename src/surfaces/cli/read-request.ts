/** What `run` is asked, of whom: from words, from after `--`, from a file, or from stdin. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Configuration, configuredAgent } from '../../domain/configuration.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import { firstReadyAgent } from '../submit.ts'
import { isTerminal } from '../terminal.ts'
import type { CommandContext } from './command.ts'
import { dashed } from './flags.ts'

/** What was typed. */
export interface Typed {
  readonly flags: {
    readonly agent?: string
    readonly promptFile?: string
    readonly model?: string
    readonly effort?: string
    readonly retryOnCrash?: true
  }
  readonly words: readonly string[]
  /** What stood after `--`. */
  readonly verbatim: readonly string[] | undefined
}

/** Refuses with `bad_usage` or `bad_prompt`; finds the first agent that is ready where none is named. */
export async function readRequest(
  { flags: given, words, verbatim }: Typed,
  configuration: Configuration,
  context: CommandContext,
): Promise<{ agentName: string; prompt: Uint8Array; argv: readonly string[] }> {
  const names = await context.holdfast.agentNames()
  const [first, second] = words
  const namesAgent = given.agent === undefined && first !== undefined && names.includes(first)
  const agentName = namesAgent ? first : given.agent
  const rest = namesAgent ? words.slice(1) : words

  refuseFlagsOfOthers(given, agentName)
  if (agentName === 'command') {
    if (rest.length > 0 || given.promptFile !== undefined) {
      throw new AppError('bad_usage', 'the agent command takes a program after --', {
        hint: 'holdfast run command -- npm test',
      })
    }
    return { agentName, prompt: new Uint8Array(), argv: verbatim ?? [] }
  }
  const saysWhat = second !== undefined || verbatim !== undefined || given.promptFile !== undefined
  if (namesAgent && !saysWhat) {
    throw new AppError('bad_usage', `${first} alone is an agent, not a prompt`, {
      hint: `holdfast run ${first} "…"; to read stdin: run -a ${first} -; the word itself: run -- ${first}`,
    })
  }
  const example = `holdfast run ${namesAgent ? `${first} ` : ''}"fix the failing test"`
  const prompt = await readWords({ flags: given, words: rest, verbatim }, example, context)
  const chosen = agentName ?? configuredAgent(configuration)
  return { agentName: chosen ?? (await firstReadyAgent(context)), prompt, argv: [] }
}

/** What is to be said: one word, what stood after `--`, a file, or stdin. Refuses with `bad_usage`. */
export async function readWords(
  { flags: { promptFile }, words, verbatim }: Pick<Typed, 'flags' | 'words' | 'verbatim'>,
  example: string,
  context: CommandContext,
): Promise<Uint8Array> {
  const sources = [...words, ...(verbatim === undefined ? [] : [verbatim.join(' ')])]
  if (sources.length > 1) {
    throw new AppError('bad_usage', `more than one prompt: "${sources[0]}" and "${sources[1]}"`, {
      hint: `quote the prompt: ${example}`,
    })
  }
  const [text] = sources
  if (text !== undefined && promptFile !== undefined) {
    throw new AppError('bad_usage', 'a prompt was given, and --prompt-file too')
  }
  if (text !== undefined && text !== '-') return await argumentBytes(text, context)
  return promptFile === undefined
    ? await readStdin(example, context)
    : await readPromptFile(resolve(context.directory, promptFile))
}

/** A flag that would do nothing is a mistake. */
function refuseFlagsOfOthers(given: Typed['flags'], agentName: string | undefined): void {
  const isCommand = agentName === 'command'
  const others = isCommand ? (['model', 'effort'] as const) : (['retryOnCrash'] as const)
  const flag = others.find(name => given[name] !== undefined)
  if (flag === undefined) return
  const whom = isCommand ? 'the agent command' : 'any agent but command'
  throw new AppError('bad_usage', `--${dashed(flag)} does nothing for ${whom}`, {
    hint: 'holdfast run --help',
  })
}

/**
 * Node replaces bytes of an argument that are no UTF-8; where it may have, the bytes themselves
 * are taken, so that they are refused by name and not passed on changed.
 */
async function argumentBytes(text: string, { holdfast }: CommandContext): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  if (!text.includes('\uFFFD')) return bytes
  const commandLine = (await holdfast.processes()).ownCommandLine()
  return commandLine === undefined || Buffer.from(commandLine).includes(Buffer.from(bytes))
    ? bytes
    : new Uint8Array([0xff])
}

async function readPromptFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new AppError('bad_usage', `the prompt file cannot be read: ${messageOf(cause)}`, {
      cause,
    })
  }
}

async function readStdin(example: string, { stdin }: CommandContext): Promise<Uint8Array> {
  if (isTerminal(0)) {
    throw new AppError('bad_prompt', 'there is no prompt', {
      hint: `${example}, or --prompt-file F, or a prompt on stdin`,
    })
  }
  const chunks: Buffer[] = []
  for await (const chunk of stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
