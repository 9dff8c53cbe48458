/**
 * Pi, headless: talked to over its stdin while it works (`pi --mode rpc`), or given its prompt alone
 * (`pi --print --mode json`).
 */
import { AppError } from '../../domain/errors.ts'
import type { Agent, LaunchRequest } from '../../ports/agent.ts'
import { requireUsable } from '../installation.ts'
import { promptFor } from '../instructions.ts'
import { plainBytes, wordsOf } from '../plain-words.ts'
import { askFirstModule } from './ask-first.ts'
import { writeBrief } from './brief.ts'
import { findAccount, findOwnPlaces, lookAtLogin } from './configuration.ts'
import { lookForPi } from './installation.ts'
import { judge } from './judge.ts'
import { piKeptSessions } from './kept-sessions.ts'
import { longWaitsModule } from './long-waits.ts'
import { piDialogue } from './speak.ts'
import { piTranslator } from './translate.ts'

export const pi: Agent = {
  name: 'pi',
  capabilities: {
    continues: 'session',
    // SIGTERM ends Pi and its tools; SIGINT leaves the tools alive (tried with 0.73.1).
    gracefulSignal: 'SIGTERM',
    takesPrompt: true,
    promptLimit: null,
    usageCounts: 'attempt',
    saysCost: true,
    oneShot: true,
  },
  testedVersion: '0.73.1',
  translator: piTranslator,
  dialogue: piDialogue,

  findInstallation: async environment => requireUsable(await lookForPi(environment)),

  async look(environment) {
    const { installation, trouble } = await lookForPi(environment)
    return { installation, login: lookAtLogin(environment), trouble }
  },

  async findAccount(environment) {
    return findAccount(environment)
  },

  keptSessions: piKeptSessions,
  interactive: session => ['pi', '--session', session],

  ui: {
    holdsPermissions: false,
    planLaunch({ installation, session, model, effort, environment }) {
      return {
        argv: [
          installation.program,
          ...installation.leadingArguments,
          ...modelArguments(model, effort),
          ...(session === null ? [] : ['--session', session]),
        ],
        environment: { ...environment, ...installation.environment },
        own: findOwnPlaces(environment),
      }
    },
  },

  planLaunch(request) {
    const { installation, mode, model, effort, asks } = request
    const prompt = plainBytes(promptFor(request))
    const isOneShot = request.oneShot === true
    return {
      argv: [
        installation.program,
        ...leadingArguments(request),
        // `--print` takes a word after it for a prompt; an option is none.
        ...(isOneShot ? ['--print', '--mode', 'json'] : ['--mode', 'rpc']),
        ...modelArguments(model, effort),
        // The whole id: Pi looks for it among the sessions of this directory first.
        ...(mode.kind === 'resume' ? ['--session', mode.session] : []),
      ],
      environment: { ...request.environment, ...installation.environment },
      stdin: isOneShot ? prompt : new Uint8Array(),
      ...(!isOneShot && { brief: writeBrief({ prompt: wordsOf(prompt), asks }) }),
      own: findOwnPlaces(request.environment),
    }
  },

  judge,
}

function modelArguments(model: string | null, effort: string | null): readonly string[] {
  return [
    ...(model === null ? [] : ['--model', model]),
    ...(effort === null ? [] : ['--thinking', effort === 'none' ? 'off' : effort]),
  ]
}

/** Pi has no question of its own: it is given one, where the task is to ask. */
function leadingArguments({ installation, asks }: LaunchRequest): readonly string[] {
  const known = installation.leadingArguments
  if (!asks) return known
  if (!known.includes(longWaitsModule)) {
    const message = 'this pi is no npm package, and cannot be made to ask'
    throw new AppError('permissions_unavailable', message, { hint: 'leave out --ask' })
  }
  return ['--import', askFirstModule, ...known]
}
