/** What happens to each agent of the matrix; each case gives in a few words how it ended. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import {
  type Choose,
  say,
  shell,
  type Turn,
  usageLimit,
} from '../../../src/demo/scripted-model/script.ts'
import type { ScriptedModel } from '../../../src/demo/scripted-model/server.ts'
import type { TaskView } from '../../../src/surfaces/view.ts'
import type { House } from '../../end-to-end/house.ts'
import { eventually } from '../../eventually.ts'
import { heard } from '../house-with-model.ts'
import { killAllIn, othersIn } from '../standing.ts'
import type { CaseName } from './case-names.ts'
import { requireMember } from './cast.ts'

export interface Play {
  readonly agent: string
  readonly house: House
  readonly model: ScriptedModel
}

interface Case {
  readonly choose: Choose
  readonly play: (play: Play) => Promise<string>
}

/** Slow agents on a loaded machine: the heaviest takes 10 s until its first word. */
const PATIENCE_MS = 150_000
const STALL = '6s'
/** Nobody waits for it. */
const LONG_LIMIT_MS = 20 * 60_000
const MARK = 'REMEMBER-THIS'

/** Turn by turn, by the results of tools that were given back. */
const inTurn =
  (...turns: readonly Turn[]): Choose =>
  ({ conversation }) =>
    turns[Math.min(sumOf(conversation.resultsAfter), turns.length - 1)]

const sumOf = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)

/** In a session that goes on, `after`; else turn by turn. */
const beforeAndAfter =
  (before: readonly Turn[], after: Turn): Choose =>
  asked => {
    const { userTexts } = asked.conversation
    const goesOn = userTexts.some(text => text.includes('You were interrupted'))
    return goesOn ? after : inTurn(...before)(asked)
  }

const hand = ({ agent, house }: Play, ...flags: string[]) =>
  house.submit(['-a', agent, `${MARK}: change something`, ...flags])

const underWay = ({ house }: Play, id: string) =>
  eventually(
    'its tool is at work',
    () => existsSync(join(house.worktree(id), 'under-way')),
    PATIENCE_MS,
  )

/** Whatever its end: nothing of it runs any more by then, and the exit code of `wait` says the same. */
async function ended({ house }: Play, id: string): Promise<TaskView> {
  const { stdout, code } = await house.run(['wait', id, '--timeout', '170s', '--json'], {
    directory: '/',
  })
  const task: TaskView = JSON.parse(stdout).tasks[0]
  expect(othersIn(house.worktree(id))).toEqual([])
  expect([task.state, code === 0]).toEqual([task.state, task.state === 'succeeded'])
  return task
}

/** Its session, once it is known. */
async function sessionOf({ house }: Play, id: string): Promise<string> {
  return eventually(
    'its session is known',
    async () => {
      const { session } = await house.task(id)
      // Each look starts a program: the agents need the processors.
      await sleep(1_000)
      return session
    },
    PATIENCE_MS,
  )
}

/** Once it waits until a limit that is far away, or has come to its end before. */
async function parkedOrFailed({ house }: Play, id: string): Promise<void> {
  await eventually(
    'it is parked',
    async () => {
      const { state } = await house.task(id)
      await sleep(1_000)
      return state === 'waiting' || state === 'failed'
    },
    PATIENCE_MS,
  )
}

/** It goes on where it was: the same session, with what was said in it. */
function expectResumed({ model }: Play, ...history: string[]): void {
  const resumed = heard(model).filter(text => text.includes('You were interrupted'))
  expect(resumed.length).toBeGreaterThan(0)
  for (const text of resumed) {
    for (const words of [MARK, ...history]) {
      expect([words, text.includes(words)]).toEqual([words, true])
    }
  }
}

/** What the log says of how its attempts went. */
async function toldOf({ house }: Play, id: string): Promise<string> {
  const { timeline } = await house.evidence(id)
  return timeline.map(({ text }) => text).join('\n')
}

