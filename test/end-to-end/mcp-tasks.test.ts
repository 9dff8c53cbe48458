/** MCP tasks, as the SDK's own client looks after them: over stdio and HTTP, and past both. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  Client,
  type JSONRPCMessage,
  StreamableHTTPClientTransport,
  type Transport,
} from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import {
  type ApplicationElicitResult,
  createTaskSessionFromClient,
  type RawClientDispatch,
  resultFromTaskOutcome,
  type TaskOutcome,
  type ToolExecution,
} from '@modelcontextprotocol/ext-tasks/client'
import { expect, onTestFinished, test } from 'vitest'
import { parseMcpTask } from '../../src/surfaces/mcp/mcp-task.ts'
import { tools } from '../../src/surfaces/mcp/tools.ts'
import { eventually } from '../eventually.ts'
import { entry, House } from './house.ts'
import { McpClient } from './mcp-client.ts'

const FIXTURE = fileURLToPath(new URL('../fixtures/acp-agent.mjs', import.meta.url))
const VERSION = '2026-07-28'
const clientInfo = { name: 'sdk', version: '1' }

type Elicit = (message: string) => ApplicationElicitResult

/** The extension has shapes of its own: what it sends goes past the client, over its transport. */
async function connect(transport: Transport, elicit: Elicit | null = null) {
  const capabilities = elicit === null ? {} : { elicitation: { form: {} } }
  const client = new Client(clientInfo, {
    capabilities,
    versionNegotiation: { mode: { pin: VERSION } },
  })
  await client.connect(transport)
  const waiting = new Map<unknown, (message: JSONRPCMessage) => void>()
  const hear = transport.onmessage
  transport.onmessage = (message, extra) => {
    const settle = 'id' in message ? waiting.get(message.id) : undefined
    if (settle === undefined) hear?.(message, extra)
    else settle(message)
  }
  const rawDispatch: RawClientDispatch = async request => {
    const id = `raw-${waiting.size}`
    const { promise, resolve } = Promise.withResolvers<JSONRPCMessage>()
    waiting.set(id, resolve)
    await transport.send({ jsonrpc: '2.0', ...(request as { method: string }), id })
    // biome-ignore lint/suspicious/noExplicitAny: what the package makes of it, it checks itself
    const { result, error } = (await promise) as any
    return error === undefined ? { kind: 'result', result } : { kind: 'error', error }
  }
  const session = createTaskSessionFromClient(client, {
    endpointId: 'ours',
    rawDispatch,
    v2RequestFraming: { protocolVersion: VERSION, clientInfo, clientCapabilities: capabilities },
    async onInputRequest(request) {
      const params = request.params as { message: string }
      return (elicit?.(params.message) ?? { action: 'cancel' }) as never
    },
  })
  // A session that is closed asks for the end of what it has in hand; one that is gone does not.
  const vanish = () => client.close()
  const leave = async () => {
    await session.close()
    await vanish()
  }
  return Object.assign(session, { leave, vanish })
}

const overStdio = ({ repo, environment }: House) =>
  new StdioClientTransport({
    ...{ command: process.execPath, args: [entry, 'mcp'], cwd: repo, env: environment },
  })

function referenceOf(call: ToolExecution<unknown>) {
  if (call.kind !== 'task') throw new Error('it is over already')
  return call.serializeReference()
}

/** What it has come to, held against what the tool has announced. */
function read(name: string, outcome: TaskOutcome<unknown>) {
  const result = resultFromTaskOutcome(outcome) as { structuredContent: unknown; content: unknown }
  const document = tools.find(one => one.name === name)?.output.parse(result.structuredContent)
  // biome-ignore lint/suspicious/noExplicitAny: the document of any tool
  return { ...(document as any), text: JSON.stringify(result.content) }
}

const script = (words: string) => ({ command: ['/bin/sh', '-c', words], permissions: 'full' })
const untilGo = 'touch begun; while [ ! -e go ]; do sleep 0.05; done; rm begun go; echo two >made'

function permissive(environment: Readonly<Record<string, string>> = {}): House {
  const house = new House(environment)
  mkdirSync(house.home, { mode: 0o700 })
  house.write('config.json', JSON.stringify({ mcpFullPermissions: true }), house.home)
  return house
}

