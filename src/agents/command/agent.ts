/** Any program: an argv without a shell. It has done its work if it exits with 0. */
import { isAbsolute, resolve } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import { describeExit, outcomeOf } from '../../domain/outcome.ts'
import type { Agent } from '../../ports/agent.ts'
import { findProgram, isExecutable } from '../find-program.ts'
import { commandTranslator } from './translate.ts'

/** The longest part of stderr that goes into a message. */
const LINE_KEPT = 500

export const command: Agent = {
  name: 'command',
  capabilities: {
    continues: 'no',
    gracefulSignal: 'SIGINT',
    takesPrompt: false,
    promptLimit: null,
    usageCounts: 'attempt',
    saysCost: false,
  },
  testedVersion: null,
  translator: commandTranslator,

  /** A name with a slash is looked up from `directory`, any other on the PATH. */
  async findInstallation(environment, argv, directory) {
    const name = argv[0] ?? ''
    const program = name.includes('/')
      ? [resolve(directory, name)].find(isExecutable)
      : findProgram(name, environment.PATH ?? '')
    if (program === undefined) {
      throw new AppError('agent_missing', `no such program: ${name === '' ? '(none)' : name}`, {
        hint: 'holdfast run command -- PROGRAM ARGUMENT…',
      })
    }
    return { program, leadingArguments: [], version: null, environment: {} }
  },

  async look() {
    return { installation: null, login: 'not needed', trouble: null }
  },

  planLaunch({ installation, argv, workingDirectory, environment }) {
    const [name = '', ...rest] = argv
    // `./check.sh` means the worktree's copy, not that of the directory that it was found from.
    const isRelative = name.includes('/') && !isAbsolute(name)
    return {
      argv: [isRelative ? resolve(workingDirectory, name) : installation.program, ...rest],
      environment: { ...environment, ...installation.environment },
      stdin: new Uint8Array(),
    }
  },

  judge(_translation, { exit, stderr }) {
    const lastLine = stderr.trimEnd().split('\n').at(-1)?.trim().slice(0, LINE_KEPT)
    const message = lastLine ? `${describeExit(exit)}: ${lastLine}` : describeExit(exit)
    switch (exit.kind) {
      case 'exited':
        return exit.code === 0
          ? { kind: 'succeeded' }
          : outcomeOf({ code: 'command_failed', message })
      case 'signalled':
        return outcomeOf({ code: 'agent_crashed', message })
      case 'unknown':
        // Wrapper and program were killed together, or the machine went down.
        return outcomeOf({ code: 'exit_unknown', message })
    }
  },
}
