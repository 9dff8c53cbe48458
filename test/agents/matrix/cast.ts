/** Who takes part in the matrix: each agent as it is installed and told of the scripted model. */
import { dirname, join } from 'node:path'
import { ensureAgent, type PinnedAgent } from '../../../src/demo/ensure-agent.ts'
import { writeClaudeHome } from '../../../src/demo/scripted-model/claude-home.ts'
import { writeCodexHome } from '../../../src/demo/scripted-model/codex-home.ts'
import { writeGeminiHome } from '../../../src/demo/scripted-model/gemini-home.ts'
import { writeOpenCodeHome } from '../../../src/demo/scripted-model/opencode-home.ts'
import { writePiHome } from '../../../src/demo/scripted-model/pi-home.ts'
import type { ScriptedModel } from '../../../src/demo/scripted-model/server.ts'
import type { CaseName } from './case-names.ts'

type Variables = Readonly<Record<string, string>>

export interface Member {
  /** What is installed for it. */
  readonly needs: readonly PinnedAgent[]
  readonly home: (directory: string, model: ScriptedModel) => Promise<Variables>
  /** How each case ends, in a few words. */
  readonly expected: Readonly<Record<CaseName, string>>
}

/** What it is like for those that keep to all of it. */
const SOUND = {
  success: 'succeeded',
  'model error': 'failed: model_error',
  'usage limit': 'parked, resumed at the reset',
  'kill -9': 'resumed in its session',
  cancel: 'cancelled, work kept',
  'deleted worktree': 'failed: worktree_lost',
  'denied permission': 'not done',
  'silent hang': 'interrupted and resumed',
} as const satisfies Record<CaseName, string>

export const cast: Readonly<Record<string, Member>> = {
  codex: {
    needs: ['codex'],
    home: (directory, { url }) => writeCodexHome(directory, url),
    // It says the minute of the reset alone.
    expected: { ...SOUND, 'usage limit': 'parked to the minute, resumed by hand' },
  },
  claude: {
    needs: ['claude'],
    home: (directory, { origin }) =>
      writeClaudeHome(directory, origin, { credential: 'subscription', retries: 1 }),
    expected: SOUND,
  },
  opencode: {
    needs: ['opencode'],
    home: (directory, { url }) => writeOpenCodeHome(directory, url),
    expected: SOUND,
  },
  pi: {
    needs: ['pi'],
    home: (directory, { url }) => writePiHome(directory, url),
    expected: SOUND,
  },
  gemini: {
    needs: ['gemini'],
    home: (directory, { origin }) => writeGeminiHome(directory, origin),
    expected: SOUND,
  },
  'claude-acp': {
    needs: ['claude-acp', 'claude'],
    home: async (directory, { origin }) => ({
      ...(await writeClaudeHome(directory, origin, { credential: 'subscription', retries: 1 })),
      CLAUDE_CODE_EXECUTABLE: (await ensureAgent('claude')).bin,
    }),
    expected: SOUND,
  },
  'codex-acp': {
    needs: ['codex-acp', 'codex'],
    home: async (directory, { url }) => ({
      ...(await writeCodexHome(directory, url)),
      CODEX_PATH: (await ensureAgent('codex')).bin,
    }),
    expected: SOUND,
  },
  'opencode-acp': {
    needs: ['opencode'],
    home: (directory, { url }) => writeOpenCodeHome(directory, url),
    expected: SOUND,
  },
}

/** The environment in which an agent is found, and finds the model. */
export async function bring(
  name: string,
  scratch: string,
  path: string,
  model: ScriptedModel,
): Promise<Variables> {
  const { needs, home } = requireMember(name)
  const installed = await Promise.all(needs.map(one => ensureAgent(one)))
  const directories = installed.map(({ bin }) => dirname(bin))
  return {
    ...(await home(join(scratch, 'agent-home'), model)),
    PATH: [...directories, path].join(':'),
  }
}

export function requireMember(name: string): Member {
  const member = cast[name]
  if (member === undefined) throw new Error(`${name} takes no part in the matrix`)
  return member
}
