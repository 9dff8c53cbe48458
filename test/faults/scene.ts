/** One case as it is played: what people do, and what is seen meanwhile. */
import { existsSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseTaskId } from '../../src/domain/ids.ts'
import { eventually } from '../eventually.ts'
import { killIfThere } from '../kill-if-there.ts'
import { type Actor, find, killAll, type Victim } from './cast.ts'
import { readTasks } from './rows.ts'
import type { Stage } from './stage.ts'
import { LIMIT_MS, Strike } from './strike.ts'
import { untruths } from './truth.ts'

const ENDED = ['succeeded', 'failed', 'cancelled']
const LOOK_MS = 40
/** Looking for a worker reads all of `/proc`. */
const LOOK_FOR_WORKER_MS = 1_500

export class Scene {
  readonly stage: Stage
  readonly strike: Strike
  /** What was seen, and should not have been. */
  readonly complaints: string[] = []
  /** Whether a watchdog outlived the blow: then nobody need look. */
  watchdogLived = false
  /** What somebody does right after the blow, while all who live stand still. */
  onBlow: (id: string) => Promise<unknown> = async () => undefined

  constructor(stage: Stage, point: string, who: readonly Actor[], gate: string) {
    this.stage = stage
    this.strike = new Strike({
      stage,
      point,
      who,
      gate,
      task: () => readTasks(stage.home).at(-1)?.id,
      look: async () => {
        // A child that one had forked just before it was killed looks as it did.
        const isSpared = !who.includes('watchdog')
        const isThere = (line: string) => / holdfast-worker /.test(line)
        this.watchdogLived = isSpared && stage.processes().some(isThere)
        this.complaints.push(...(await untruths(stage, who)))
        const id = readTasks(stage.home).at(-1)?.id
        if (id !== undefined) await this.onBlow(id)
      },
    })
  }

  /** A command that must work. */
  async ok(words: readonly string[]): Promise<void> {
    const { code, stderr } = await this.stage.run(words)
    if (code !== 0) throw new Error(`${words.join(' ')}: exit ${code}: ${stderr}`)
  }

  /** Hands a task in; undefined: it was killed before anybody could know of it. */
  async submit(words: readonly string[]): Promise<string | undefined> {
    const known = readTasks(this.stage.home).length
    const { code, signal, stdout, stderr } = await this.stage.run(words)
    if (code === 0) return stdout.trim()
    if (signal === null && !/too large|over \d+ B/.test(stderr)) throw new Error(`run: ${stderr}`)
    // Whoever looks for it finds it, if it was handed in.
    return readTasks(this.stage.home)[known]?.id
  }

  async submitted(words: readonly string[]): Promise<string> {
    const id = await this.submit(words)
    if (id === undefined) throw new Error('nothing was handed in')
    return id
  }

  get taskDirectories(): readonly string[] {
    const tasks = join(this.stage.home, 'tasks')
    return (existsSync(tasks) ? readdirSync(tasks) : []).filter(name => parseTaskId(name))
  }

  /** Who stands there then. */
  async untilReached(point: string): Promise<number> {
    return await eventually(`${point} is reached`, () => this.stage.standsAt(point), LIMIT_MS)
  }

  async untilSessionIsKnown(id: string): Promise<void> {
    const session = () => readTasks(this.stage.home).find(task => task.id === id)?.session
    await eventually('its session is known', session, LIMIT_MS)
  }

  /** As they are now. `file`: one of them, whose time is set again and again: else all is as it was. */
  async untilKeptAside(id: string, file: string): Promise<void> {
    const since = Date.now()
    const isKept = () => {
      utimesSync(join(this.stage.home, 'worktrees', id, file), Date.now() / 1000, Date.now() / 1000)
      const json = readTasks(this.stage.home).find(task => task.id === id)?.snapshot_json
      return json != null && JSON.parse(json).takenAt > since
    }
    await eventually('its files are kept aside', isKept, LIMIT_MS)
  }

  kill(who: readonly Victim[], id: string): Promise<void> {
    return killAll(who, this.stage, id, true)
  }

  isCancelled(id: string): boolean {
    const state = readTasks(this.stage.home).find(task => task.id === id)?.state
    return state === 'cancelled' || state === 'cancelling'
  }

  /**
   * Until a task has ended, by itself wherever a watchdog lives; else somebody looks, as people do
   * who wonder what became of it.
   */
  async untilEnded(id: string): Promise<void> {
    const deadline = performance.now() + LIMIT_MS
    let lookAt = performance.now() + LOOK_FOR_WORKER_MS
    for (;;) {
      const task = readTasks(this.stage.home).find(one => one.id === id)
      if (task !== undefined && ENDED.includes(task.state)) return
      if (performance.now() > deadline) throw new Error(`it never ended: it is ${task?.state_json}`)
      if (performance.now() > lookAt) {
        if (!this.isAttended()) {
          if (this.watchdogLived) this.complaints.push('a watchdog lived, and nobody came')
          await this.look(id)
        }
        lookAt = performance.now() + LOOK_FOR_WORKER_MS
      }
      await sleep(LOOK_MS)
    }
  }

  /** A worker lives, or a watchdog that will start one. */
  isAttended(): boolean {
    return this.stage.processes().some(line => line.includes('worker run'))
  }

  /** P1: every look finds it. */
  async look(id: string): Promise<void> {
    const { code, stdout, stderr } = await this.stage.run(['status', id, '--json'], '/')
    if (code !== 0) this.complaints.push(`status does not find it: ${stderr}`)
    else if (JSON.parse(stdout).id !== id) this.complaints.push('status finds another task')
  }

  /** The worker leaves, and no watchdog brings another. */
  async close(): Promise<void> {
    // As `worker stop` does it.
    rmSync(join(this.stage.home, 'watchdog'), { force: true })
    const worker = this.find('worker', '')
    if (worker !== undefined) killIfThere(worker, 'SIGTERM')
    const nobody = () => this.stage.processes().length === 0
    await eventually('nothing is left running', nobody, LIMIT_MS / 3).catch(() => undefined)
  }

  find(actor: Victim, id: string): number | undefined {
    return find(actor, this.stage, id)
  }
}
