/** What docs/agents/acp.md says of each agent that speaks the Agent Client Protocol. */
import { renameSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeClaudeHome } from '../../src/demo/scripted-model/claude-home.ts'
import { writeCodexHome } from '../../src/demo/scripted-model/codex-home.ts'
import { writeGeminiHome } from '../../src/demo/scripted-model/gemini-home.ts'
import { writeOpenCodeHome } from '../../src/demo/scripted-model/opencode-home.ts'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { type AcpAgent, type AcpOptions, startAcp } from './acp-client.ts'
import { expectTwoTurns, made, type Scene, setScene } from './alone.ts'

interface Command {
  readonly argv: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** What must be done before a session can be loaded. */
  readonly beforeLoad?: () => Promise<void>
}

const commands: Readonly<Record<string, (scene: Scene) => Promise<Command>>> = {
  'claude-agent-acp': async ({ home, model }) => ({
    argv: [(await ensureAgent('claude-acp')).bin],
    environment: {
      ...(await writeClaudeHome(home, model.origin)),
      CLAUDE_CODE_EXECUTABLE: (await ensureAgent('claude')).bin,
    },
  }),
  'codex-acp': async ({ home, model }) => ({
    argv: [(await ensureAgent('codex-acp')).bin],
    environment: {
      ...(await writeCodexHome(home, model.url)),
      CODEX_PATH: (await ensureAgent('codex')).bin,
    },
  }),
  opencode: async ({ home, model }) => ({
    argv: [(await ensureAgent('opencode')).bin, 'acp'],
    environment: await writeOpenCodeHome(home, model.url, { permission: { bash: 'ask' } }),
  }),
  gemini: async ({ home, model }) => ({
    argv: [(await ensureAgent('gemini')).bin, '--acp'],
    environment: await writeGeminiHome(home, model.origin),
    beforeLoad: () => datedEarlier(home),
  }),
}

/**
 * Gemini CLI names a session's file after the minute, and to load the session begins such a file:
 * within the same minute it is the same one, and its history is lost.
 */
async function datedEarlier(home: string): Promise<void> {
  for await (const file of glob(join(home, '.gemini/tmp/*/chats/session-*.jsonl'))) {
    renameSync(file, file.replace(/session-\d{4}/, 'session-2001'))
  }
}

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
    expect(JSON.stringify(scene.model.requests.at(-1)?.body)).toContain('It is made.')
  })
})
