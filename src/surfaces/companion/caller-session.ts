/** Whose jobs these are: of a session of Claude Code, where it is one that asks. */

import type { Variables } from '../../compose.ts'
import type { Caller } from '../../domain/task.ts'
import { detectCaller } from '../caller.ts'

/** The plugin's hook at the start of a session sets it, for all that the session runs. */
const SESSION_VARIABLE = 'CODEX_COMPANION_SESSION_ID'

export function findCaller(directory: string, environment: Variables): Caller {
  const caller = detectCaller(environment, directory)
  const session = environment[SESSION_VARIABLE]
  // A task that asks is known by its mark, whatever it has inherited.
  if (!session || caller.kind === 'task') return caller
  const { subagent = null } = caller
  return { kind: 'claude', id: session, subagent, directory }
}

/** Null: nobody says which session this is. */
export function sessionOf({ kind, id }: Caller): string | null {
  return kind === 'claude' ? id : null
}
