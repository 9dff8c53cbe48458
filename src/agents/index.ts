import type { Agent } from '../ports/agent.ts'

/** Every agent by its name; each is loaded only when it is asked for. */
export const agents = {
  codex: async () => (await import('./codex/agent.ts')).codex,
  command: async () => (await import('./command/agent.ts')).command,
} satisfies Record<string, () => Promise<Agent>>
