/** The real Claude Code and the real Codex as clients of the MCP server, against the scripted model. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeClaudeHome } from '../../src/demo/scripted-model/claude-home.ts'
import { writeCodexHome } from '../../src/demo/scripted-model/codex-home.ts'
import { call, say, shell } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import { entry, House } from '../end-to-end/house.ts'
import { eventually } from '../eventually.ts'
import { heard } from './house-with-model.ts'

const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

const gated = 'echo begun | tee begun; while [ ! -e go ]; do sleep 0.05; done; rm go; echo ended'
const task = { command: ['/bin/sh', '-c', gated], name: 'for-a-client', permissions: 'full' }

/**
 * A model that delegates, waits, and asks for the result, once the client has our tools. (Codex
 * begins without, and lists them when it has; Claude Code need not list them.)
 */
async function startModel(house: House): Promise<ScriptedModel> {
  // What the server has said as a request comes, its client may not have read when it made that.
  let isSaid = false
  const model = await startScriptedModel({
    turns: [
      call('mcp__holdfast__delegate', task),
      call('mcp__holdfast__wait', { tasks: [task.name], timeout_seconds: 600 }),
      call('mcp__holdfast__result', { task: task.name }),
      say('All delegated.'),
    ],
    choose: ({ conversation: { tools } }) => {
      const isOffered = tools.includes('Bash') || tools.includes('mcp__holdfast')
      const isReady = tools.length === 0 || (isOffered && isSaid)
      isSaid = hasSaid(house, '"tools":[')
      return isReady ? undefined : shell('sleep 0.2')
    },
  })
  models.push(model)
  return model
}

/** What its user allows, and a server that writes down what it says. */
function serverIn(house: House): readonly [string, ...string[]] {
  mkdirSync(house.home, { recursive: true, mode: 0o700 })
  writeFileSync(join(house.home, 'config.json'), JSON.stringify({ mcpFullPermissions: true }))
  const script = '"$2" "$3" mcp | tee "$1/said"'
  return ['/bin/sh', '-c', script, 'sh', house.scratch, process.execPath, entry]
}

function hasSaid(house: House, words: string): boolean {
  const file = join(house.scratch, 'said')
  return existsSync(file) && readFileSync(file, 'utf8').includes(words)
}

/** Lets the task end once the client waits for it: what the client said, and what became of it. */
async function follow(house: House, argv: readonly string[], environment: object) {
  const [program = '', ...words] = argv
  const client = spawn(program, words, {
    cwd: house.repo,
    env: { ...house.environment, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  let told = ''
  client.stdout.on('data', chunk => {
    said += chunk
  })
  client.stderr.on('data', chunk => {
    told += chunk
  })
  const exit = once(client, 'close')
  const isOver = () => client.exitCode !== null
  const isTold = () => hasSaid(house, 'notifications/progress')
  await eventually('it waits, and is told', () => isTold() || isOver(), 120_000)
  if (isOver()) throw new Error(`it ended too soon: ${said}${told}`)
  const [{ id }] = JSON.parse(await house.ok(['status', '--json'])).tasks
  const worktree = house.worktree(id)
  await eventually('it is under way', () => existsSync(join(worktree, 'begun')), 60_000)
  house.write('go', '', worktree)
  await exit
  return { said, task: await house.task(id) }
}

test('Claude Code delegates, waits with progress, and has the result', async () => {
  const { bin } = await ensureAgent('claude')
  const house = new House()
  const model = await startModel(house)
  const [command, ...args] = serverIn(house)
  const file = join(house.scratch, 'mcp.json')
  writeFileSync(file, JSON.stringify({ mcpServers: { holdfast: { command, args } } }))
  const environment = {
    ...(await writeClaudeHome(join(house.scratch, 'claude'), model.origin)),
    // As root, it refuses to bypass permissions anywhere else.
    IS_SANDBOX: '1',
  }
  const mode = ['--permission-mode', 'bypassPermissions']
  const servers = ['--mcp-config', file, '--strict-mcp-config']
  const argv = [bin, '-p', ...servers, ...mode, 'Delegate it.']
  const { said, task } = await follow(house, argv, environment)
  expect(said).toBe('All delegated.\n')
  expect(task).toMatchObject({
    state: 'succeeded',
    caller: { kind: 'mcp', directory: house.repo },
  })
  expect(task.caller.id).toMatch(/^claude-code:[0-9a-f-]{36}$/)
  expect(heard(model).at(-1)).toContain('begun\\\\nended')
})

test('Codex delegates, waits with progress, and has the result', async () => {
  const { bin } = await ensureAgent('codex')
  const house = new House()
  const model = await startModel(house)
  const [command, ...args] = serverIn(house)
  const environment = await writeCodexHome(join(house.scratch, 'codex'), model.url)
  const quoted = (words: readonly string[]) => words.map(word => JSON.stringify(word)).join(', ')
  // It hands on almost nothing of its environment.
  const own = `env={HOLDFAST_HOME=${JSON.stringify(house.home)}}`
  // Nobody is there to be asked.
  const approval = 'default_tools_approval_mode="approve"'
  const server = `{command=${quoted([command])}, args=[${quoted(args)}], ${own}, ${approval}, cwd="/"}`
  // Its sandbox is around commands alone.
  const mode = '--sandbox=read-only'
  const settings = ['-c', `mcp_servers.holdfast=${server}`]
  const argv = [bin, 'exec', '--json', mode, ...settings, 'Delegate it.']
  const { said, task } = await follow(house, argv, environment)
  const lines = said
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  const thread = lines.find(({ type }) => type === 'thread.started').thread_id
  expect(said).toContain('All delegated.')
  expect(task).toMatchObject({
    state: 'succeeded',
    caller: { kind: 'mcp', id: `codex-mcp-client:${thread}`, directory: house.repo },
  })
  expect(heard(model).at(-1)).toContain('begun\\\\nended')
})
