/** Who reads our JSON need not know which agent did the work. */
import { afterEach, expect } from 'vitest'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import { confinedTest, visibleParent } from '../confined.ts'
import { House } from '../end-to-end/house.ts'
import { bringAll, cast } from './matrix/cast.ts'

const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

/** The path of each leaf of a JSON and what it holds; elements of an array are one place. */
function shapeOf(value: unknown, path = '', found: Record<string, string> = {}) {
  if (Array.isArray(value)) {
    found[path] = 'array'
    for (const one of value) shapeOf(one, `${path}[]`, found)
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, one] of Object.entries(value)) shapeOf(one, `${path}.${key}`, found)
  } else found[path] = value === null ? 'null' : typeof value
  return found
}

/** What an agent may know or not: null is "not known". */
const MAY_BE_NULL: readonly string[] = [
  '.usage.costUsd',
  '.usage.cachedInputTokens',
  '.commands[].exitCode',
]

const mayBeNull = (path: string) => MAY_BE_NULL.some(one => path.endsWith(one))

const names = Object.keys(cast)

confinedTest(
  'the same prompt by all agents gives results of one shape',
  async () => {
    const model = await startScriptedModel({
      choose: ({ conversation }) =>
        conversation.resultsAfter.some(count => count > 0)
          ? say('All done.')
          : shell('echo agent >> kept.txt', 'I begin.'),
    })
    models.push(model)
    const house = new House({ HOLDFAST_TALK: 'dialogue' }, visibleParent())
    const { scratch, environment } = house
    Object.assign(environment, await bringAll(names, scratch, environment.PATH ?? '', model))

    const ids = new Map<string, string>()
    for (const name of names) ids.set(name, await house.submit(['-a', name, 'the same for all']))
    await house.run(['wait', ...ids.values(), '--timeout', '500s'], { directory: '/' })

    const shapes = await Promise.all(
      names.map(async name => {
        const id = ids.get(name) ?? ''
        const result = await house.evidence(id)
        const task = await house.task(id)
        expect(task).toMatchObject({
          agent: name,
          state: 'succeeded',
          result: { answer: 'All done.', files: 1, insertions: 1 },
          error: null,
        })
        expect([name, result.commands.map(({ command }) => command)]).toEqual([
          name,
          [expect.stringContaining('echo agent >> kept.txt')],
        ])
        return { name, shape: shapeOf({ result, task }) }
      }),
    )
    const first = shapes[0]?.shape ?? {}
    expect(Object.keys(first).length).toBeGreaterThan(80)
    for (const { name, shape } of shapes) {
      expect([name, Object.keys(shape).sort()]).toEqual([name, Object.keys(first).sort()])
      const others = Object.keys(first).filter(
        path => shape[path] !== first[path] && !mayBeNull(path),
      )
      expect([name, others]).toEqual([name, []])
    }
  },
  600_000,
)
