import { expect, it } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeGeminiHome } from '../../src/demo/scripted-model/gemini-home.ts'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { expectTwoTurns, made, runAlone, setScene } from './alone.ts'

const { bin } = await ensureAgent('gemini')

it('Gemini CLI runs a command and says its text', async () => {
  const scene = await setScene([shell('echo hello > made.txt', 'Making it.'), say('It is made.')])
  const environment = await writeGeminiHome(scene.home, scene.model.origin)
  const argv = [bin, '--yolo', '--output-format', 'stream-json', '-p', 'Make made.txt']
  const { code, said } = await runAlone(scene, argv, environment)
  expect(code).toBe(0)
  const text = said.filter(({ role }) => role === 'assistant').map(({ content }) => content)
  expect(text.join('')).toBe('Making it.It is made.')
  expect(said.at(-1)).toMatchObject({ type: 'result', status: 'success' })
  expect(made(scene)).toBe('hello\n')
  expectTwoTurns(scene.model, 'Make made.txt')
})
