/** OpenCode, one-shot and headless: `opencode run --format json`, the prompt on stdin. */
import { IDLING } from '../../domain/stall.ts'
import type { Agent } from '../../ports/agent.ts'
import { requireUsable } from '../installation.ts'
import { promptFor } from '../instructions.ts'
import { findAccount, findOwnPlaces, lookAtLogin } from './configuration.ts'
import { lookForOpenCode } from './installation.ts'
import { judge } from './judge.ts'
import { openCodeKeptSessions } from './kept-sessions.ts'
import { openCodeTranslator } from './translate.ts'

export const opencode: Agent = {
  name: 'opencode',
  capabilities: {
    continues: 'session',
    // SIGINT and SIGTERM both leave its tools alive (tried with 1.18.33).
    gracefulSignal: null,
    takesPrompt: true,
    promptLimit: null,
    usageCounts: 'attempt',
    saysCost: true,
    // Measured: 0.02 of a core on the mean while it waits, 0.05 now and then; 0.3 while a stream of
    // seven chunks a second comes in.
    idling: { ...IDLING, cpuShare: 0.1 },
  },
  testedVersion: '1.18.33',
  translator: openCodeTranslator,

  findInstallation: async environment => requireUsable(await lookForOpenCode(environment)),

  async look(environment) {
    const { installation, trouble } = await lookForOpenCode(environment)
    return { installation, login: lookAtLogin(environment), trouble }
  },

  async findAccount(environment) {
    return findAccount(environment)
  },

  keptSessions: openCodeKeptSessions,
  interactive: session => ['opencode', '--session', session],

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
        environment: {
          OPENCODE_DISABLE_AUTOUPDATE: '1',
          ...environment,
          ...installation.environment,
        },
        own: findOwnPlaces(environment),
      }
    },
  },

  planLaunch(request) {
    const { installation, mode, model, effort, workingDirectory } = request
    return {
      argv: [
        installation.program,
        ...installation.leadingArguments,
        ...['run', '--format', 'json', '--thinking'],
        // Nobody is there to be asked. What the user's configuration denies stays denied.
        '--auto',
        // The only word of a model that refuses: it is tried again in silence.
        ...['--print-logs', '--log-level', 'ERROR'],
        ...(model === null ? [] : ['--model', model]),
        ...(effort === null ? [] : ['--variant', effort]),
        // A session that is taken up from another directory than its own hangs.
        ...['--dir', workingDirectory],
        ...(mode.kind === 'resume' ? ['--session', mode.session] : []),
      ],
      environment: {
        // It would replace the program of other tasks while they run.
        OPENCODE_DISABLE_AUTOUPDATE: '1',
        ...request.environment,
        ...installation.environment,
      },
      stdin: promptFor(request),
      own: findOwnPlaces(request.environment),
    }
  },

  judge,
}
