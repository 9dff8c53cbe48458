/**
 * The agents that are run over the Agent Client Protocol, as data. What a preset says was tried with
 * the version that it names; those without one are run as their own documentation says. What each
 * does is in `docs/agents/acp.md`.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { SessionId } from '../../domain/ids.ts'
import type { PermissionMode } from '../../domain/permissions.ts'
import type { Idling } from '../../domain/stall.ts'
import type { Environment, OwnHome, OwnPlaces } from '../../ports/agent.ts'
import { nameProject } from '../claude-configuration.ts'
import { codexOwnHome } from '../codex-home.ts'
import { CODEX_IDLING } from '../codex-idling.ts'
import { keepGeminiSession } from './gemini-sessions.ts'

export interface Preset {
  readonly name: string
  /** What is looked for on the PATH, and its arguments. */
  readonly program: string
  readonly arguments: readonly string[]
  readonly testedVersion: string | null
  readonly install: string
  readonly logIn: string
  /** Variables by which it is logged in. */
  readonly keys: readonly string[]
  /** Files that hold a login, below the user's home. */
  readonly logins: readonly string[]
  /** Added to the environment, by what the task may do, and whether it is to ask. */
  readonly environment: (mode: PermissionMode, asks: boolean) => Environment
  /**
   * It confines what it runs by itself, in these modes of its sessions; what it asks for then lies
   * beyond them. Absent: the system does.
   */
  readonly confines?: Readonly<Record<PermissionMode, string>>
  /** The strictest mode that the user's own configuration of it names. Absent: that is not read. */
  readonly configuredMode?: (environment: Environment) => Promise<PermissionMode | null>
  /** The mode of a session that asks nothing, within a confinement. */
  readonly modeUnasked: string | null
  /** The mode of a session that asks. */
  readonly modeAsking: string | null
  /** The way to log in that it wants to be told. */
  readonly login: string | null
  readonly own: (places: Places, directory: string) => OwnPlaces
  /** As the agent's of that name. */
  readonly idling?: Idling
  /** As the agent's of that name. */
  readonly ownHome?: OwnHome
  /** As the agent's of that name. */
  readonly keepSession?: (session: SessionId, places: Places, now: number) => Promise<void>
}

/** Where agents keep what is theirs. */
export interface Places {
  readonly home: string
  readonly config: string
  readonly data: string
  readonly state: string
  readonly cache: string
  readonly environment: Environment
}

export function placesOf(environment: Environment): Places {
  const home = environment.HOME || homedir()
  const place = (name: string, otherwise: string) => environment[name] || join(home, otherwise)
  return {
    home,
    config: place('XDG_CONFIG_HOME', '.config'),
    data: place('XDG_DATA_HOME', '.local/share'),
    state: place('XDG_STATE_HOME', '.local/state'),
    cache: place('XDG_CACHE_HOME', '.cache'),
    environment,
  }
}

const unchanged = () => ({})
const NOTHING = { environment: unchanged, modeUnasked: null, modeAsking: null, login: null }

const geminiDirectory = ({ home, environment }: Places) =>
  join(environment.GEMINI_CLI_HOME || home, '.gemini')

const CODEX_MODES = {
  'read-only': 'read-only',
  workspace: 'workspace-write',
  full: 'agent-full-access',
} as const

