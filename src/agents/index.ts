import type { Agent } from '../ports/agent.ts'

/** The agents that take a prompt, by name; each is loaded only when it is asked for. */
export const promptAgents = {
  codex: async () => (await import('./codex/agent.ts')).codex,
  claude: async () => (await import('./claude/agent.ts')).claude,
  opencode: async () => (await import('./opencode/agent.ts')).opencode,
  pi: async () => (await import('./pi/agent.ts')).pi,
} satisfies Record<string, () => Promise<Agent>>

/** Every agent. */
export const agents = {
  ...promptAgents,
  command: async () => (await import('./command/agent.ts')).command,
} satisfies Record<string, () => Promise<Agent>>
