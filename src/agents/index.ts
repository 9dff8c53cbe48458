import type { Agent } from '../ports/agent.ts'

/** The agents that take a prompt, by name; each is loaded only when it is asked for. */
export const promptAgents = {
  codex: async () => (await import('./codex/agent.ts')).codex,
  claude: async () => (await import('./claude/agent.ts')).claude,
} satisfies Record<string, () => Promise<Agent>>

/** Every agent. */
export const agents = {
  ...promptAgents,
  command: async () => (await import('./command/agent.ts')).command,
} satisfies Record<string, () => Promise<Agent>>
