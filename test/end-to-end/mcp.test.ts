/** The MCP server, as its clients see it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { tools } from '../../src/surfaces/mcp/tools.ts'
import { eventually } from '../eventually.ts'
import { entry, House } from './house.ts'
import { McpClient } from './mcp-client.ts'

const PERMITTED = { mcpFullPermissions: true }
const FIXTURE = fileURLToPath(new URL('../fixtures/acp-agent.mjs', import.meta.url))

/** The user's own settings. */
function settle(house: House, settings: object): void {
  mkdirSync(house.home, { recursive: true, mode: 0o700 })
  writeFileSync(join(house.home, 'config.json'), JSON.stringify(settings))
}

/** Whatever a tool answers is as it has announced. */
function checked(name: string, result: { structuredContent: unknown; content: unknown }) {
  const tool = tools.find(one => one.name === name)
  expect(result.content).toEqual([{ type: 'text', text: expect.stringMatching(/./) }])
  // biome-ignore lint/suspicious/noExplicitAny: the document of any tool
  return tool?.output.parse(result.structuredContent) as any
}

const gated = (what: string) =>
  `echo begun; touch begun; while [ ! -e go ]; do sleep 0.05; done; rm begun go; ${what}`
const script = (words: string) => ({ command: ['/bin/sh', '-c', words], permissions: 'full' })

