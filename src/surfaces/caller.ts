/** Who asks: a label to find and to tell, never an owner. */
import { MARK_VARIABLE } from '../domain/environment.ts'
import { AppError } from '../domain/errors.ts'
import { parseTaskId, type TaskId } from '../domain/ids.ts'
import { type Caller, callerKinds } from '../domain/task.ts'
import { isTerminal, terminalName } from './terminal.ts'

/** Where Claude Code puts a subagent that gets a worktree; nothing else says that it is one. */
const SUBAGENT = /\/\.claude\/worktrees\/(agent-[^/]+)(?:\/|$)/

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
  if (environment.CLAUDECODE || session) {
    const subagent = SUBAGENT.exec(directory)?.[1] ?? null
    return { kind: 'claude', id: session ?? null, subagent, directory }
  }
  if (isTerminal(0)) {
    const login = environment.XDG_SESSION_ID || null
    return { kind: 'terminal', id: terminalName(), login, directory }
  }
  return { kind: 'program', id: null, directory }
}

/** One without an id is nobody that could be told from others. A terminal's name is given again. */
export function isSameCaller(a: Caller, b: Caller): boolean {
  const isSameLogin = a.login == null || b.login == null || a.login === b.login
  return a.kind === b.kind && a.id !== null && a.id === b.id && isSameLogin
}

/** The task that asks; null: no task does. */
export function callerTaskOf({ kind, id }: Caller): TaskId | null {
  return kind === 'task' ? (parseTaskId(id ?? '') ?? null) : null
}

/** `KIND` or `KIND:ID`, as `--caller` takes it. */
export function parseCallerFilter(text: string): (caller: Caller) => boolean {
  const [kind = '', ...rest] = text.split(':')
  if (!callerKinds.some(known => known === kind)) {
    throw new AppError('bad_usage', `--caller ${text}: there is no kind of caller "${kind}"`, {
      hint: `kinds: ${callerKinds.join(', ')}; one of them: claude:SESSION`,
    })
  }
  const id = rest.length === 0 ? undefined : rest.join(':')
  return caller => caller.kind === kind && (id === undefined || caller.id === id)
}

/** To ask for it, it has to be set. */
export function currentUmask(): number {
  const umask = process.umask(0o077)
  process.umask(umask)
  return umask
}
