/** Usage limits of real accounts: who waits, who does not, and that nobody asks in vain. */
import { afterEach, expect } from 'vitest'
import { say, usageLimit } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import { confinedTest, visibleParent } from '../confined.ts'
import { House } from '../end-to-end/house.ts'
import { bringAll } from './matrix/cast.ts'

const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

/** Two starts of real agents must fit into it. */
const LIMIT_MS = 30_000
/** Added to what the agent says, for clocks that differ. */
const SLACK_MS = 5_000

confinedTest(
  'two tasks of one account wait for its reset and resume by themselves; another agent’s task goes on',
  async () => {
    let resetsAt = 0
    const model = await startScriptedModel({
      choose({ path, at }) {
        if (!path.includes('/messages')) return say('From another account.')
        resetsAt ||= at + LIMIT_MS
        return at < resetsAt ? usageLimit(resetsAt) : say('Back again.')
      },
    })
    models.push(model)
    const house = new House({ HOLDFAST_TALK: 'dialogue' }, visibleParent())
    const { scratch, environment } = house
    Object.assign(
      environment,
      await bringAll(['claude', 'pi'], scratch, environment.PATH ?? '', model),
    )
    const names = ['the first', 'the second']
    const held: string[] = []
    for (const prompt of names) held.push(await house.submit(['-a', 'claude', prompt]))
    // In the only slot, in which nobody waits for a reset.
    const other = await house.submit(['-a', 'pi', 'goes on'])
    const asked = () =>
      model.requests.filter(
        ({ path, conversation }) => conversation !== null && path.includes('/messages'),
      )
    expect(await house.wait(other)).toMatchObject({
      state: 'succeeded',
      attempt: 1,
      result: { answer: 'From another account.' },
    })

    // The first to go on proves that the account is free, and the other one follows within 30 s.
    await house.run(['wait', ...held, '--timeout', '150s'], { directory: '/' })
    const begun = Date.parse((await house.task(other)).startedAt ?? '')
    let parked = 0
    for (const id of held) {
      const task = await house.task(id)
      expect(task).toMatchObject({ state: 'succeeded', result: { answer: 'Back again.' } })
      expect(Date.parse(task.endedAt ?? '')).toBeGreaterThan(resetsAt)
      expect(begun).toBeLessThan(Date.parse(task.endedAt ?? ''))
      // One of them meets the limit; the other one does too, or is held before it begins.
      const log = await house.ok(['logs', id, '-n', '1000', '--json'])
      const until = /"waiting \(usage_limit\) until (\S+) after usage_limit: /.exec(log)?.[1]
      expect(task.attempt).toBe(until === undefined ? 1 : 2)
      if (until === undefined) continue
      expect(log).toContain('"try 2 (resume): ')
      parked += 1
      const late = Date.parse(until) - resetsAt
      // What is told is cut to whole seconds.
      expect(late).toBeGreaterThan(-1_000)
      expect(late).toBeLessThan(SLACK_MS)
    }
    expect(parked).toBeGreaterThan(0)
    // A refused request is not repeated: each attempt made one.
    expect(asked().filter(({ at }) => at < resetsAt)).toHaveLength(parked)
    expect(asked()).toHaveLength(parked + held.length)
  },
)
