/** The pinned agents that speak the Agent Client Protocol, each with a home of its own. */
import { renameSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeClaudeHome } from '../../src/demo/scripted-model/claude-home.ts'
import { writeCodexHome } from '../../src/demo/scripted-model/codex-home.ts'
import { writeGeminiHome } from '../../src/demo/scripted-model/gemini-home.ts'
import { writeOpenCodeHome } from '../../src/demo/scripted-model/opencode-home.ts'
import type { Scene } from './alone.ts'

export interface Command {
  readonly argv: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** What must be done before a session can be loaded. */
  readonly beforeLoad?: () => Promise<void>
}

export const commands: Readonly<Record<string, (scene: Scene) => Promise<Command>>> = {
  'claude-agent-acp': async ({ home, model }) => ({
    argv: [(await ensureAgent('claude-acp')).bin],
    environment: {
      ...(await writeClaudeHome(home, model.origin)),
      CLAUDE_CODE_EXECUTABLE: (await ensureAgent('claude')).bin,
    },
  }),
  'codex-acp': async ({ home, model }) => ({
    argv: [(await ensureAgent('codex-acp')).bin],
    environment: {
      ...(await writeCodexHome(home, model.url)),
      CODEX_PATH: (await ensureAgent('codex')).bin,
    },
  }),
  opencode: async ({ home, model }) => ({
    argv: [(await ensureAgent('opencode')).bin, 'acp'],
    environment: await writeOpenCodeHome(home, model.url, { permission: { bash: 'ask' } }),
  }),
  gemini: async ({ home, model }) => ({
    argv: [(await ensureAgent('gemini')).bin, '--acp'],
    environment: await writeGeminiHome(home, model.origin),
    beforeLoad: () => datedEarlier(home),
  }),
}

/**
 * Gemini CLI names a session's file after the minute, and to load the session begins such a file:
 * within the same minute it is the same one, and its history is lost.
 */
async function datedEarlier(home: string): Promise<void> {
  for await (const file of glob(join(home, '.gemini/tmp/*/chats/session-*.jsonl'))) {
    renameSync(file, file.replace(/session-\d{4}/, 'session-2001'))
  }
}
