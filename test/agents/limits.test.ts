/** Usage limits of real accounts: who waits, who does not, and that nobody asks in vain. */
import { afterEach, expect } from 'vitest'
import { say, usageLimit } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import { confinedTest, visibleParent } from '../confined.ts'
import { House } from '../end-to-end/house.ts'
import { eventually } from '../eventually.ts'
import { bringAll } from './matrix/cast.ts'

const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

/** Two starts of real agents must fit into it. */
const LIMIT_MS = 40_000
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
    const held = [
      await house.submit(['-a', 'claude', 'the first']),
      await house.submit(['-a', 'claude', 'the second']),
    ]
    const asked = () =>
      model.requests.filter(
        ({ path, conversation }) => conversation !== null && path.includes('/messages'),
      )

    // One of them meets the limit; the other one does too, or is held before it begins.
    const first = await eventually('both are held', async () => {
      const tasks = await Promise.all(held.map(id => house.task(id)))
      const isHeld = /^usage_limit after usage_limit: |whose usage limit was met$/
      return tasks.every(({ reason }) => isHeld.test(reason ?? '')) && tasks
    })
    const parked = first.filter(({ state }) => state === 'waiting')
    expect(parked.length).toBeGreaterThan(0)
    for (const { waitingUntil } of parked) {
      const late = Date.parse(waitingUntil ?? '') - resetsAt
      // What is told is cut to whole seconds.
      expect(late).toBeGreaterThan(-1_000)
      expect(late).toBeLessThan(SLACK_MS)
    }

    const other = await house.submit(['-a', 'pi', 'goes on'])
    expect(await house.wait(other)).toMatchObject({
      state: 'succeeded',
      attempt: 1,
      result: { answer: 'From another account.' },
    })
    expect(Date.now()).toBeLessThan(resetsAt)

    // The first to go on proves that the account is free, and the other one follows within 30 s.
    await house.run(['wait', ...held, '--timeout', '150s'], { directory: '/' })
    for (const id of held) {
      const task = await house.task(id)
      expect(task).toMatchObject({ state: 'succeeded', result: { answer: 'Back again.' } })
      expect(Date.parse(task.endedAt ?? '')).toBeGreaterThan(resetsAt)
      expect(task.session).toBe(parked.find(one => one.id === id)?.session ?? task.session)
    }
    const refused = asked().filter(({ at }) => at < resetsAt)
    // A refused request is not repeated: each attempt made one.
    expect(refused.length).toBe(parked.length)
    expect(asked().length).toBe(refused.length + held.length)
  },
)