test('a task is delegated once, outlives the server, and is followed, taken and cancelled from another', async () => {
  const house = new House()
  const roots = () => ({ roots: [{ uri: pathToFileURL(house.repo).href }] })
  const first = new McpClient(house, { 'roots/list': roots }, '/')
  const hello = await first.initialize('2025-11-25', { roots: {} })
  expect(hello.result).toMatchObject({
    protocolVersion: '2025-11-25',
    serverInfo: { name: 'holdfast' },
  })
  const listed = (await first.request('tools/list')).result.tools
  expect(listed.map(({ name }: { name: string }) => name)).toEqual(tools.map(({ name }) => name))
  expect(listed).toEqual(
    listed.map((one: object) =>
      expect.objectContaining({ ...one, outputSchema: expect.anything() }),
    ),
  )

  const asked = { ...script(gated('echo two > made.txt; echo end')), name: 'by-a-client' }
  const use = { 'claudecode/toolUseId': 'toolu_1' }
  const refused = await first.call('delegate', asked, use)
  expect(refused).toMatchObject({
    isError: true,
    _meta: { 'holdfast/error': { code: 'permissions_unavailable' } },
  })
  expect(refused.content[0].text).toContain('mcpFullPermissions')
  settle(house, PERMITTED)
  const { task, isNew } = checked('delegate', await first.call('delegate', asked, use))
  expect([isNew, task.caller.kind, task.caller.directory]).toEqual([true, 'mcp', house.repo])
  expect(task.caller.id).toMatch(/^tester:.{36}$/)
  const { id } = task
  const again = checked('delegate', await first.call('delegate', asked, use))
  expect([again.isNew, again.task.id]).toEqual([false, id])
  expect(await first.refusal('delegate', script('false'), use)).toBe('idempotency_conflict')
  await eventually('it is under way', () => existsSync(join(house.worktree(id), 'begun')))
  await first.kill('SIGKILL')

  const second = new McpClient(house)
  await second.initialize('2025-06-18')
  const resent = checked('delegate', await second.call('delegate', asked, use))
  expect([resent.isNew, resent.task.id]).toEqual([false, id])
  const short = checked('wait', await second.call('wait', { tasks: [id], timeout_seconds: 0 }))
  expect([short.timedOut, short.tasks[0].id]).toEqual([true, id])
  expect(await second.refusal('result', { task: id })).toBe('not_finished')
  const waiting = second.call(
    'wait',
    { tasks: ['by-a-client'], timeout_seconds: 600 },
    { progressToken: 'p' },
  )
  const progress = () => second.notified.filter(({ method }) => method === 'notifications/progress')
  await eventually('it is told that the task goes on', () => progress().length > 0)
  expect(progress()[0]?.params).toMatchObject({ progressToken: 'p', progress: 1 })
  house.write('go', '', house.worktree(id))
  const waited = checked('wait', await waiting)
  expect([waited.timedOut, waited.tasks[0].state]).toEqual([false, 'succeeded'])
  const answered = await second.call('result', { task: id })
  expect(checked('result', answered).answer).toBe('begun\nend')
  expect(answered.content[0].text).toContain('begun\nend\n')
  expect(checked('diff', await second.call('diff', { task: id })).patch).toContain('+two')
  const counts = checked('diff', await second.call('diff', { task: id, max_characters: 0 }))
  expect(counts).toMatchObject({ files: 1, patch: '', cut: true })
  for (const [given, state] of [
    [{ mode: 'check' }, 'would_apply'],
    [{}, 'applied'],
    [{ undo: true }, 'undone'],
  ] as const) {
    expect(checked('apply', await second.call('apply', { task: id, ...given })).state).toBe(state)
  }
  expect(house.git('status', '--porcelain')).toBe('')

  const long = checked('delegate', await second.call('delegate', script('exec sleep 300')))
  const ended = checked('cancel', await second.call('cancel', { tasks: [long.task.id] }))
  expect(ended.tasks[0].state).toBe('cancelled')
  const owed = checked('inbox', await second.call('inbox', { mine: true }))
  expect(owed.deliveries.map((one: { task: object }) => one.task)).toEqual([
    expect.objectContaining({ id: long.task.id }),
  ])
  const noted = checked('inbox', await second.call('inbox', { acknowledge: [long.task.id] }))
  expect(noted).toEqual({ deliveries: [], acknowledged: 1 })
  const status = checked('status', await second.call('status', { all: true }))
  expect(status.tasks.map((one: { id: string }) => one.id).sort()).toEqual(
    [id, long.task.id].sort(),
  )
  expect(checked('status', await second.call('status', { tasks: [id] })).tasks).toHaveLength(1)

  const race = { ...script('echo x >x'), best_of: 2, name: 'race', verify: ['test', '-e', 'x'] }
  const raced = checked('delegate', await second.call('delegate', race))
  const members = raced.group.tasks.map((one: { name: string }) => one.name)
  expect([raced.task.name, members]).toEqual(['race-command', ['race-command', 'race-command-2']])
  const both = checked('wait', await second.call('wait', { tasks: ['race'], timeout_seconds: 600 }))
  expect(both.tasks.map((one: { verify: object }) => one.verify)).toEqual(
    members.map(() => expect.objectContaining({ state: 'passed' })),
  )

  expect([
    await second.refusal('result', { task: 'race' }),
    await second.refusal('wait', { tasks: ['no-such-task'] }),
    await second.refusal('wait', { task: id }),
    await second.refusal('wait', { tasks: [] }),
    await second.refusal('delegate', { prompt: 'x', command: ['true'] }),
    await second.refusal('delegate', { ...script('true'), cwd: 'relative' }),
    await second.refusal('delegate', { ...script('true'), cwd: '/' }),
    await second.refusal('delegate', { ...script('true'), cwd: join(house.repo, 'kept.txt') }),
    await second.refusal('delegate', script('echo a\0b')),
    await second.refusal('answer', { task: id, answer: 'yes' }),
    await second.refusal('send', { task: long.task.id, text: 'more' }),
    await second.refusal('cancel', { tasks: [id] }),
  ]).toEqual([
    'ambiguous_task',
    'no_such_task',
    'bad_usage',
    'bad_usage',
    'bad_usage',
    'bad_usage',
    'not_a_repository',
    'bad_usage',
    'bad_usage',
    'refused_in_state',
    'bad_usage',
    'already_ended',
  ])
  await expect(second.call('shout', {})).rejects.toThrow('there is no tool "shout"')
  expect([first.garbage, second.garbage, second.said]).toEqual([[], [], ''])
  expect(await second.leave()).toBe(0)
})

