/** What docs/agents/acp.md says of each agent that speaks the Agent Client Protocol. */
import { afterEach, describe, expect, it } from 'vitest'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { type AcpAgent, type AcpOptions, startAcp } from './acp-client.ts'
import { type Command, commands } from './acp-commands.ts'
import { expectTwoTurns, made, type Scene, setScene } from './alone.ts'
import { turnsOf } from './turns.ts'

const running: AcpAgent[] = []
afterEach(async () => {
  for (const agent of running.splice(0)) await agent.end(2_000)
})

async function start(scene: Scene, command: Command, options: AcpOptions): Promise<AcpAgent> {
  const agent = startAcp(scene, command.argv, command.environment, options)
  running.push(agent)
  const clientCapabilities = { fs: { readTextFile: false, writeTextFile: false } }
  const greeting = await agent.request('initialize', { protocolVersion: 1, clientCapabilities })
  expect(greeting).toMatchObject({ protocolVersion: 1, agentCapabilities: { loadSession: true } })
  return agent
}

const prompt = (agent: AcpAgent, sessionId: string, text: string) =>
  agent.request('session/prompt', { sessionId, prompt: [{ type: 'text', text }] })

const openSession = async (agent: AcpAgent, { workspace }: Scene) =>
  (await agent.request<{ sessionId: string }>('session/new', { cwd: workspace, mcpServers: [] }))
    .sessionId

describe.each(Object.entries(commands))('%s', (_name, prepare) => {
  it('runs a command, says its text, and goes on with a session that it loads', async () => {
    const scene = await setScene([
      shell('echo hello > made.txt', 'Making it.'),
      say('It is made.'),
      say('It was made before.'),
    ])
    const command = await prepare(scene)
    const first = await start(scene, command, { permission: 'allow_once' })
    const sessionId = await openSession(first, scene)
    expect(await prompt(first, sessionId, 'Make made.txt')).toMatchObject({
      stopReason: 'end_turn',
    })
    expect(made(scene)).toBe('hello\n')
    expectTwoTurns(scene.model, 'Make made.txt')
    await first.end(2_000)

    await command.beforeLoad?.()
    const second = await start(scene, command, { permission: 'allow_once' })
    await second.request('session/load', { sessionId, cwd: scene.workspace, mcpServers: [] })
    expect(await prompt(second, sessionId, 'And now?')).toMatchObject({ stopReason: 'end_turn' })
    expect(JSON.stringify(turnsOf(scene.model).at(-1)?.body)).toContain('It is made.')
  })
})
