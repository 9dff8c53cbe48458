import type { Agent } from '../ports/agent.ts'
import type { presets } from './acp/presets.ts'

/** The agents that take a prompt, by name; each is loaded only when it is asked for. */
export const promptAgents = {
  codex: async () => (await import('./codex/agent.ts')).codex,
  claude: async () => (await import('./claude/agent.ts')).claude,
  opencode: async () => (await import('./opencode/agent.ts')).opencode,
  pi: async () => (await import('./pi/agent.ts')).pi,
  gemini: () => loadAcp('gemini'),
  copilot: () => loadAcp('copilot'),
  cursor: () => loadAcp('cursor'),
  goose: () => loadAcp('goose'),
  qwen: () => loadAcp('qwen'),
  'claude-acp': () => loadAcp('claude-acp'),
  'codex-acp': () => loadAcp('codex-acp'),
  'opencode-acp': () => loadAcp('opencode-acp'),
} satisfies Record<string, () => Promise<Agent>>

async function loadAcp(name: keyof typeof presets): Promise<Agent> {
  const [{ makeAcpAgent }, { presets: all }] = await Promise.all([
    import('./acp/agent.ts'),
    import('./acp/presets.ts'),
  ])
  return makeAcpAgent(all[name])
}

/** Every agent. */
export const agents = {
  ...promptAgents,
  command: async () => (await import('./command/agent.ts')).command,
} satisfies Record<string, () => Promise<Agent>>