test('a server that a plugin has started does not take where that lies for where its client works', async () => {
  const house = new House({ PLUGIN_ROOT: '/where/it/lies' })
  settle(house, PERMITTED)
  const client = new McpClient(house)
  await client.initialize('2025-06-18', {})
  expect(await client.refusal('delegate', script('true'))).toBe('not_a_repository')
  expect(checked('status', await client.call('status', {})).tasks).toEqual([])
  expect(await client.leave()).toBe(0)
})

test('what a task asks is asked of the user where the client can, and else of the client', async () => {
  const house = new House({ GEMINI_API_KEY: 'k', HOLDFAST_SLOTS: '2' })
  const bin = join(house.scratch, 'fake-bin')
  mkdirSync(bin)
  copyFileSync(FIXTURE, join(bin, 'gemini'))
  chmodSync(join(bin, 'gemini'), 0o755)
  house.environment.PATH = `${bin}:${house.environment.PATH}`
  settle(house, PERMITTED)
  const asked: unknown[] = []
  // More than the SDK would ask for; then nobody is there any more.
  const things = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']
  const elicit = (params: unknown) => {
    asked.push(params)
    if (asked.length === things.length) return undefined
    const isToldMore = asked.length < things.length
    return isToldMore ? { action: 'accept', content: { answer: 'Allow' } } : { action: 'decline' }
  }
  const client = new McpClient(house, { 'elicitation/create': elicit })
  await client.initialize('2025-11-25', { elicitation: {} })
  const prompt = `do this: [${things.map(thing => `ask ${thing}`).join(', ')}]`
  const asks = { agent: 'gemini', prompt, ask: true, permissions: 'full' }
  const { task } = checked('delegate', await client.call('delegate', asks))
  const wait = { tasks: [task.id], timeout_seconds: 600 }
  const waited = checked('wait', await client.call('wait', wait, { progressToken: 'p' }))
  expect(asked).toEqual(
    things.map(thing => expect.objectContaining({ message: `execute: ${thing}` })),
  )
  // To the client it is one request, however often its user was asked meanwhile.
  const numbers = client.notified.map(({ params }) => params.progress)
  expect(numbers.length).toBeGreaterThan(1)
  expect(numbers).toEqual(numbers.map((_, n) => n + 1))
  const { state, question } = waited.tasks[0]
  expect([state, question.text]).toEqual(['needs_input', 'execute: j'])
  // Another agent counts its questions from the start, too: what is said to one is said to no other.
  const other = checked('delegate', await client.call('delegate', { ...asks, name: 'other' })).task
  await house.untilState(other.id, 'needs_input')
  checked('wait', await client.call('wait', { ...wait, tasks: [task.id, other.id] }))
  expect(asked.slice(things.length)).toEqual([
    expect.objectContaining({ message: `${task.name} asks: execute: j` }),
    expect.objectContaining({ message: 'other asks: execute: a' }),
  ])
  await house.ok(['cancel', other.id])
  expect(await client.leave()).toBe(0)

  const plain = new McpClient(house)
  await plain.initialize('2025-06-18')
  const told = await plain.call('wait', wait)
  expect(checked('wait', told).tasks[0].state).toBe('needs_input')
  expect(told.content[0].text).toContain('execute: j\n1 Allow')
  const words = { task: task.id, answer: '1' }
  expect(await plain.refusal('answer', { ...words, question: 'another' })).toBe('refused_in_state')
  checked('answer', await plain.call('answer', { ...words, question: question.id }))
  await house.untilState(task.id, 'succeeded')
  expect(await plain.leave()).toBe(0)
})

function holdsStore({ process: { pid } }: McpClient): boolean {
  const directory = `/proc/${pid}/fd`
  return readdirSync(directory).some(name => {
    try {
      return readlinkSync(join(directory, name)).includes('store.db')
    } catch {
      return false // closed meanwhile
    }
  })
}

