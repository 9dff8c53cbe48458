/** Three real agents race on one prompt; what each has done is verified, and one is picked. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import type { GroupView } from '../../src/surfaces/view.ts'
import { confinedTest, visibleParent } from '../confined.ts'
import { House } from '../end-to-end/house.ts'
import { bringAll } from './matrix/cast.ts'

const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

/** It tries what no agent may, and says whom it can reach. */
const VERIFY = `sh -c 'touch "$HOME/escaped" 2>/dev/null; cut -d: -f1 /proc/net/dev; grep -q right race.txt'`

confinedTest(
  'three agents race, one has to mend its work, one is picked, and the others come back',
  async () => {
    const model = await startScriptedModel({
      choose({ path, conversation: { userTexts, resultsAfter } }) {
        const told = userTexts.findLastIndex(text => text.includes('Your work was verified'))
        if (told >= 0) {
          const isMended = resultsAfter.slice(told).some(count => count > 0)
          return isMended ? say('Mended.') : shell('echo right >race.txt')
        }
        if (resultsAfter.some(count => count > 0)) return say('All done.')
        const word = path.includes('/messages') ? 'wrong' : 'right'
        return shell(`echo ${word} >race.txt; cat mine.txt >>race.txt`, 'I begin.')
      },
    })
    models.push(model)
    const house = new House({ HOLDFAST_SLOTS: '3' }, visibleParent())
    const { scratch, environment } = house
    const names = ['codex', 'claude', 'pi']
    Object.assign(environment, await bringAll(names, scratch, environment.PATH ?? '', model))
    house.write('mine.txt', 'of the caller\n')
    const words = ['run', '-a', names.join(), 'Race for it', '--verify', VERIFY, '--json']
    const { name, tasks } = JSON.parse(await house.ok(words)) as GroupView
    expect([name, tasks.map(task => task.name)]).toEqual([
      'race-for-it',
      names.map(agent => `race-for-it-${agent}`),
    ])
    await house.run(['wait', 'race-for-it', '--timeout', '500s'], { directory: '/' })
    const ended = await Promise.all(tasks.map(({ id }) => house.task(id)))
    const [codex, claude, pi] = ended
    if (codex === undefined || claude === undefined || pi === undefined)
      throw new Error('three ran')
    for (const task of ended) {
      expect(task).toMatchObject({
        state: 'succeeded',
        verify: { state: 'passed', failedBefore: task === claude ? 1 : 0 },
        result: { files: 1, answer: task === claude ? 'Mended.' : 'All done.' },
      })
      expect(task.base).toEqual(codex.base)
    }
    // The agent goes on in its own session, and is told what was wrong.
    expect(claude.attempt).toBe(2)
    expect(await house.ok(['logs', claude.id])).toContain('> Your work was verified')
    // Nobody's verification had more than its agent has; Codex lets its tools reach nobody.
    expect(existsSync(join(scratch, 'escaped'))).toBe(false)
    expect(
      codex.verify?.output
        ?.split('\n')
        .slice(2)
        .map(line => line.trim()),
    ).toEqual(['lo', ''])

    const table = await house.ok(['diff', 'race-for-it'])
    for (const agent of names)
      expect(table).toMatch(new RegExp(`^ {2}${agent} +succeeded +passed `, 'm'))
    await house.ok(['pick', pi.id])
    expect(house.git('show', 'HEAD:race.txt')).toBe('right\nof the caller\n')
    for (const other of [codex, claude]) {
      const tree = house.worktree(other.id)
      expect(existsSync(tree)).toBe(false)
      expect(await house.task(other.id)).toMatchObject({ picked: false })
      await house.ok(['restore', other.name])
      const text = other === claude ? 'right\n' : 'right\nof the caller\n'
      expect(readFileSync(join(tree, 'race.txt'), 'utf8')).toBe(text)
    }
  },
)
