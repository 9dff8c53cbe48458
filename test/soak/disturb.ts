/** Whoever gets in the way: kills at random, and people who cancel, resume, clear up and look. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readTasks, type TaskRow } from '../faults/rows.ts'
import type { Dice } from './dice.ts'
import { type Place, readIfThere } from './place.ts'
import type { Tally } from './tally.ts'

export interface Disturbance {
  readonly place: Place
  readonly dice: Dice
  readonly tally: Tally
  /** What is wrong so far, in words. */
  readonly complaints: string[]
}

const ACTIVE = ['starting', 'running', 'needs_input', 'cancelling']
const STOPPED = ['failed', 'cancelled']
const ENDED = ['succeeded', ...STOPPED]

/** Kills somebody every `everyMs` on average. `spareWorker`: not the worker, nor its watchdog. */
export async function kill(
  everyMs: number,
  spareWorker: () => boolean,
  signal: AbortSignal,
  { place, dice, tally }: Disturbance,
): Promise<void> {
  const weights = { agent: 8, wrapper: 4, worker: 2, watchdog: 1 }
  while (await pause(dice.between(0, 2 * everyMs), signal)) {
    const whom = dice.choose(weights)
    if (spareWorker() && (whom === 'worker' || whom === 'watchdog')) continue
    for (const pid of findVictims(whom, place, dice)) {
      if (!place.isOurs(pid)) continue
      try {
        process.kill(pid, 'SIGKILL')
        tally.count(`kill: ${whom}`)
      } catch {
        // It went by itself.
      }
    }
  }
}

function findVictims(
  whom: 'agent' | 'wrapper' | 'worker' | 'watchdog',
  place: Place,
  dice: Dice,
): readonly number[] {
  const worker = place.workerPid()
  if (whom === 'worker') return worker === undefined ? [] : [worker]
  if (whom === 'watchdog') {
    const watchdog = Number.parseInt(readIfThere(join(place.home, 'watchdog')) ?? '', 10)
    // Alone it is missed by nobody; with its worker the next command has to begin anew.
    return Number.isNaN(watchdog) ? [] : [watchdog, ...(worker === undefined ? [] : [worker])]
  }
  const file = whom === 'agent' ? 'pid' : whom
  const pids = tasksIn(place, ACTIVE).flatMap(({ id }) => {
    const run = newestRun(place, id)
    const pid = Number.parseInt((run && readIfThere(join(run, file))) ?? '', 10)
    return Number.isNaN(pid) || !existsSync(`/proc/${pid}`) ? [] : [pid]
  })
  const pid = dice.pick(pids)
  return pid === undefined ? [] : [pid]
}

function newestRun(place: Place, id: string): string | undefined {
  const runs = join(place.home, 'tasks', id, 'runs')
  try {
    const newest = Math.max(0, ...readdirSync(runs).map(Number))
    return newest === 0 ? undefined : join(runs, String(newest))
  } catch {
    // It has not begun.
    return undefined
  }
}

const tasksIn = (place: Place, states: readonly string[]): readonly TaskRow[] =>
  readTasks(place.home).filter(({ state }) => states.includes(state))

/** How often a person does what, by weight. */
const DEEDS = {
  cancel: 6,
  resume: 5,
  retry: 3,
  gc: 3,
  archive: 2,
  restore: 2,
  status: 4,
  doctor: 1,
  logs: 2,
  result: 2,
  diff: 2,
  branch: 5,
  wait: 1,
} as const

/** Does something every `everyMs` on average. Gives the tasks that were handed in on the way. */
export async function interfere(
  everyMs: number,
  signal: AbortSignal,
  disturbance: Disturbance,
): Promise<readonly string[]> {
  const { place, dice, tally, complaints } = disturbance
  const handedIn: string[] = []
  while (await pause(dice.between(0, 2 * everyMs), signal)) {
    const deed = dice.choose(DEEDS)
    const words = chooseWords(deed, place, dice)
    if (words === undefined) continue
    const known = readTasks(place.home).length
    const { code, stdout, stderr } = await place.run(words, '/')
    tally.count(`command: ${deed}${code === 0 ? '' : `, exit ${code}`}`)
    if (deed === 'doctor')
      for (const [, what] of stdout.matchAll(/^error +(.*)$/gm)) {
        tally.count(`doctor, on the way: ${what?.replaceAll(place.home, '…')}`)
      }
    if (code === 2 || code === 4 || code === 7 || code === null || /^\s+at /m.test(stderr)) {
      complaints.push(`${words.join(' ')} (of ${known}): exit ${code}: ${stderr}`)
    }
    const id = stdout.trim()
    // `resume` of one that waits is the same task; of one that stopped it is a new one.
    if (code === 0 && (deed === 'resume' || deed === 'retry') && id !== words[1]) handedIn.push(id)
  }
  return handedIn
}

function chooseWords(
  deed: keyof typeof DEEDS,
  place: Place,
  dice: Dice,
): readonly string[] | undefined {
  const of = (states: readonly string[]) => dice.pick(tasksIn(place, states))?.id
  const about = (id: string | undefined, ...more: string[]) =>
    id === undefined ? undefined : [deed, id, ...more]
  switch (deed) {
    case 'cancel':
      return about(of([...ACTIVE, 'queued', 'waiting']))
    case 'resume':
      return about(of(dice.hits(0.3) ? ['waiting'] : STOPPED))
    case 'retry':
    case 'archive':
    case 'restore':
    case 'result':
      return about(of(ENDED))
    case 'branch': {
      // Taken home: its worktree may be put away.
      const id = of(ENDED)
      return about(id, `taken-${id}`)
    }
    case 'logs':
    case 'diff':
      return about(of([...ACTIVE, ...ENDED]))
    case 'wait':
      return about(of([...ACTIVE, ...ENDED]), '--timeout', '2s')
    case 'gc':
      return [deed, '--keep', String(Math.round(dice.between(0, 10)))]
    case 'status':
    case 'doctor':
      return [deed]
  }
}

/** False: it is over. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
  return !signal.aborted
}