test('clients of the later era ask each time anew, or begin with a probe and fall back', async () => {
  const house = new House()
  const envelope = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'later', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const later = new McpClient(house)
  const probe = await later.request('server/discover', { _meta: envelope })
  expect(probe.result.supportedVersions).toContain('2026-07-28')
  expect(checked('status', await later.call('status', {}, envelope)).tasks).toEqual([])
  await eventually('a server that stands by lets go of the store', () => !holdsStore(later))
  expect(await later.leave()).toBe(0)
  const fallen = new McpClient(house)
  await fallen.request('server/discover', { _meta: envelope })
  expect((await fallen.initialize('2025-11-25')).result.protocolVersion).toBe('2025-11-25')
  expect(checked('status', await fallen.call('status')).tasks).toEqual([])
  expect(await fallen.leave()).toBe(0)
})

/** What a server over HTTP answers; its body as text. */
function post(
  port: string,
  message: object,
  headers: Readonly<Record<string, string>>,
  path = '/mcp',
): Promise<{ status: number; session: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        // The server may be closing a connection that has been idle, just when it is used again.
        agent: false,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...headers,
        },
      },
      response => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', chunk => {
          body += chunk
        })
        response.on('end', () => {
          const session = response.headers['mcp-session-id']
          resolve({ status: response.statusCode ?? 0, session: session?.toString(), body })
        })
      },
    )
    sent.on('error', reject)
    sent.end(JSON.stringify({ jsonrpc: '2.0', ...message }))
  })
}

test('over HTTP it serves whoever has the token, and no page of a browser', async () => {
  const house = new House()
  settle(house, PERMITTED)
  const server = spawn(process.execPath, [entry, 'mcp', '--http', '--port', '0'], {
    cwd: house.repo,
    env: house.environment,
  })
  let said = ''
  server.stderr.on('data', chunk => {
    said += chunk
  })
  let printed = ''
  server.stdout.on('data', chunk => {
    printed += chunk
  })
  const port = await eventually(
    'it listens',
    () => /^http:\/\/127\.0\.0\.1:(\d+)\/mcp$/m.exec(said)?.[1],
  )
  const file = join(house.home, 'mcp-token')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const authorization = `Bearer ${readFileSync(file, 'utf8').trim()}`
  const hello = {
    id: 1,
    method: 'initialize',
    params: {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'web', version: '1' },
    },
  }
  const statusOf = async (headers: Readonly<Record<string, string>>, path?: string) =>
    (await post(port, hello, headers, path)).status
  expect([
    await statusOf({}),
    await statusOf({ authorization: `${authorization}x` }),
    await statusOf({ authorization, origin: 'https://evil.example' }),
    await statusOf({ authorization, host: 'evil.example' }),
    await statusOf({ authorization }, '/other'),
    await statusOf({ authorization, 'mcp-session-id': 'unknown' }),
    await statusOf({ authorization, origin: 'http://localhost:3000' }),
  ]).toEqual([401, 401, 403, 403, 404, 404, 200])

  const { session = '' } = await post(port, hello, { authorization })
  const headers = { authorization, 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }
  const call = async (name: string, given: object, meta: object = {}) => {
    const params = { name, arguments: given, _meta: meta }
    const { body } = await post(port, { id: 2, method: 'tools/call', params }, headers)
    const messages = body.split('\n').filter(line => line.startsWith('data: {'))
    return messages.map(line => JSON.parse(line.slice('data: '.length)))
  }
  const given = { ...script('echo over http'), cwd: house.repo }
  const [tied] = await call('delegate', { ...given, with_caller: true })
  expect(tied.result.content[0].text).toContain('it cannot be told who asks')
  const [delegated] = await call('delegate', given)
  const { task } = checked('delegate', delegated.result)
  expect(task.caller).toMatchObject({ kind: 'mcp', id: `web:${session}` })
  const said2 = await call('wait', { tasks: [task.id], timeout_seconds: 600 })
  expect(checked('wait', said2.at(-1).result).tasks[0].result.answer).toBe('over http')
  expect(printed).toBe('')
  server.kill('SIGTERM')
  expect(await once(server, 'exit')).toEqual([143, null])
})
