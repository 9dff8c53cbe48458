/** What happens to each agent of the matrix; each case gives in a few words how it ended. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
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
import type { CaseName } from './case-names.ts'

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
const PATIENCE_MS = 60_000
const STALL = '6s'
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

async function ended({ house }: Play, id: string): Promise<TaskView> {
  const { stdout } = await house.run(['wait', id, '--timeout', '100s', '--json'], {
    directory: '/',
  })
  return JSON.parse(stdout).tasks[0]
}

const AT_WORK = shell('echo first >> kept.txt; touch under-way; tail -f /dev/null', 'I begin.')
const LIMIT_MS = 12_000
let resetsAt = 0

const choices = {
  success: inTurn(shell('echo agent >> kept.txt'), say('All done.\nWith “quotes” and $(things).')),
  'model error': () => ({ kind: 'http_error', status: 400 }) as const,
  'usage limit': () => {
    resetsAt ||= Date.now() + LIMIT_MS
    return Date.now() < resetsAt ? usageLimit(resetsAt) : say('Back again.')
  },
  'kill -9': beforeAndAfter([AT_WORK], say('All done.')),
  cancel: () => AT_WORK,
  'deleted worktree': () => AT_WORK,
  'denied permission': inTurn(
    shell('echo no > ../outside.txt; echo no > "$HOME/outside.txt"; echo yes > inside.txt'),
    say('I tried.'),
  ),
  // Some keep a session only once the model has said something in it.
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
    expect(house.fingerprint()).toBe(before)
    return task.state
  },

  async 'model error'(play) {
    const task = await ended(play, await hand(play))
    return `${task.state}: ${task.error?.code}`
  },

  async 'usage limit'(play) {
    const { house } = play
    resetsAt = 0
    const id = await hand(play, '--stall', STALL)
    const parked = await eventually(
      'it is parked',
      async () => {
        const task = await house.task(id)
        return (task.state === 'waiting' || task.state === 'failed') && task
      },
      PATIENCE_MS,
    )
    if (!parked.reason?.startsWith('usage_limit after usage_limit')) return `${parked.reason}`
    const late = Date.parse(parked.waitingUntil ?? '') - resetsAt
    const isExact = late >= 0 && late < 5_000
    const isToTheMinute = late >= 0 && late < 65_000
    if (!isExact) await house.ok(['resume', id])
    const task = await ended(play, id)
    expect(task).toMatchObject({ state: 'succeeded', result: { answer: 'Back again.' } })
    expect(task.attempt).toBeGreaterThan(1)
    if (isExact) return 'parked, resumed at the reset'
    return isToTheMinute
      ? 'parked to the minute, resumed by hand'
      : 'parked, reset unknown, resumed by hand'
  },

  async 'kill -9'(play) {
    const { house, model } = play
    const id = await hand(play)
    await underWay(play, id)
    const { session } = await eventually('its session is known', async () => {
      const task = await house.task(id)
      return task.session !== null && task
    })
    process.kill(house.pid(id), 'SIGKILL')
    const task = await ended(play, id)
    expect(task).toMatchObject({ state: 'succeeded', attempt: 2, session })
    const resumed = heard(model).at(-1) ?? ''
    for (const history of [MARK, 'You were interrupted']) {
      expect([history, resumed.includes(history)]).toEqual([history, true])
    }
    expect((await house.ok(['diff', id])).match(/^\+\w.*$/gm)).toEqual(['+first'])
    return 'resumed in its session'
  },

  async cancel(play) {
    const { house } = play
    const id = await hand(play)
    await underWay(play, id)
    await house.ok(['cancel', id])
    const task = await ended(play, id)
    expect(task).toMatchObject({ state: 'cancelled', attempt: 1 })
    expect(await house.ok(['diff', id])).toContain('+first')
    return 'cancelled, work kept'
  },

  async 'deleted worktree'(play) {
    const { house } = play
    const id = await hand(play)
    await underWay(play, id)
    rmSync(house.worktree(id), { recursive: true, force: true, maxRetries: 5 })
    const task = await ended(play, id)
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

  async 'silent hang'(play) {
    const id = await hand(play, '--stall', STALL)
    const task = await ended(play, id)
    expect(task).toMatchObject({ state: 'succeeded', result: { answer: 'Awake.' } })
    expect(task.attempt).toBe(2)
    return 'interrupted and resumed'
  },
}

export const caseOf = (name: CaseName): Case => ({ choose: choices[name], play: plays[name] })