export const presets = {
  gemini: {
    ...NOTHING,
    name: 'gemini',
    program: 'gemini',
    arguments: ['--acp'],
    testedVersion: '0.61.0',
    install: 'npm install -g @google/gemini-cli',
    logIn: 'gemini, and log in there; or export GEMINI_API_KEY=…',
    keys: ['GEMINI_API_KEY', 'GOOGLE_API_KEY', 'GOOGLE_GENAI_USE_VERTEXAI', 'GOOGLE_GENAI_USE_GCA'],
    logins: ['.gemini/oauth_creds.json'],
    // It would start itself once more, with more memory: of two processes the second is left over.
    // A worktree is a directory that nobody has trusted yet; the task has.
    environment: () => ({ GEMINI_CLI_NO_RELAUNCH: 'true', GEMINI_CLI_TRUST_WORKSPACE: 'true' }),
    modeUnasked: 'yolo',
    modeAsking: 'default',
    keepSession: (session, places, now) => keepGeminiSession(geminiDirectory(places), session, now),
    own: places => {
      const directory = geminiDirectory(places)
      return {
        readable: [],
        writable: [],
        made: [join(directory, 'tmp'), join(directory, 'history')],
        // Its list of projects, which it finds again by their directories, and the id of this
        // installation, if it has none yet.
        loose: [{ path: directory, locks: ['projects.json.lock'], anew: ['projects.json'] }],
      }
    },
  },
  copilot: {
    ...NOTHING,
    name: 'copilot',
    program: 'copilot',
    arguments: ['--acp'],
    testedVersion: null,
    install: 'npm install -g @github/copilot',
    logIn: 'copilot, and /login there; or export GH_TOKEN=…',
    keys: ['COPILOT_GITHUB_TOKEN', 'GH_TOKEN', 'GITHUB_TOKEN'],
    logins: [],
    own: ({ home }) =>
      ownOf(join(home, '.copilot'), ['session-state', 'logs', 'history-session-state']),
  },
  cursor: {
    ...NOTHING,
    name: 'cursor',
    program: 'cursor-agent',
    arguments: ['acp'],
    testedVersion: null,
    install: 'see https://cursor.com/cli',
    logIn: 'cursor-agent login; or export CURSOR_API_KEY=…',
    keys: ['CURSOR_API_KEY'],
    logins: [],
    own: ({ home, config }) => ({
      readable: [join(config, 'cursor')],
      writable: [],
      made: ['chats', 'projects', 'acp-sessions'].map(name => join(home, '.cursor', name)),
      loose: [{ path: join(home, '.cursor'), locks: [] }],
    }),
  },
  goose: {
    ...NOTHING,
    name: 'goose',
    program: 'goose',
    arguments: ['acp'],
    testedVersion: null,
    install: 'see https://block.github.io/goose',
    logIn: 'goose configure',
    keys: ['GOOSE_PROVIDER'],
    logins: ['.config/goose/config.yaml'],
    own: ({ config, data, state }) => ({
      readable: [join(config, 'goose')],
      writable: [],
      made: [join(data, 'goose', 'sessions'), join(state, 'goose')],
    }),
  },
  qwen: {
    ...NOTHING,
    name: 'qwen',
    program: 'qwen',
    arguments: ['--acp'],
    testedVersion: null,
    install: 'npm install -g @qwen-code/qwen-code',
    logIn: 'qwen, and log in there; or export OPENAI_API_KEY=…',
    keys: ['OPENAI_API_KEY', 'DASHSCOPE_API_KEY'],
    logins: ['.qwen/oauth_creds.json'],
    modeUnasked: 'yolo',
    modeAsking: 'default',
    own: ({ home }) => ownOf(join(home, '.qwen'), ['tmp', 'projects']),
  },
  'claude-acp': {
    ...NOTHING,
    name: 'claude-acp',
    program: 'claude-agent-acp',
    arguments: [],
    testedVersion: '0.49.0',
    install: 'npm install -g @agentclientprotocol/claude-agent-acp',
    logIn: 'claude auth login',
    keys: ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN'],
    logins: ['.claude/.credentials.json'],
    // Without it, Claude Code has no mode that asks nothing where it runs as root.
    environment: mode => (mode === 'full' ? {} : { IS_SANDBOX: '1' }),
    configuredMode: async environment => {
      const { readConfiguration } = await import('../claude-configuration.ts')
      return (await readConfiguration(environment)).mode
    },
    modeUnasked: 'bypassPermissions',
    modeAsking: 'default',
    own: ({ home, environment }, directory) => {
      const { CLAUDE_CONFIG_DIR } = environment
      const config = CLAUDE_CONFIG_DIR || join(home, '.claude')
      return {
        readable: [config, join(CLAUDE_CONFIG_DIR || home, '.claude.json')],
        writable: [],
        // Files in it are obeyed by the session that they are for: those of others stay as they are.
        loose: [{ path: join(config, 'session-env'), locks: [] }],
        made: [join(config, 'projects', nameProject(directory))],
      }
    },
  },
  'codex-acp': {
    ...NOTHING,
    name: 'codex-acp',
    program: 'codex-acp',
    arguments: [],
    testedVersion: '2.6.0',
    install: 'npm install -g @agentclientprotocol/codex-acp',
    logIn: 'codex login',
    keys: ['CODEX_API_KEY', 'OPENAI_API_KEY'],
    logins: ['.codex/auth.json', '.codex/config.toml'],
    // From its first moment on, not only once a session was told.
    environment: (mode, asks) => ({
      INITIAL_AGENT_MODE: CODEX_MODES[asks ? 'read-only' : mode],
    }),
    confines: CODEX_MODES,
    // The only one in which it asks before it edits.
    modeAsking: CODEX_MODES['read-only'],
    configuredMode: async environment => {
      const { findConfiguredMode, readConfiguration } = await import('../codex-configuration.ts')
      return findConfiguredMode(await readConfiguration(environment)) ?? null
    },
    own: () => ({ readable: [], writable: [] }),
    ownHome: codexOwnHome,
    idling: CODEX_IDLING,
  },
  'opencode-acp': {
    ...NOTHING,
    name: 'opencode-acp',
    program: 'opencode',
    arguments: ['acp'],
    testedVersion: '1.18.33',
    install: 'npm install -g opencode-ai',
    logIn: 'opencode auth login',
    keys: ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'OPENROUTER_API_KEY'],
    logins: ['.local/share/opencode/auth.json', '.config/opencode/opencode.json'],
    environment: (_mode, asks) => ({
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      // Of itself it asks nothing. This is laid over the user's own rules.
      ...(asks && { OPENCODE_PERMISSION: JSON.stringify({ edit: 'ask', bash: 'ask' }) }),
    }),
    own: ({ config, data, state, cache, environment }) => ({
      readable: [environment.OPENCODE_CONFIG ?? '', join(data, 'opencode', 'auth.json')].filter(
        path => path !== '',
      ),
      writable: [],
      made: [join(data, 'opencode')],
      loose: [config, state, cache].map(place => ({ path: join(place, 'opencode'), locks: [] })),
    }),
  },
} as const satisfies Readonly<Record<string, Preset>>

/** A directory with settings in it, of which some parts are for sessions. */
function ownOf(directory: string, sessions: readonly string[]): OwnPlaces {
  return {
    readable: [],
    writable: [],
    made: sessions.map(name => join(directory, name)),
    loose: [{ path: directory, locks: [] }],
  }
}
