import { expect, it } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writePiHome } from '../../src/demo/scripted-model/pi-home.ts'
import { say, shell, type Turn, usageLimit } from '../../src/demo/scripted-model/script.ts'
import { expectTwoTurns, made, runAlone, setScene } from './alone.ts'

const { bin } = await ensureAgent('pi')

async function run(turns: readonly Turn[]) {
  const scene = await setScene(turns)
  const environment = await writePiHome(scene.home, scene.model.url)
  const argv = [bin, '--mode', 'json', '--no-extensions', '-p', 'Make made.txt']
  return { scene, ...(await runAlone(scene, argv, environment)) }
}

/** What it said last, with how it ended. */
const lastMessage = (text: string | undefined, stopReason: string) => ({
  role: 'assistant',
  stopReason,
  ...(text !== undefined && { content: [{ type: 'text', text }] }),
})

it('Pi runs a command and says its text', async () => {
  const turns = [shell('echo hello > made.txt', 'Making it.'), say('It is made.')]
  const { scene, code, said, stderr } = await run(turns)
  expect([code, stderr]).toEqual([0, ''])
  expect(said.findLast(({ type }) => type === 'message_end')).toMatchObject({
    message: lastMessage('It is made.', 'stop'),
  })
  expect(said.at(-1)).toMatchObject({ type: 'agent_end' })
  expect(made(scene)).toBe('hello\n')
  expectTwoTurns(scene.model, 'Make made.txt')
})

it('Pi reaches a usage limit without sleeping through it', async () => {
  const limit = usageLimit(Date.now() + 3_600_000)
  const { code, said } = await run([limit, limit])
  expect(code).toBe(0)
  expect(said.findLast(({ type }) => type === 'message_end')).toMatchObject({
    message: lastMessage(undefined, 'error'),
  })
})
