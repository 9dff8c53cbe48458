import { expect, it } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import {
  type ClaudeHomeOptions,
  writeClaudeHome,
} from '../../src/demo/scripted-model/claude-home.ts'
import { say, shell, type Turn, usageLimit } from '../../src/demo/scripted-model/script.ts'
import { expectTwoTurns, made, runAlone, type Scene, setScene } from './alone.ts'
import { turnsOf } from './turns.ts'

const { bin } = await ensureAgent('claude')

async function run(scene: Scene, options?: ClaudeHomeOptions) {
  const words = ['-p', '--output-format', 'stream-json', '--verbose']
  const environment = {
    ...(await writeClaudeHome(scene.home, scene.model.origin, options)),
    // As root, it refuses to bypass permissions anywhere else.
    ...(process.getuid?.() === 0 && { IS_SANDBOX: '1' }),
  }
  const argv = [bin, ...words, '--permission-mode', 'bypassPermissions', 'Make made.txt']
  return runAlone(scene, argv, environment)
}

it('Claude Code runs a command and says its text', async () => {
  const scene = await setScene([shell('echo hello > made.txt', 'Making it.'), say('It is made.')])
  const { code, said, stderr } = await run(scene)
  expect([code, stderr]).toEqual([0, ''])
  expect(said.at(-1)).toMatchObject({ type: 'result', is_error: false, result: 'It is made.' })
  expect(made(scene)).toBe('hello\n')
  expectTwoTurns(scene.model, 'Make made.txt')
})

it('Claude Code reaches its usage limit; a subscription’s says until when', async () => {
  const until = Date.now() + 3_600_000
  const scene = await setScene([usageLimit(until)])
  const { code, said } = await run(scene, { credential: 'subscription' })
  expect(code).toBe(1)
  expect(said.find(({ type }) => type === 'rate_limit_event')).toMatchObject({
    rate_limit_info: { status: 'rejected', resetsAt: Math.ceil(until / 1000) },
  })
  expect(said.at(-1)).toMatchObject({ type: 'result', is_error: true, api_error_status: 429 })
})

it('Claude Code, whose streams break, asks for an answer in one piece', async () => {
  const drop: Turn = { kind: 'drop', when: 'mid' }
  const scene = await setScene([drop, drop, say('Here again.')])
  const { said } = await run(scene)
  expect(said.at(-1)).toMatchObject({ is_error: false, result: 'Here again.' })
  expect(turnsOf(scene.model).at(-1)?.body).not.toMatchObject({ stream: true })
})