test('a call goes on as a task of ours, which a client finds by its id when it comes back', async () => {
  const house = permissive({ HOLDFAST_SLOTS: '3' })
  const first = await connect(overStdio(house))
  const delegated = await first.callTool('delegate', script(untilGo))
  const reference = referenceOf(delegated)
  const id = parseMcpTask(reference.taskId)?.tasks[0] ?? ''
  expect(reference.taskId).toBe(id)
  await eventually('it is under way', () => existsSync(join(house.worktree(id), 'begun')))
  await first.vanish()

  const second = await connect(overStdio(house))
  const resumed = await second.resumeTask(reference)
  const waited = await second.callTool('wait', { tasks: [id] })
  expect(referenceOf(waited).taskId).toBe(`wait.${id}`)
  const none = await second.callTool('wait', { tasks: [id], timeout_seconds: 0 })
  expect(read('wait', (await none.settle()).outcome).timedOut).toBe(true)
  house.write('go', '', house.worktree(id))
  const { task, group, text } = read('delegate', (await resumed.settle()).outcome)
  expect([task.id, task.state, task.result.files, group]).toEqual([id, 'succeeded', 1, null])
  expect(text).toContain('diff shows it, apply takes it')
  expect(read('wait', (await waited.settle()).outcome).tasks[0].state).toBe('succeeded')
  const over = await second.callTool('wait', { tasks: [id] })
  expect(read('wait', (await over.settle()).outcome).timedOut).toBe(false)

  const race = await second.callTool('delegate', { ...script('echo x >x'), best_of: 2 })
  expect(read('delegate', (await race.settle()).outcome).group.tasks).toHaveLength(2)
  const endless = await second.callTool('delegate', script('exec sleep 300'))
  const { taskId } = referenceOf(endless)
  await endless.cancel()
  expect(await house.wait(taskId)).toMatchObject({ state: 'cancelled' })
  await second.leave()
  // Whatever was shown was taken note of.
  expect(JSON.parse(await house.ok(['inbox', '--json'])).deliveries).toEqual([])

  const envelope = (extensions: object) => ({
    'io.modelcontextprotocol/protocolVersion': VERSION,
    'io.modelcontextprotocol/clientInfo': clientInfo,
    'io.modelcontextprotocol/clientCapabilities': { extensions },
  })
  const declares = { _meta: envelope({ 'io.modelcontextprotocol/tasks': {} }) }
  const plain = new McpClient(house)
  const answer = await plain.call('delegate', script('true'), envelope({}))
  expect([answer.resultType, answer.structuredContent.isNew]).toEqual(['complete', true])
  const codeOf = async (method: string, params: object) =>
    (await plain.request(method, params)).error?.code
  expect([
    await codeOf('tasks/get', { taskId: id, _meta: envelope({}) }),
    await codeOf('tasks/get', { taskId: 'a123456789', ...declares }),
    await codeOf('tasks/cancel', { taskId: `wait.${id}.nothing`, ...declares }),
    await codeOf('tasks/get', declares),
    await codeOf('tasks/cancel', { taskId: id, ...declares }),
  ]).toEqual([-32021, -32602, -32602, -32602, undefined])
  await house.wait(answer.structuredContent.task.id)
  expect(await plain.leave()).toBe(0)
  const legacy = new McpClient(house)
  expect((await legacy.initialize('2025-11-25')).result.capabilities.extensions).toBeUndefined()
  expect(await legacy.leave()).toBe(0)
})

test('what tasks ask is put to the user through theirs, over HTTP, each for itself', async () => {
  const house = permissive({ GEMINI_API_KEY: 'k', HOLDFAST_SLOTS: '2' })
  const bin = join(house.scratch, 'fake-bin')
  mkdirSync(bin)
  copyFileSync(FIXTURE, join(bin, 'gemini'))
  chmodSync(join(bin, 'gemini'), 0o755)
  house.environment.PATH = `${bin}:${house.environment.PATH}`
  const server = spawn(process.execPath, [entry, 'mcp', '--http', '--port', '0'], {
    cwd: house.repo,
    env: house.environment,
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  let said = ''
  server.stderr.setEncoding('utf8').on('data', chunk => {
    said += chunk
  })
  onTestFinished(() => {
    server.kill('SIGKILL')
  })
  const url = await eventually('it listens', () => /^http:\S+\/mcp$/m.exec(said)?.[0])
  const token = readFileSync(join(house.home, 'mcp-token'), 'utf8').trim()
  const headers = { authorization: `Bearer ${token}` }
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
  const asked: string[] = []
  const replies: Readonly<Record<string, ApplicationElicitResult>> = {
    'execute: one': { action: 'accept', content: { answer: 'Allow' } },
    'execute: two': { action: 'accept', content: { answer: 'Reject' } },
    'execute: three': { action: 'decline' },
    'Which branch? [a whole number]': { action: 'accept', content: { answer: 'many' } },
  }
  const session = await connect(transport, message => {
    // Of several tasks, it is said which one asks.
    const what = message.replace(/^\S+ asks: /, '')
    asked.push(what)
    return replies[what] ?? { action: 'cancel' }
  })
  const asks = (...what: string[]) => ({
    ...{ agent: 'gemini', ask: true, permissions: 'full' },
    prompt: `do this: [${what.map(one => `ask ${one}`).join(', ')}]`,
  })
  // Their questions have the same number.
  const [one, two] = [
    await session.callTool('delegate', asks('one')),
    await session.callTool('delegate', asks('two')),
  ]
  const both = [one, two].map(call => referenceOf(call).taskId)
  const wait = await session.callTool('wait', { tasks: both })
  const { tasks } = read('wait', (await wait.settle()).outcome)
  const answers = tasks.map((task: { result: { answer: string } }) => task.result.answer)
  expect(answers).toEqual([
    expect.stringContaining('The answer was yes.'),
    expect.stringContaining('The answer was no.'),
  ])
  const three = await session.callTool('delegate', asks('three'))
  const declined = read('delegate', (await three.settle()).outcome)
  expect([declined.task.state, declined.text]).toEqual([
    'needs_input',
    expect.stringContaining('answer it with the tool answer'),
  ])
  // Whoever waits for it may have been faster than the call that delegated it, and both may ask.
  expect([...new Set(asked)].sort()).toEqual(['execute: one', 'execute: three', 'execute: two'])
  expect(asked.filter(one => one === 'execute: three')).toHaveLength(1)
  await house.ok(['cancel', declined.task.id])
  // What its agent does not take is no answer, and no end of the call but with the question.
  const four = await session.callTool('delegate', { ...asks(), prompt: 'do this: [form integer]' })
  const unanswered = read('delegate', (await four.settle()).outcome)
  expect(unanswered.task.state).toBe('needs_input')
  await house.ok(['cancel', unanswered.task.id])
  await session.leave()
  server.kill('SIGTERM')
  expect(await once(server, 'exit')).toEqual([143, null])
})
