/** Who takes part in an attempt, and killing them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '../eventually.ts'
import { processesOf } from '../processes-of.ts'
import { readIfThere, type Stage } from './stage.ts'

/**
 * `self`: whoever reaches the point, as the point itself kills it. `again`: also who reaches it next,
 * if anybody does.
 */
export type Actor = 'self' | 'again' | 'agent' | 'wrapper' | 'worker' | 'watchdog'
/** Those who are there to be killed. */
export type Victim = Exclude<Actor, 'self' | 'again'>

/** A live process; a dead one that nobody has collected is none. */
export function isAlive(pid: number): boolean {
  const stat = statOf(pid)
  return stat !== undefined && !/^[ZX]/.test(stat)
}

/** What stands after the name in `/proc/PID/stat`. */
function statOf(pid: number): string | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return line.slice(line.lastIndexOf(')') + 2)
  } catch {
    return undefined
  }
}

/** The live process that an actor is at this moment; undefined: there is none. */
export function find(actor: Victim, stage: Stage, task: string): number | undefined {
  const pid = look(actor, stage, task)
  return pid !== undefined && isAlive(pid) ? pid : undefined
}

function look(actor: Victim, stage: Stage, task: string): number | undefined {
  const run = stage.runDirectory(task)
  switch (actor) {
    case 'agent':
      // Until the agent is there, its shell runs the repository's own command.
      return identityIn(run, 'pid') ?? identityIn(run, 'set-up.pid')
    case 'wrapper':
      return identityIn(run, 'wrapper') ?? findUnwritten(stage, run)
    case 'worker': {
      const lines = processesOf(stage.home).filter(line => /^\d+ \S*node \S+ worker run/.test(line))
      return lines.map(line => Number.parseInt(line, 10)).find(isAlive)
    }
    case 'watchdog': {
      const worker = look('worker', stage, task)
      return worker === undefined ? undefined : Number(statOf(worker)?.split(' ')[1])
    }
  }
}

function identityIn(
  run: string | undefined,
  file: 'pid' | 'set-up.pid' | 'wrapper',
): number | undefined {
  const line = run === undefined ? '' : (readIfThere(join(run, file)) ?? '')
  return line.endsWith('\n') ? Number.parseInt(line, 10) : undefined
}

/** A wrapper that has not written itself down is known by its arguments. */
function findUnwritten(stage: Stage, run: string | undefined): number | undefined {
  const lines = stage.processes().filter(line => line.includes('holdfast-wrapper'))
  const found = lines.find(line => run !== undefined && line.includes(run))
  return found === undefined ? undefined : Number.parseInt(found, 10)
}

/**
 * Kills at once, and waits until all are dead. `strictly`: each of them must be there; else at least
 * one, because some of them are about to end by themselves.
 */
export async function killAll(
  actors: readonly Victim[],
  stage: Stage,
  task: string,
  strictly: boolean,
): Promise<void> {
  const found = actors.map(actor => ({ actor, pid: find(actor, stage, task) }))
  const missing = found.filter(({ pid }) => pid === undefined)
  if (missing.length > 0 && (strictly || missing.length === found.length)) {
    throw new Error(`there is no ${missing.map(({ actor }) => actor).join(', ')} to kill`)
  }
  const pids = found.flatMap(({ pid }) => pid ?? [])
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It went by itself, just now.
    }
  }
  await eventually('they are dead', () => !pids.some(isAlive))
}