const AT_WORK = shell('echo first >> kept.txt; touch under-way; tail -f /dev/null', 'I begin.')
/**
 * When the account is free again; once somebody has lifted it, it is at once. Of a near one the time
 * begins with the first request: who knows how long an agent takes to start.
 */
const limit = { resetsAt: 0, nearMs: 0, isLifted: false }

const choices = {
  success: inTurn(shell('echo agent >> kept.txt'), say('All done.\nWith “quotes” and $(things).')),
  'model error': () => ({
    kind: 'http_error',
    status: 400,
    // As services say it: of a refusal that calls itself an error of the server, agents make one.
    body: { error: { type: 'invalid_request_error', message: 'bad shape' } },
  }),
  // Some keep a session only once the model has said something in it.
  'server error': beforeAndAfter(
    [shell('true', 'I begin.'), { kind: 'http_error', status: 500 }],
    say('Up again.'),
  ),
  'usage limit': ({ at }) => {
    limit.resetsAt ||= at + limit.nearMs
    return limit.isLifted || at >= limit.resetsAt ? say('Back again.') : usageLimit(limit.resetsAt)
  },
  'kill -9': beforeAndAfter([AT_WORK], say('All done.')),
  cancel: () => AT_WORK,
  'deleted worktree': () => AT_WORK,
  'denied permission': inTurn(
    shell('echo no > ../outside.txt; echo no > "$HOME/outside.txt"; echo yes > inside.txt'),
    say('I tried.'),
  ),
  'denied by a rule': inTurn(shell('touch denied.txt'), say('It was refused.')),
  'silent hang': beforeAndAfter([shell('true', 'I begin.'), { kind: 'hang' }], say('Awake.')),
} satisfies Record<CaseName, Choose>

