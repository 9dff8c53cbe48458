/** Who takes part in the matrix: each agent as it is installed and told of the scripted model. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
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
  /** How long its account is used up, if it is waited for. */
  readonly limitMs?: number
  /** It holds its commands by itself, and needs no confinement of the system's around it. */
  readonly confinesItself?: true
  /** Has the user's own settings of it, below the directory of `home`, forbid `touch`; or why not. */
  readonly forbidTouch: ((directory: string) => void) | string
  /** How each case ends, in a few words; or, from `NOT_PLAYED` on, why it is not played. */
  readonly expected: Readonly<Record<CaseName, string>>
}

/** What it is like for those that keep to all of it. */
const SOUND = {
  success: 'succeeded',
  'model error': 'failed: model_error',
  'server error': 'resumed in its session',
  'usage limit': 'parked until the reset, resumed by hand',
  'kill -9': 'resumed in its session',
  cancel: 'cancelled, work kept',
  'deleted worktree': 'failed: worktree_lost',
  'denied permission': 'not done',
  'denied by a rule': 'not done, and told',
  'silent hang': 'interrupted and resumed',
} as const satisfies Record<CaseName, string>

export const NOT_PLAYED = 'not played'

const writeJson = (file: string, content: object) => writeFileSync(file, JSON.stringify(content))

const denyInClaude = (directory: string) =>
  writeJson(join(directory, 'settings.json'), { permissions: { deny: ['Bash(touch *)'] } })

const denyInOpenCode = (directory: string) =>
  changeJson(join(directory, 'opencode.json'), {
    permission: { bash: { '*': 'allow', 'touch *': 'deny' } },
  })

const denyInGemini = (directory: string) => {
  mkdirSync(join(directory, '.gemini', 'policies'))
  writeFileSync(
    join(directory, '.gemini', 'policies', 'deny.toml'),
    '[[rule]]\ntoolName = "run_shell_command"\ncommandPrefix = "touch"\ndecision = "deny"\npriority = 900\n',
  )
}

const denyInCodex = (directory: string) => {
  mkdirSync(join(directory, 'rules'))
  writeFileSync(
    join(directory, 'rules', 'default.rules'),
    'prefix_rule(pattern = ["touch"], decision = "forbidden")\n',
  )
}

function changeJson(file: string, change: object): void {
  writeJson(file, { ...JSON.parse(readFileSync(file, 'utf8')), ...change })
}

export const cast: Readonly<Record<string, Member>> = {
  codex: {
    needs: ['codex'],
    confinesItself: true,
    forbidTouch: denyInCodex,
    home: (directory, { url }) => writeCodexHome(directory, url),
    expected: {
      ...SOUND,
      // It says so to the model and on stderr, and in no event.
      'denied by a rule': 'not done, not told',
    },
  },
  claude: {
    needs: ['claude'],
    forbidTouch: denyInClaude,
    home: (directory, { origin }) =>
      writeClaudeHome(directory, origin, { credential: 'subscription', retries: 1 }),
    limitMs: 12_000,
    expected: { ...SOUND, 'usage limit': 'parked until the reset, resumed by itself' },
  },
  opencode: {
    needs: ['opencode'],
    forbidTouch: denyInOpenCode,
    home: (directory, { url }) => writeOpenCodeHome(directory, url),
    expected: SOUND,
  },
  pi: {
    needs: ['pi'],
    forbidTouch: 'has no rules',
    home: (directory, { url }) => writePiHome(directory, url),
    expected: { ...SOUND, 'denied by a rule': 'has no rules' },
  },
  gemini: {
    needs: ['gemini'],
    forbidTouch: denyInGemini,
    home: (directory, { origin }) => writeGeminiHome(directory, origin),
    expected: {
      ...SOUND,
      'usage limit': 'parked, reset unknown, resumed by hand',
      'denied by a rule': 'not done, not told',
    },
  },
  'claude-acp': {
    needs: ['claude-acp', 'claude'],
    forbidTouch: denyInClaude,
    home: async (directory, { origin }) => ({
      ...(await writeClaudeHome(directory, origin, { credential: 'subscription', retries: 1 })),
      CLAUDE_CODE_EXECUTABLE: (await ensureAgent('claude')).bin,
    }),
    expected: {
      ...SOUND,
      'usage limit': 'parked until its minute, resumed by hand',
      'denied by a rule': 'not done, not told',
    },
  },
  'codex-acp': {
    needs: ['codex-acp', 'codex'],
    confinesItself: true,
    forbidTouch: denyInCodex,
    home: async (directory, { url }) => ({
      ...(await writeCodexHome(directory, url)),
      CODEX_PATH: (await ensureAgent('codex')).bin,
    }),
    expected: {
      ...SOUND,
      'usage limit': 'parked until its minute, resumed by hand',
      'denied by a rule': 'not done, not told',
    },
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

/** The same for several that are to work side by side. */
export async function bringAll(
  names: readonly string[],
  scratch: string,
  path: string,
  model: ScriptedModel,
): Promise<Variables> {
  let all: Variables = { PATH: path }
  for (const name of names) {
    const place = join(scratch, `home-of-${name}`)
    all = { ...all, ...(await bring(name, place, all.PATH ?? '', model)) }
  }
  return all
}

export function requireMember(name: string): Member {
  const member = cast[name]
  if (member === undefined) throw new Error(`${name} takes no part in the matrix`)
  return member
}
