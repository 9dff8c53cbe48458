/** Pi, one-shot and headless: `pi --print --mode json`, the prompt on stdin. */
import type { Agent } from '../../ports/agent.ts'
import { promptFor } from '../instructions.ts'
import { findAccount, findOwnPlaces, lookAtLogin } from './configuration.ts'
import { findPi, lookForPi } from './installation.ts'
import { judge } from './judge.ts'
import { piKeptSessions } from './kept-sessions.ts'
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
  },
  testedVersion: '0.73.1',
  translator: piTranslator,

  findInstallation: findPi,

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
    planLaunch({ installation, session, model, environment }) {
      return {
        argv: [
          installation.program,
          ...installation.leadingArguments,
          ...(model === null ? [] : ['--model', model]),
          ...(session === null ? [] : ['--session', session]),
        ],
        environment: { ...environment, ...installation.environment },
      }
    },
  },

  planLaunch(request) {
    const { installation, mode, model, effort } = request
    return {
      argv: [
        installation.program,
        ...installation.leadingArguments,
        '--print', // It takes a word after it for a prompt; an option is none.
        ...['--mode', 'json'],
        ...(model === null ? [] : ['--model', model]),
        ...(effort === null ? [] : ['--thinking', effort === 'none' ? 'off' : effort]),
        // The whole id: Pi looks for it among the sessions of this directory first.
        ...(mode.kind === 'resume' ? ['--session', mode.session] : []),
      ],
      environment: { ...request.environment, ...installation.environment },
      stdin: promptFor(request),
      own: findOwnPlaces(request.environment),
    }
  },

  judge,
}
