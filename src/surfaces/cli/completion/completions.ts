/** What can be typed where, drawn from the definitions of the commands; one form for all shells. */
import type { Command, Flag } from '../command.ts'
import { dashed } from '../flags.ts'

/** What a shell offers for one word. */
export type Offer =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'files' }
  | { readonly kind: 'tasks' }
  | { readonly kind: 'words'; readonly words: readonly string[] }

export interface CompletedFlag {
  /** As it is typed: `--prompt-file`. */
  readonly long: string
  /** `-a`. */
  readonly short: string | null
  readonly about: string
  /** Null: it takes no value. */
  readonly value: Offer | null
}

export interface CompletedCommand {
  readonly name: string
  readonly summary: string
  readonly flags: readonly CompletedFlag[]
  readonly words: Offer
}

/** `agents` are the names of all agents. */
export function makeCompletions(
  commands: readonly Command[],
  agents: readonly string[],
): readonly CompletedCommand[] {
  return commands.flatMap(command => {
    const { summary } = command
    const flags = Object.entries(command.flags).map(([name, flag]) => ({
      long: `--${dashed(name)}`,
      short: flag.short === undefined ? null : `-${flag.short}`,
      about: flag.about,
      value: offerForValue(flag, agents),
    }))
    const help = { long: '--help', short: '-h', about: 'flags and examples', value: null }
    const words = offerForWords(command.usage, agents)
    return [command.name, ...(command.aliases ?? [])].map(name => ({
      name,
      summary,
      flags: [...flags, help],
      words,
    }))
  })
}

function offerForValue(
  { value, choices }: Flag,
  agents: readonly string[],
): CompletedFlag['value'] {
  if (value === undefined) return null
  if (choices !== undefined) return { kind: 'words', words: choices }
  if (/^AGENTS?$/.test(value)) return { kind: 'words', words: agents }
  if (/^(?:TASK|REVIEW)$/.test(value)) return { kind: 'tasks' }
  return { kind: /^(?:FILE|DIR|PATH)$/.test(value) ? 'files' : 'nothing' }
}

/** The usage says it: `cancel TASK…`, `worker start|stop`, `worktree ls | add NAME`, `run AGENT PROMPT`. */
function offerForWords(usage: string, agents: readonly string[]): Offer {
  const ways = usage.replace(/^\S+ ?/, '').split('|')
  const verbs = ways.map(way => way.trim().split(' ', 1)[0] ?? '')
  if (verbs.every(verb => /^[a-z]+$/.test(verb))) return { kind: 'words', words: verbs }
  if (/\bTASK\b/.test(usage)) return { kind: 'tasks' }
  return /^run\b.*\bAGENT\b/.test(usage) ? { kind: 'words', words: agents } : { kind: 'nothing' }
}
