/** Codex, one-shot and headless: `codex exec --json`, the prompt on stdin. */
import { AppError } from '../../domain/errors.ts'
import { stricterMode } from '../../domain/permissions.ts'
import type { Agent, LaunchRequest } from '../../ports/agent.ts'
import {
  codexHome,
  findCodexAccount,
  findConfiguredMode,
  lookAtLogin,
  readConfiguration,
} from '../codex-configuration.ts'
import { codexOwnHome } from '../codex-home.ts'
import { CODEX_IDLING } from '../codex-idling.ts'
import { INSTRUCTIONS_ROOM, promptFor } from '../instructions.ts'
import { askLogin, findCodex, lookForCodex } from './installation.ts'
import { judge } from './judge.ts'
import { codexKeptSessions } from './kept-sessions.ts'
import { readSessionUsage } from './session-usage.ts'
import { codexTranslator } from './translate.ts'

/** Short names that people use for models. */
const MODEL_ALIASES: Readonly<Record<string, string>> = { spark: 'gpt-5.3-codex-spark' }

const SANDBOXES = { 'read-only': 'read-only', workspace: 'workspace-write' } as const

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
    idling: CODEX_IDLING,
  },
  testedVersion: '0.169.0',
  translator: codexTranslator,

  async findInstallation(environment) {
    const installation = await findCodex(environment)
    const login = await lookAtLogin(await readConfiguration(environment), environment)
    if (login === 'present') return installation
    if (login !== 'unknown') throw missingKey(login.missingKey)
    const asked = await askLogin(installation, environment)
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

  async findAccount(environment) {
    return await findCodexAccount(await readConfiguration(environment), environment)
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

  planLaunch(request) {
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

/**
 * By `-c` alone, since `exec resume` knows no `--sandbox` and no `--add-dir`. Each attempt names its
 * mode: a resumed thread runs under the mode of its resume, not of its start (tried: 0.169.0).
 */
function permissionArguments(request: Held): readonly string[] {
  const sandbox = uiPermissionArguments(request)
  return request.permissions.effective === 'full'
    ? sandbox
    : [...sandbox, ...setting('approval_policy', tomlString('never'))]
}

type Held = Pick<LaunchRequest, 'permissions' | 'workingDirectory' | 'worktree'>

/** Whom it asks, before it does what its sandbox forbids, is the user's own setting. */
function uiPermissionArguments(request: Held): readonly string[] {
  const mode = request.permissions.effective
  if (mode === 'full') return ['--dangerously-bypass-approvals-and-sandbox']
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
