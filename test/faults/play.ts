/** Plays one case, and says what went wrong. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../src/domain/errors.ts'
import { bringCodex } from './codex.ts'
import type { Ground } from './ground.ts'
import type { Case } from './plan.ts'
import { readRows } from './rows.ts'
import { Scene } from './scene.ts'
import { Stage } from './stage.ts'
import { type Story, stories } from './stories.ts'
import { complaints, type Expected, processesLeft } from './verify.ts'

export interface Outcome {
  /** What does not hold, in words; empty: it survived. */
  readonly complaints: readonly string[]
  readonly lostTasks: number
  readonly lostBytes: number
  readonly ms: number
  /** The blow came too late to say anything. */
  readonly isVoid: boolean
}

/** What a death after the last step leaves is put in order by the next worker. */
const ORDER_LIMIT_MS = 60_000
const ORDER_LOOK_MS = 150
const TRIES = 3

export async function play(one: Case, ground: Ground): Promise<Outcome> {
  for (let tries = 1; ; tries++) {
    const outcome = await playOnce(one, ground)
    if (!outcome.isVoid || tries === TRIES) return outcome
  }
}

async function playOnce(one: Case, ground: Ground): Promise<Outcome> {
  const story: Story = stories[one.story]
  const began = performance.now()
  const stage = new Stage(ground, story.repository, story.environment)
  stage.setSteps(story.steps)
  await using _ = story.codex === undefined ? null : await bringCodex(stage, story.codex)
  const scene = new Scene(stage, one.point, one.who, story.gate ?? 'agent.mid-tool')
  let tasks: readonly string[] = []
  let found: string[] = []
  let isVoid = false
  const expected = expect(one, story, ground)
  try {
    // A blow that misses is known at once; a story that goes on would only wait.
    const missed = scene.strike.landed.then(() => new Promise<never>(() => undefined))
    tasks = await Promise.race([story.tell(scene), missed])
    await scene.strike.landed
    found = await inOrder(scene, tasks, expected)
    await scene.close()
    found.push(...processesLeft(stage))
  } catch (error) {
    found.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
    found.push(...(await complaintsNow(stage, tasks, expected)))
    isVoid = one.point.startsWith('wrapper.') && wasGivenUp(stage)
  } finally {
    const wentWrong = found.length > 0 || scene.complaints.length > 0
    if (wentWrong) found.push(...whatIsSeen(scene, tasks))
    const kept = stage.leave(wentWrong)
    if (kept !== undefined) found.push(`kept: ${kept}`)
  }
  const all = [...scene.complaints, ...found]
  return {
    complaints: all,
    lostTasks: all.filter(text => /is lost|does not find/.test(text)).length,
    lostBytes: all.reduce(
      (bytes, text) => bytes + Number(/^work lost: (\d+)/.exec(text)?.[1] ?? 0),
      0,
    ),
    ms: performance.now() - began,
    isVoid,
  }
}

/** While its wrapper stands still for us, on a machine that is very busy, a launch may take too long. */
function wasGivenUp({ home }: Stage): boolean {
  const events = readRows(home)?.events ?? []
  return events.some(({ text }) => /did not start within \d+ ms/.test(text ?? ''))
}

/** For whoever looks into what went wrong. */
function whatIsSeen({ stage, taskDirectories }: Scene, tasks: readonly string[]): string[] {
  const seen = stage.processes().map(line => `it lives: ${line.slice(0, 160)}`)
  for (const id of tasks.length > 0 ? tasks : taskDirectories) {
    seen.push(`its newest words: ${stage.newestWords(id)}`)
  }
  for (const { seq, kind, text } of readRows(stage.home)?.events ?? []) {
    if (text !== null) seen.push(`log: ${seq} ${kind} ${text}`)
  }
  return [...seen, `worker.log:\n${stage.log()}`]
}

function expect({ who }: Case, story: Story, ground: Ground): Expected {
  const wanted = story.end(who)
  if (wanted === 'nothing') return wanted
  const { files, ...rest } = wanted
  return { ...rest, patch: files === null ? null : ground.patch(story.repository, files) }
}

/** While a worker is up, files may go between two looks at them. */
function complaintsNow(...asked: Parameters<typeof complaints>): string[] {
  try {
    return complaints(...asked)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return [`something goes as it is looked at: ${messageOf(error)}`]
  }
}

/** Waits until all is as it should be; what is not by then. */
async function inOrder(scene: Scene, tasks: readonly string[], expected: Expected) {
  const { stage } = scene
  const deadline = performance.now() + ORDER_LIMIT_MS
  for (let helped = false; ; await sleep(ORDER_LOOK_MS)) {
    const found = complaintsNow(stage, tasks, expected)
    if (found.length === 0 || performance.now() > deadline) return found
    if (helped || scene.isAttended()) continue
    helped = true
    // The next command that needs one would start a worker too.
    await stage.run(['worker', 'start'], '/')
  }
}
