/**
 * Codex, headless: over its app-server, which is talked to while it works, or one-shot
 * (`codex exec --json`, the prompt on stdin).
 */
import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import { type PermissionMode, stricterMode } from '../../domain/permissions.ts'
import type {
  Agent,
  AgentInstallation,
  AgentLaunch,
  LaunchRequest,
  OwnPlaces,
} from '../../ports/agent.ts'
import {
  codexHome,
  findCodexAccount,
  findConfiguredMode,
  lookAtLogin,
  readConfiguration,
} from '../codex-configuration.ts'
import { codexOwnHome } from '../codex-home.ts'
import { CODEX_IDLING } from '../codex-idling.ts'
import { askLogin, requireUsable } from '../installation.ts'
import { INSTRUCTIONS_ROOM, promptFor } from '../instructions.ts'
import { wordsOf } from '../plain-words.ts'
import { isOlder } from '../versions.ts'
import { writeBrief } from './app-server/brief.ts'
import { codexDialogue } from './app-server/speak.ts'
import { lookForCodex } from './installation.ts'
import { judge } from './judge.ts'
import { codexKeptSessions } from './kept-sessions.ts'
import { SANDBOXES } from './sandboxes.ts'
import { readSessionUsage } from './session-usage.ts'
import { codexTranslator } from './translate.ts'

/** Short names that people use for models. */
const MODEL_ALIASES: Readonly<Record<string, string>> = { spark: 'gpt-5.3-codex-spark' }

/**
 * The oldest whose app-server was tried: it takes messages in mid-turn, and says back what it was
 * told. An older one is run one-shot. Tried: 0.163.0, 0.169.0.
 */
export const DIALOGUE_VERSION = '0.163.0'

/** Codex refuses a longer input (0.169.0: `input_too_large`, in characters). */
const INPUT_LIMIT = 1_048_576

export const codex: Agent = {
  name: 'codex',
  capabilities: {
    continues: 'session',
    // SIGINT ends Codex and its tools; SIGTERM leaves the tools alive (tried with 0.169.0).
    gracefulSignal: 'SIGINT',
    takesPrompt: true,
    promptLimit: INPUT_LIMIT - INSTRUCTIONS_ROOM,
    usageCounts: 'session',
    saysCost: false,
    answersBySchema: true,
    oneShot: true,
    idling: CODEX_IDLING,
  },
  testedVersion: '0.169.0',
  translator: codexTranslator,

  async findInstallation(environment) {
    const installation = requireUsable(await lookForCodex(environment))
    const login = await lookAtLogin(await readConfiguration(environment), environment)
    if (login === 'present') return installation
    if (login !== 'unknown') throw missingKey(login.missingKey)
    const asked = await askLogin(installation, ['login', 'status'], environment)
    // No answer is no proof that it is logged out: then the attempt itself will tell.
    if (asked === undefined || asked.ok) return installation
    throw new AppError('agent_logged_out', `codex login status: ${asked.words}`, {
      hint: 'codex login',
    })
  },

  async look(environment) {
    const { installation, trouble } = await lookForCodex(environment)
    const login = await lookAtLogin(await readConfiguration(environment), environment)
    // Codex is not asked: that would start it.
    if (typeof login === 'string') return { installation, login, trouble }
    return { installation, login: 'missing', trouble: trouble ?? missingKey(login.missingKey) }
  },

  async settlePermissions(asked, environment) {
    const configured = findConfiguredMode(await readConfiguration(environment))
    const effective = stricterMode(asked, configured ?? asked)
    return { asked, effective, enforcedBy: effective === 'full' ? 'none' : 'agent' }
  },

  // Seen with 0.169.0: a command that its sandbox stops is run again without it, if it was allowed; an
  // edit that is allowed is made wherever it is.
  asksBeyondItsConfinement: true,

  async findAccount(environment) {
    return await findCodexAccount(await readConfiguration(environment), environment)
  },

  // What its own reviewer would be asked with.
  async findReviewModel(environment) {
    return (await readConfiguration(environment)).review_model
  },

  async readUsage(session, environment) {
    return readSessionUsage(session, codexHome(environment))
  },

  // A thread runs wherever it is resumed (tried: 0.169.0).
  async planSessionMove() {
    return { kind: 'moves', carry: async () => undefined }
  },

  ownHome: codexOwnHome,

  keptSessions: codexKeptSessions,
  interactive: session => ['codex', 'resume', session],

  ui: {
    holdsPermissions: true,
    planLaunch(request) {
      const { installation, session, model, effort, environment } = request
      return {
        argv: [
          installation.program,
          ...installation.leadingArguments,
          ...(session === null ? [] : ['resume', session]),
          ...uiPermissionArguments(request),
          ...modelArguments(model, effort),
        ],
        environment: { ...environment, ...installation.environment },
      }
    },
  },

  dialogue: codexDialogue,

  planLaunch(request) {
    const { installation, oneShot, asks } = request
    if (oneShot !== true && canTalk(installation)) return planDialogue(request)
    if (!asks) return planOneShot(request)
    throw new AppError(
      'agent_too_old',
      `codex ${installation.version ?? 'of an unknown version'} cannot ask while it works`,
      { hint: `install ${DIALOGUE_VERSION} or newer, or leave out --ask` },
    )
  },

  judge,
}

