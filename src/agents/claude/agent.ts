/**
 * Claude Code, headless: `claude -p --output-format stream-json`. It is talked to over its stdin, line
 * by line; or, one-shot, reads its prompt there to the end.
 */
import { join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import { asSessionId, type SessionId } from '../../domain/ids.ts'
import type { Permissions } from '../../domain/permissions.ts'
import type {
  Agent,
  AgentInstallation,
  Environment,
  LaunchRequest,
  OwnPlaces,
} from '../../ports/agent.ts'
import {
  configDirectory,
  findConfiguredMode,
  globalFilePath,
  loginDirectory,
  loginEndsAt,
  lookAtLogin,
  nameAccount,
  nameProject,
  readConfiguration,
} from '../claude-configuration.ts'
import { askLogin, requireUsable } from '../installation.ts'
import { INSTRUCTIONS_ROOM, promptFor } from '../instructions.ts'
import { plainBytes, wordsOf } from '../plain-words.ts'
import { writeBrief } from './dialogue/brief.ts'
import { claudeDialogue } from './dialogue/speak.ts'
import { canBeTalkedTo, lookForClaude } from './installation.ts'
import { judge } from './judge.ts'
import { claudeKeptSessions } from './kept-sessions.ts'
import { planTranscriptMove } from './move-transcript.ts'
import { claudeTranslator } from './translate.ts'

/** Claude Code knows short names of models itself. Of efforts it knows none below `low`. */
const EFFORTS: Readonly<Record<string, string>> = { none: 'low', minimal: 'low' }

/** Claude Code reads at most 10 MB from stdin; in UTF-8 a character is at most 3 bytes of a string. */
const PROMPT_LIMIT = 3_000_000

/** A login that runs out so soon is renewed before a launch: Claude Code does no more by itself. */
const RENEWAL_MS = 5 * 60_000

const DIALOGUE_VARIABLES = {
  // It says whether it is at work, or waits for what it has begun in the background.
  CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS: '1',
  // What begins a turn is in the transcript before it is answered, and not a moment later.
  CLAUDE_CODE_EAGER_FLUSH: '1',
}

/** They make a worktree of their own, and what is done there is no part of the task's. */
const WORKTREE_TOOLS = ['EnterWorktree', 'ExitWorktree']
const EDITING_TOOLS = ['Edit', 'MultiEdit', 'NotebookEdit', 'Write']

/** Of its user interface; what it asks before it edits or runs anything is else the user's own setting. */
const UI_MODES = {
  'read-only': ['--permission-mode', 'plan'],
  workspace: [],
  full: ['--permission-mode', 'bypassPermissions'],
} as const

export const claude: Agent = {
  name: 'claude',
  capabilities: {
    continues: 'session',
    // On SIGINT it says how its turn ended; what its tools started lives on either way.
    gracefulSignal: 'SIGINT',
    takesPrompt: true,
    promptLimit: PROMPT_LIMIT - INSTRUCTIONS_ROOM,
    usageCounts: 'attempt',
    saysCost: true,
    answersBySchema: true,
    oneShot: true,
  },
  testedVersion: '2.1.329',
  translator: claudeTranslator,
  dialogue: claudeDialogue,

  async findInstallation(environment) {
    const installation = requireUsable(await lookForClaude(environment))
    const configuration = await readConfiguration(environment)
    const login = lookAtLogin(configuration)
    const endsAt = loginEndsAt(configuration)
    const isOver = endsAt !== null && endsAt < Date.now() + RENEWAL_MS
    if (login === 'present' && !isOver) return installation
    // It renews a login that is about to run out, too (2.1.329: in a quarter of a second).
    const asked = await askLogin(installation, ['auth', 'status', '--text'], environment)
    // No answer is no proof that it is logged out: then the attempt itself will tell.
    if (asked === undefined || asked.ok) return installation
    throw loggedOut(asked.words)
  },

  async look(environment) {
    const { installation, trouble } = await lookForClaude(environment)
    const login = lookAtLogin(await readConfiguration(environment))
    // Elsewhere than on macOS there is no other place for it.
    if (login === 'present' || process.platform === 'darwin') {
      return { installation, login, trouble }
    }
    return { installation, login: 'missing', trouble: trouble ?? loggedOut('no login was found') }
  },

  configuredMode: findConfiguredMode,
  findAccount: nameAccount,

  planSessionMove: planTranscriptMove,
  keptSessions: claudeKeptSessions,
  interactive: session => ['claude', '--resume', session],

  ui: {
    holdsPermissions: false,
    planLaunch(request) {
      const { installation, model, effort, permissions, environment } = request
      const session = request.session ?? asSessionId(request.sessionToBe)
      return {
        argv: [
          installation.program,
          ...installation.leadingArguments,
          ...[request.session === null ? '--session-id' : '--resume', session],
          ...UI_MODES[permissions.asked],
          ...(model === null ? [] : ['--model', model]),
          ...(effort === null ? [] : ['--effort', EFFORTS[effort] ?? effort]),
        ],
        environment: {
          ...environment,
          DISABLE_AUTOUPDATER: '1',
          // It would ask whether the directory is trusted, and could not write the answer down.
          ...(permissions.enforcedBy === 'system' && { CLAUDE_CODE_SANDBOXED: '1' }),
          ...unaskedVariables(permissions),
          ...installation.environment,
        },
        own: ownPlaces(request, session),
      }
    },
  },

  planLaunch(request) {
    const { installation, mode, model, effort, outputSchema, asks } = request
    const isOneShot = request.oneShot === true || !canBeTalkedTo(installation)
    if (isOneShot && asks) throw cannotAsk(installation)
    const session = mode.kind === 'resume' ? mode.session : asSessionId(mode.sessionToBe)
    return {
      argv: [
        installation.program,
        ...installation.leadingArguments,
        ...['-p', '--output-format', 'stream-json', '--verbose'],
        ...(isOneShot ? [] : ['--input-format', 'stream-json', '--replay-user-messages']),
        ...[mode.kind === 'resume' ? '--resume' : '--session-id', session],
        ...permissionArguments(request),
        ...(model === null ? [] : ['--model', model]),
        ...(effort === null ? [] : ['--effort', EFFORTS[effort] ?? effort]),
        ...(outputSchema === undefined ? [] : ['--json-schema', outputSchema.json]),
      ],
      environment: environmentFor(request, isOneShot),
      ...(isOneShot
        ? { stdin: plainBytes(promptFor(request)) }
        : { stdin: new Uint8Array(), brief: briefOf(request, session) }),
      session,
      own: ownPlaces(request, session),
    }
  },

  judge,
}

function briefOf(request: LaunchRequest, session: SessionId): string {
  const prompt = wordsOf(promptFor(request))
  return writeBrief({ session, prompt, asks: request.asks })
}

function cannotAsk({ version }: AgentInstallation): AppError {
  return new AppError('agent_too_old', `claude ${version} cannot ask while it works`, {
    hint: 'claude update, or leave out --ask',
  })
}

function loggedOut(words: string): AppError {
  return new AppError('agent_logged_out', `claude is not logged in: ${words}`, {
    hint: 'claude auth login, or export ANTHROPIC_API_KEY=…',
  })
}

/**
 * Whoever holds it to its permissions is outside of it: within them nobody is asked for anything,
 * unless that is wanted. What the user's settings deny, Claude Code refuses all the same (tried: 2.1.329).
 */
function permissionArguments({ permissions, asks }: LaunchRequest): readonly string[] {
  const without =
    permissions.effective === 'read-only' ? [...WORKTREE_TOOLS, ...EDITING_TOOLS] : WORKTREE_TOOLS
  return [
    ...['--permission-mode', asks ? 'default' : 'bypassPermissions'],
    ...['--disallowedTools', without.join(',')],
    ...(asks ? ['--permission-prompt-tool', 'stdio'] : []),
  ]
}

function environmentFor(
  { environment, installation, permissions, effort }: LaunchRequest,
  isOneShot: boolean,
) {
  const { CLAUDE_CODE_EFFORT_LEVEL: level, ...rest } = environment
  return {
    ...rest,
    // It would win over what was asked for.
    ...(level !== undefined && effort === null && { CLAUDE_CODE_EFFORT_LEVEL: level }),
    // A version is not to change between an attempt and the next by itself.
    DISABLE_AUTOUPDATER: '1',
    ...unaskedVariables(permissions),
    ...(!isOneShot && DIALOGUE_VARIABLES),
    ...installation.environment,
  }
}

/** Without it, Claude Code does nothing for root unasked; it means what it says, or `full`. */
function unaskedVariables({ effective }: Permissions): Environment {
  return effective !== 'full' || process.getuid?.() === 0 ? { IS_SANDBOX: '1' } : {}
}

/**
 * It needs to write nothing but its transcripts and its list of things to do (tried: 2.1.329): those
 * of this directory and this session, since others' could be made to say what another would do.
 * Settings, hooks, plugins, memory and shell snapshots, which its other sessions obey, are only read;
 * so is the login, which is renewed before a launch: a lock for that would lie among the settings.
 */
function ownPlaces(
  { environment, workingDirectory }: Pick<LaunchRequest, 'environment' | 'workingDirectory'>,
  session: SessionId,
): OwnPlaces {
  const directory = configDirectory(environment)
  const places = [directory, globalFilePath(environment), loginDirectory(environment)]
  return {
    readable: [...new Set(places)],
    writable: [],
    made: [
      join(directory, 'projects', nameProject(workingDirectory)),
      join(directory, 'tasks', session),
    ],
  }
}
