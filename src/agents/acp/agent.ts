/** Any agent that speaks the Agent Client Protocol: it is talked to over its stdin while it works. */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { SessionId } from '../../domain/ids.ts'
import { type PermissionMode, stricterMode } from '../../domain/permissions.ts'
import type { Agent, AgentInstallation, Environment, LaunchRequest } from '../../ports/agent.ts'
import { findProgram } from '../find-program.ts'
import { promptFor } from '../instructions.ts'
import { nameAccount } from '../name-account.ts'
import { plainWords, wordsOf } from '../plain-words.ts'
import { readPackageVersion } from '../versions.ts'
import { writeBrief } from './brief.ts'
import { judge } from './judge.ts'
import { type Preset, placesOf } from './presets.ts'
import { acpDialogue } from './speak.ts'
import { makeAcpTranslator } from './translate.ts'

export function makeAcpAgent(preset: Preset): Agent {
  const { name, confines, configuredMode, keepSession, ownHome } = preset
  return {
    name,
    capabilities: {
      continues: 'session',
      // Its turn is over when it is asked to end, or was told to stop by the protocol.
      gracefulSignal: 'SIGTERM',
      takesPrompt: true,
      promptLimit: null,
      usageCounts: 'attempt',
      saysCost: false,
      ...(preset.idling !== undefined && { idling: preset.idling }),
    },
    testedVersion: preset.testedVersion,
    translator: makeAcpTranslator(modesOf(preset)),
    dialogue: acpDialogue,

    async findInstallation(environment) {
      const installation = find(preset, environment)
      if (installation !== undefined) return installation
      throw missing(preset)
    },

    async look(environment) {
      const installation = find(preset, environment) ?? null
      return {
        installation,
        login: isLoggedIn(preset, environment) ? 'present' : 'unknown',
        trouble: installation === null ? missing(preset) : null,
      }
    },

    ...(confines !== undefined && {
      async settlePermissions(asked: PermissionMode, environment: Environment) {
        const configured = (await configuredMode?.(environment)) ?? asked
        const effective = stricterMode(asked, configured)
        return { asked, effective, enforcedBy: effective === 'full' ? 'none' : 'agent' } as const
      },
    }),
    ...(confines === undefined && configuredMode !== undefined && { configuredMode }),

    async findAccount(environment) {
      const keys = preset.keys.map(key => environment[key] ?? '')
      return nameAccount(name, [...keys, placesOf(environment).home])
    },

    ...(keepSession !== undefined && {
      keepSession: (session: SessionId, environment: Environment, now: number) =>
        keepSession(session, placesOf(environment), now),
    }),

    ...(ownHome !== undefined && { ownHome }),

    planLaunch(request) {
      const { installation, permissions, workingDirectory } = request
      const mode = permissions.effective
      return {
        argv: [installation.program, ...installation.leadingArguments, ...preset.arguments],
        environment: {
          ...request.environment,
          ...preset.environment(mode, request.asks),
          ...installation.environment,
        },
        stdin: new Uint8Array(),
        brief: briefOf(preset, request),
        own: preset.own(placesOf(request.environment), workingDirectory),
      }
    },

    judge: (translation, ending) => judge(translation, ending, preset.logIn),
  }
}

function briefOf(preset: Preset, request: LaunchRequest): string {
  const { mode, permissions, asks, model, effort, workingDirectory } = request
  const words = (given: LaunchRequest) => plainWords(wordsOf(promptFor(given)))
  // Also of a session that goes on: an agent may turn out not to keep any.
  const fresh = words({ ...request, mode: { kind: 'fresh', sessionToBe: '' } })
  return writeBrief({
    directory: workingDirectory,
    prompt: fresh,
    resume: mode.kind === 'resume' ? { session: mode.session, prompt: words(request) } : null,
    permissions: permissions.effective,
    asks,
    login: preset.login,
    isConfined: preset.confines !== undefined,
    mode: chooseMode(preset, permissions.effective, asks),
    model,
    effort,
  })
}

/** Whatever the task may do, its session is put into one of these. Empty: it may be left as it is. */
function modesOf({ confines, modeAsking, modeUnasked }: Preset): readonly string[] {
  const modes = [modeAsking, ...(confines ? Object.values(confines) : [modeUnasked])]
  return modes.every(mode => mode !== null) ? modes : []
}

function chooseMode(preset: Preset, mode: PermissionMode, asks: boolean): string | null {
  if (asks) return preset.modeAsking
  if (preset.confines !== undefined) return preset.confines[mode]
  return mode === 'read-only' ? preset.modeAsking : preset.modeUnasked
}

function find(preset: Preset, environment: Environment): AgentInstallation | undefined {
  const program = findProgram(preset.program, environment.PATH ?? '')
  if (program === undefined) return undefined
  return {
    program,
    leadingArguments: [],
    version: findVersion(realpathSync(program)),
    environment: {},
  }
}

/** Of the npm package that a program is part of; it is not started for it: that takes seconds. */
function findVersion(program: string): string | null {
  for (let at = dirname(program); at !== dirname(at); at = dirname(at)) {
    const file = join(at, 'package.json')
    if (existsSync(file)) return readPackageVersion(file)
  }
  return null
}

function isLoggedIn({ keys, logins }: Preset, environment: Environment): boolean {
  const { home } = placesOf(environment)
  return keys.some(key => environment[key]) || logins.some(login => existsSync(join(home, login)))
}

function missing({ program, install }: Preset): AppError {
  return new AppError('agent_missing', `${program} is not on the PATH`, { hint: install })
}