function missingKey(name: string): AppError {
  return new AppError('agent_logged_out', `codex needs ${name} in the environment`, {
    hint: `export ${name}=…`,
  })
}

function modelArguments(model: string | null, effort: string | null): readonly string[] {
  return [
    ...(model === null ? [] : ['-m', MODEL_ALIASES[model] ?? model]),
    ...(effort === null ? [] : setting('model_reasoning_effort', tomlString(effort))),
  ]
}

function canTalk({ version }: AgentInstallation): boolean {
  return version !== null && !isOlder(version, DIALOGUE_VERSION)
}

/** What is said to it comes later, by its `dialogue`. */
function planDialogue(request: LaunchRequest): AgentLaunch {
  const { installation, mode, model, outputSchema, asks } = request
  const { effective, enforcedBy } = request.permissions
  // Within the system's confinement it needs none of its own.
  const sandbox = enforcedBy === 'system' ? 'full' : effective
  return {
    argv: [
      installation.program,
      ...installation.leadingArguments,
      'app-server',
      ...unattended(request, sandbox),
      ...(enforcedBy === 'system' ? setting('sqlite_home', tomlString(CONFINED_DATABASES)) : []),
    ],
    environment: { ...request.environment, ...installation.environment },
    stdin: new Uint8Array(),
    ...(enforcedBy === 'system' && { own: confinedPlaces(codexHome(request.environment)) }),
    brief: writeBrief({
      session: mode.kind === 'resume' ? mode.session : null,
      prompt: wordsOf(promptFor(request)),
      permissions: effective,
      sandbox,
      asks,
      directory: request.workingDirectory,
      model: model === null ? null : (MODEL_ALIASES[model] ?? model),
      effort: request.effort,
      outputSchema: outputSchema === undefined ? null : JSON.parse(outputSchema.json),
    }),
  }
}

/** Of the attempt alone: Codex makes its databases anew from its sessions. */
const CONFINED_DATABASES = '/tmp'

/** Codex opens it to write, and does not start where it cannot (seen with 0.169.0); there is a number in it. */
const INSTALLATION = 'installation_id'

/** It writes down its sessions; its login, its settings, and what its other sessions obey, it can only read. */
function confinedPlaces(home: string): OwnPlaces {
  const login = join(home, 'auth.json')
  return {
    // In a home for one worktree it is a link.
    readable: existsSync(login) ? [login, realpathSync(login)] : [login],
    writable: [join(home, INSTALLATION)],
    made: ['sessions', 'thread-writer-locks'].map(name => join(home, name)),
    loose: [{ path: home, locks: [INSTALLATION] }],
  }
}

function planOneShot(request: LaunchRequest): AgentLaunch {
  const { installation, mode, model, effort, outputSchema } = request
  return {
    argv: [
      installation.program,
      ...installation.leadingArguments,
      ...(mode.kind === 'resume' ? ['exec', 'resume', '--json'] : ['exec', '--json']),
      ...permissionArguments(request),
      ...modelArguments(model, effort),
      ...(outputSchema === undefined ? [] : ['--output-schema', outputSchema.file]),
      ...(mode.kind === 'resume' ? [mode.session] : []),
      '-', // The prompt comes from stdin.
    ],
    environment: { ...request.environment, ...installation.environment },
    stdin: promptFor(request),
  }
}

type Held = Pick<LaunchRequest, 'permissions' | 'workingDirectory' | 'worktree'>

function permissionArguments(request: Held): readonly string[] {
  const { effective } = request.permissions
  return effective === 'full' ? uiPermissionArguments(request) : unattended(request, effective)
}

/** Whom it asks, before it does what its sandbox forbids, is the user's own setting. */
function uiPermissionArguments(request: Held): readonly string[] {
  const { effective } = request.permissions
  return effective === 'full'
    ? ['--dangerously-bypass-approvals-and-sandbox']
    : sandboxArguments(request, effective)
}

const unattended = (request: Held, mode: PermissionMode): readonly string[] => [
  ...sandboxArguments(request, mode),
  ...setting('approval_policy', tomlString('never')),
]

/**
 * By `-c` alone, since `exec resume` knows no `--sandbox` and no `--add-dir`, and the app-server none
 * of them. Each attempt names its mode: a resumed thread runs under the mode of its resume, not of its
 * start (tried: 0.169.0).
 */
function sandboxArguments(request: Held, mode: PermissionMode): readonly string[] {
  const plain = setting('sandbox_mode', tomlString(SANDBOXES[mode]))
  // Codex lets it write below its working directory; the workspace is the whole worktree. What the
  // user's own configuration adds to the roots is replaced by this: narrower, never wider.
  return mode === 'workspace' && request.workingDirectory !== request.worktree
    ? [
        ...plain,
        ...setting('sandbox_workspace_write.writable_roots', `[${tomlString(request.worktree)}]`),
      ]
    : plain
}

function setting(key: string, tomlValue: string): readonly string[] {
  return ['-c', `${key}=${tomlValue}`]
}

/** A TOML basic string. JSON's escapes are all TOML's too, but TOML also wants U+007F escaped. */
export function tomlString(text: string): string {
  return JSON.stringify(text.toWellFormed()).replaceAll('\u007f', '\\u007f')
}
