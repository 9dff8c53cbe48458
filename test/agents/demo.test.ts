import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { visibleParent } from '../confined.ts'
import { House } from '../end-to-end/house.ts'
import { eventually } from '../eventually.ts'

const codex = await ensureAgent('codex')

test('the demo shows a task that outlives everything, and leaves nothing behind', async () => {
  const house = new House({}, visibleParent())
  const cache = join(house.scratch, '.cache', 'holdfast')
  house.environment.PATH = `${dirname(codex.bin)}:${house.environment.PATH}`
  const said = await house.ok(['demo'], { directory: house.scratch })
  for (const words of [
    'killed by signal 9',
    'try 2 (resume)',
    'succeeded',
    '+++ b/farewell.test.js',
    'Nothing is left behind.',
  ]) {
    expect(said).toContain(words)
  }
  expect(said).not.toContain('notes.txt')
  expect(readdirSync(cache)).toEqual([])
  await eventually('nothing runs any more', () => house.processes().length === 0)
  expect(existsSync(`${house.home}/store.db`)).toBe(false)
})
