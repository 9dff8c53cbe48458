/** Who asks: a label to find and to tell, never an owner. */
import { MARK_VARIABLE } from '../domain/environment.ts'
import type { Caller } from '../domain/task.ts'
import { isTerminal, terminalName } from './terminal.ts'

/**
 * A task that delegates has its attempt's mark (`<task>.<fence>.<nonce>`) in the environment;
 * Claude Code sets `CLAUDE_CODE_SESSION_ID` for what it runs (since 2.1.132); else a terminal.
 */
export function detectCaller(
  environment: Readonly<Record<string, string | undefined>>,
  directory: string,
): Caller {
  const mark = environment[MARK_VARIABLE]
  if (mark) return { kind: 'task', id: mark.split('.')[0] ?? null, directory }
  const session = environment.CLAUDE_CODE_SESSION_ID
  if (environment.CLAUDECODE || session) return { kind: 'claude', id: session ?? null, directory }
  if (isTerminal(0)) return { kind: 'terminal', id: terminalName(), directory }
  return { kind: 'program', id: null, directory }
}

/** To ask for it, it has to be set. */
export function currentUmask(): number {
  const umask = process.umask(0o077)
  process.umask(umask)
  return umask
}
