/** One row of the matrix: an agent in all cases. Each agent has a file of its own, so that they run side by side. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, inject, test } from 'vitest'
import { type ScriptedModel, startScriptedModel } from '../../../src/demo/scripted-model/server.ts'
import { messageOf } from '../../../src/domain/errors.ts'
import { visibleParent, whyUnconfined } from '../../confined.ts'
import { House } from '../../end-to-end/house.ts'
import { type CaseName, caseNames } from './case-names.ts'
import { caseOf } from './cases.ts'
import { bring, NOT_PLAYED, requireMember } from './cast.ts'

const LIMIT_MS = 600_000
/** In a cell. */
const REASON_LENGTH = 60

/** For whoever has to find out why. */
async function whatIsSeen(house: House): Promise<string> {
  const seen = [['status', '--all'], ['logs']].map(async words => {
    const { stdout, stderr } = await house.run(words)
    return `${stdout}${stderr}`
  })
  const raw = await house.run(['logs', '--raw'])
  return [...(await Promise.all(seen)), raw.stdout.slice(-3_000)].join('\n')
}

const inCell = (why: string) => why.replace(/\s+/g, ' ').slice(0, REASON_LENGTH)

export function testRow(agent: string): void {
  const { expected, confinesItself } = requireMember(agent)
  const whyNot = confinesItself ? null : whyUnconfined
  const models: ScriptedModel[] = []
  const row = {} as Record<CaseName, string>
  for (const name of caseNames) {
    row[name] = whyNot === null ? 'not run: it was not chosen' : `not run: ${inCell(whyNot)}`
  }
  const isPlayed = (name: CaseName) => !expected[name].startsWith(NOT_PLAYED)
  for (const name of caseNames.filter(one => !isPlayed(one))) row[name] = expected[name]
  afterEach(async () => {
    for (const model of models.splice(0)) await model.close()
  })
  afterAll(() => {
    writeFileSync(join(inject('matrix'), `${agent}.json`), JSON.stringify(row))
  })
  describe.skipIf(whyNot !== null)(
    whyNot === null ? agent : `${agent} (skipped: ${whyNot})`,
    () => {
      test.each(caseNames.filter(isPlayed))(
        '%s',
        async name => {
          row[name] = 'FAILED: it took too long'
          const { choose, play } = caseOf(name)
          const model = await startScriptedModel({ choose })
          models.push(model)
          const house = new House({ HOLDFAST_TALK: 'dialogue' }, visibleParent())
          const { scratch, environment } = house
          try {
            Object.assign(environment, await bring(agent, scratch, environment.PATH ?? '', model))
            row[name] = await play({ agent, house, model })
          } catch (error) {
            row[name] = `FAILED: ${inCell(messageOf(error))}`
            throw new Error(await whatIsSeen(house), { cause: error })
          }
          expect(row[name]).toBe(expected[name])
        },
        LIMIT_MS,
      )
    },
  )
}
