/**
 * Whether this very process runs in somebody's sandbox, and ends with it. A worker started there
 * would too, and its agents with it: it may only be started outside. Every rule is a sign that
 * there is one, never a guess: a container in which Holdfast is at home shows none of them.
 */
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { MARK_VARIABLE } from '../domain/environment.ts'
import type { Sandbox } from '../domain/sandbox.ts'
import type { Place } from '../ports/process-table.ts'
import { judgePlace } from './identity.ts'
import { loadLaunch } from './run-directory.ts'

/** What Codex sets for every command that it confines; the second one on macOS alone. */
const CODEX_VARIABLES = ['CODEX_SANDBOX_NETWORK_DISABLED', 'CODEX_SANDBOX'] as const

/** Programs that are the first process of a PID namespace only in order to confine what is in it. */
const CONFINERS = ['bwrap', 'codex-linux-sandbox', 'firejail', 'nsjail'] as const

export interface SandboxLook {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The state directory, absolute. */
  readonly home: string
  /** Where this process runs. */
  readonly here: Place
  /** What the first process of this PID namespace was started as; undefined: not to be had. */
  readonly firstProgram: string | undefined
}

export function findSandbox({
  environment,
  home,
  here,
  firstProgram,
}: SandboxLook): Sandbox | null {
  if (CODEX_VARIABLES.some(name => environment[name])) return { kind: 'codex' }
  const name = basename(firstProgram ?? '')
  if ((CONFINERS as readonly string[]).includes(name)) return { kind: 'program', name }
  return findAttemptAround(environment[MARK_VARIABLE], home, here)
}

/** An attempt of ours was launched in one PID namespace, and what it started runs in another. */
function findAttemptAround(mark: string | undefined, home: string, here: Place): Sandbox | null {
  const [task, fence] = mark?.split('.') ?? []
  if (!task || !fence || !/^[0-9a-z]+$/.test(task) || !/^[0-9]+$/.test(fence)) return null
  const launched = loadLaunch(join(home, 'tasks', task, 'runs', fence))
  // One of another state directory, such as that of a test, says nothing of this one.
  if (launched.kind !== 'loaded' || launched.record.mark !== mark) return null
  return judgePlace(launched.record, here) === 'unknown' ? { kind: 'attempt', task } : null
}

/** Of the first process of our PID namespace. */
export function readFirstProgram(): string | undefined {
  try {
    return readFileSync('/proc/1/cmdline', 'utf8').split('\0', 1)[0]
  } catch {
    return undefined // another system, or hidden from us
  }
}
