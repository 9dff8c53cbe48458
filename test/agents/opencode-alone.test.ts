import { expect, it } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeOpenCodeHome } from '../../src/demo/scripted-model/opencode-home.ts'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { expectTwoTurns, made, runAlone, setScene } from './alone.ts'

const { bin } = await ensureAgent('opencode')

it('OpenCode runs a command and says its text', async () => {
  const scene = await setScene([shell('echo hello > made.txt', 'Making it.'), say('It is made.')])
  const environment = await writeOpenCodeHome(scene.home, scene.model.url)
  const argv = [bin, 'run', '--format', 'json', '--auto', 'Make made.txt']
  const { code, said } = await runAlone(scene, argv, environment)
  expect(code).toBe(0)
  expect(said.findLast(({ type }) => type === 'text')).toMatchObject({
    part: { text: 'It is made.' },
  })
  expect(said.at(-1)).toMatchObject({ type: 'step_finish', part: { reason: 'stop' } })
  expect(made(scene)).toBe('hello\n')
  expectTwoTurns(scene.model, 'Make made.txt')
})
