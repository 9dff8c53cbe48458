import { MARK_VARIABLE } from '../../domain/environment.ts'
import { detectCaller } from '../caller.ts'
import type { CommandContext } from '../cli/command.ts'
import type { HookInput } from './input.ts'

/** As whoever called would be met: in its directory, and as its caller session. */
export function asCaller(context: CommandContext, input: HookInput): CommandContext {
  const environment = {
    ...context.environment,
    CLAUDECODE: '1',
    CLAUDE_CODE_SESSION_ID: input.session,
  }
  return {
    holdfast: context.holdfast,
    output: context.output,
    version: context.version,
    directory: input.directory,
    environment,
    caller: detectCaller(environment, input.directory),
    get stdin() {
      return context.stdin
    },
    get interrupted() {
      return context.interrupted
    },
    now: () => context.now(),
  }
}

/** The task whose agent this session of Claude Code is; undefined: it is none of ours. */
export function taskAround({ environment }: CommandContext): string | undefined {
  return environment[MARK_VARIABLE]?.split('.')[0] || undefined
}
