/** One row of the matrix: an agent in all cases. Each agent has a file of its own, so that they run side by side. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, inject, test } from 'vitest'
import { type ScriptedModel, startScriptedModel } from '../../../src/demo/scripted-model/server.ts'
import { visibleParent } from '../../confined.ts'
import { House } from '../../end-to-end/house.ts'
import { caseNames } from './case-names.ts'
import { caseOf } from './cases.ts'
import { bring, requireMember } from './cast.ts'

const LIMIT_MS = 150_000

/** For whoever has to find out why. */
async function whatIsSeen(house: House): Promise<string> {
  const seen = ['status', 'logs'].map(async word => {
    const { stdout, stderr } = await house.run([word, '--all'].slice(0, word === 'status' ? 2 : 1))
    return `${stdout}${stderr}`
  })
  const raw = await house.run(['logs', '--raw'])
  return [...(await Promise.all(seen)), raw.stdout.slice(-3_000)].join('\n')
}

export function testRow(agent: string): void {
  const { expected } = requireMember(agent)
  const models: ScriptedModel[] = []
  const row: Record<string, string> = {}
  afterEach(async () => {
    for (const model of models.splice(0)) await model.close()
  })
  afterAll(() => {
    writeFileSync(join(inject('matrix'), `${agent}.json`), JSON.stringify(row))
  })
  describe(agent, () => {
    test.each(caseNames)(
      '%s',
      async name => {
        const { choose, play } = caseOf(name)
        const model = await startScriptedModel({ choose })
        models.push(model)
        const house = new House({}, visibleParent())
        const { scratch, environment } = house
        Object.assign(environment, await bring(agent, scratch, environment.PATH ?? '', model))
        row[name] = 'FAILED'
        try {
          row[name] = await play({ agent, house, model })
          expect(row[name]).toBe(expected[name])
        } catch (error) {
          throw new Error(await whatIsSeen(house), { cause: error })
        }
      },
      LIMIT_MS,
    )
  })
}
