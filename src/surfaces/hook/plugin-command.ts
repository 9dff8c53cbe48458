/** The commands and agents of our plugins, as Claude Code names them. */
import { type RequestKind, requestKinds } from '../../domain/kept-request.ts'

/** Those that need no model: what they print is the answer. */
export const answered = ['status', 'result', 'cancel', 'inbox', 'setup'] as const
export type Answered = (typeof answered)[number]

/** A plugin, and the agent that it stands for; null: as configured. */
const plugins: Readonly<Record<string, string | null>> = { holdfast: null, codex: 'codex' }

/** The agents of our plugins: whoever calls one hands a task in. */
const forwarders = ['holdfast:delegate', 'codex:codex-rescue']

export interface PluginCommand {
  readonly plugin: string
  readonly agent: string | null
  readonly verb: Answered | RequestKind
}

const verbs: readonly string[] = [...answered, ...requestKinds]

/** Undefined: it is none of that plugin, which may be of somebody else. */
export function parsePluginCommand(name: string, own: string): PluginCommand | undefined {
  const [plugin = '', verb = '', more] = name.replace(/^\//, '').split(':')
  const agent = plugins[plugin]
  if (plugin !== own || agent === undefined || more !== undefined) return undefined
  return verbs.includes(verb) ? { plugin, agent, verb: verb as PluginCommand['verb'] } : undefined
}

export function isAnswered(verb: PluginCommand['verb']): verb is Answered {
  return (answered as readonly string[]).includes(verb)
}

/** The command that an agent of that plugin stands for. */
export function commandOfForwarder(agentType: string, own: string): PluginCommand | undefined {
  const [plugin = ''] = agentType.split(':')
  if (plugin !== own || !forwarders.includes(agentType)) return undefined
  return { plugin, agent: plugins[plugin] ?? null, verb: 'rescue' }
}
