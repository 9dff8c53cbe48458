import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { House } from '../end-to-end/house.ts'

const codex = await ensureAgent('codex')
const demos = () => readdirSync(tmpdir()).filter(name => name.startsWith('holdfast-demo-'))

test('the demo shows a task that outlives everything, and leaves nothing behind', async () => {
  const house = new House()
  house.environment.PATH = `${dirname(codex.bin)}:${house.environment.PATH}`
  const before = demos()
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
  expect(demos()).toEqual(before)
  expect(house.processes()).toEqual([])
  expect(existsSync(`${house.home}/store.db`)).toBe(false)
})