const plays: Readonly<Record<CaseName, (play: Play) => Promise<string>>> = {
  async success(play) {
    const { house } = play
    const before = house.fingerprint()
    const id = await hand(play)
    const task = await ended(play, id)
    expect(task).toMatchObject({ state: 'succeeded', attempt: 1, agent: play.agent })
    expect(await house.ok(['result', id])).toBe('All done.\nWith “quotes” and $(things).')
    expect((await house.ok(['diff', id])).match(/^[+-][^+-].*$/gm)).toEqual(['+agent'])
    expect(task.session).not.toBeNull()
    expect(task.usage?.outputTokens).toBeGreaterThan(0)
    expect(heard(play.model)[0]).toContain(`${MARK}: change something`)
    expect(house.fingerprint()).toBe(before)
    return task.state
  },

  async 'model error'(play) {
    const task = await ended(play, await hand(play))
    expect(task).toMatchObject({ attempt: 1, result: { answer: null, files: 0 } })
    return `${task.state}: ${task.error?.code}`
  },

  // Whoever tries again silently and without end is found by its silence.
  async 'server error'(play) {
    const id = await hand(play, '--stall', STALL)
    const session = await sessionOf(play, id)
    const task = await ended(play, id)
    expect(task).toMatchObject({ state: 'succeeded', attempt: 2, session })
    expect(task.result?.answer).toBe('Up again.')
    expect(await toldOf(play, id)).toMatch(/model_unavailable|stalled|stood still/)
    expectResumed(play, 'I begin.')
    return 'resumed in its session'
  },

  async 'usage limit'(play) {
    const { house } = play
    const { limitMs } = requireMember(play.agent)
    const isFar = limitMs === undefined
    // In mid-minute where it is far: who names the minute alone is told from who names the second.
    const farAt = Math.floor((Date.now() + LONG_LIMIT_MS) / 60_000) * 60_000 + 20_000
    Object.assign(limit, { resetsAt: isFar ? farAt : 0, nearMs: limitMs, isLifted: false })
    const id = await hand(play, '--stall', STALL)
    if (isFar) await parkedOrFailed(play, id)
    // A near one may be over before anybody looks.
    const over = isFar ? null : await ended(play, id)
    const log = await house.ok(['logs', id, '-n', '1000', '--json'])
    const until = /"waiting \(usage_limit\) until (\S+) after usage_limit: /.exec(log)?.[1]
    if (until === undefined) return `${(await house.task(id)).reason ?? over?.state}`
    const late = Date.parse(until) - limit.resetsAt
    const precision =
      late < -1_000 || late >= 65_000
        ? ', reset unknown'
        : // Who names its minute is 40 s late; who says how long is as late as we hear of it.
          late < 30_000
          ? ' until the reset'
          : ' until its minute'
    if (isFar) {
      limit.isLifted = true
      await house.ok(['resume', id])
    }
    const task = over ?? (await ended(play, id))
    expect(task).toMatchObject({ state: 'succeeded', result: { answer: 'Back again.' } })
    expect(task.attempt).toBeGreaterThan(1)
    if (isFar) return `parked${precision}, resumed by hand`
    expect(Date.parse(task.endedAt ?? '')).toBeGreaterThan(limit.resetsAt)
    return `parked${precision}, resumed by itself`
  },

  async 'kill -9'(play) {
    const { house } = play
    const id = await hand(play)
    await underWay(play, id)
    const session = await sessionOf(play, id)
    // The agent, and whatever stands in its worktree.
    process.kill(house.pid(id), 'SIGKILL')
    killAllIn(house.worktree(id))
    const task = await ended(play, id)
    expect(task).toMatchObject({ state: 'succeeded', attempt: 2, session })
    expectResumed(play, 'I begin.')
    expect((await house.ok(['diff', id])).match(/^\+\w.*$/gm)).toEqual(['+first'])
    return 'resumed in its session'
  },

  async cancel(play) {
    const { house } = play
    const id = await hand(play)
    await underWay(play, id)
    await house.ok(['cancel', id])
    const task = await ended(play, id)
    expect(task).toMatchObject({ state: 'cancelled', attempt: 1, error: null })
    expect(await house.ok(['diff', id])).toContain('+first')
    return 'cancelled, work kept'
  },

  async 'deleted worktree'(play) {
    const { house } = play
    const id = await hand(play)
    await underWay(play, id)
    rmSync(house.worktree(id), { recursive: true, force: true, maxRetries: 5 })
    const task = await ended(play, id)
    expect(task.attempt).toBe(1)
    return `${task.state}: ${task.error?.code}`
  },

  async 'denied permission'(play) {
    const { house } = play
    const id = await hand(play)
    const task = await ended(play, id)
    expect(task).toMatchObject({ state: 'succeeded', permissions: { effective: 'workspace' } })
    expect(await house.ok(['diff', id])).toContain('+yes')
    const outside = [join(house.home, 'worktrees'), house.scratch]
    return outside.some(place => existsSync(join(place, 'outside.txt'))) ? 'DONE' : 'not done'
  },

  async 'denied by a rule'(play) {
    const { agent, house } = play
    const { forbidTouch } = requireMember(agent)
    if (typeof forbidTouch === 'string') return forbidTouch
    forbidTouch(join(house.scratch, 'agent-home'))
    const id = await hand(play)
    const task = await ended(play, id)
    const { refused } = await house.evidence(id)
    const end = task.state === 'succeeded' ? '' : `${task.state}: ${task.error?.code}, `
    if ((await house.ok(['diff', id])) !== '') return `${end}DONE`
    if (refused.length === 0) return `${end}not done, not told`
    expect(refused[0]?.action).toContain('touch denied.txt')
    return `${end}not done, and told`
  },

  async 'silent hang'(play) {
    const id = await hand(play, '--stall', STALL)
    const session = await sessionOf(play, id)
    const task = await ended(play, id)
    expect(task).toMatchObject({ state: 'succeeded', attempt: 2, session })
    expect(task.result?.answer).toBe('Awake.')
    expect(await toldOf(play, id)).toContain('stood still')
    expectResumed(play, 'I begin.')
    return 'interrupted and resumed'
  },
}

export const caseOf = (name: CaseName): Case => ({ choose: choices[name], play: plays[name] })
