import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'smol-toml'
import { afterEach, describe, expect, it } from 'vitest'
import { writeCodexHome } from '../../src/demo/scripted-model/codex-home.ts'
import { byMarker, say, shell, type Turn } from '../../src/demo/scripted-model/script.ts'
import {
  type ScriptedModel,
  type ScriptedModelOptions,
  startScriptedModel,
} from '../../src/demo/scripted-model/server.ts'

const started: ScriptedModel[] = []
const directories: string[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map(model => model.close()))
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
})

async function start(options: ScriptedModelOptions | readonly Turn[]): Promise<ScriptedModel> {
  const model = await startScriptedModel('length' in options ? { turns: options } : options)
  started.push(model)
  return model
}

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-model-'))
  directories.push(directory)
  return directory
}

const user = (text: string) => ({
  type: 'message',
  role: 'user',
  content: [{ type: 'input_text', text }],
})
const result = { type: 'function_call_output', call_id: 'c', output: 'ok' }
const EXEC = [{ type: 'function', name: 'exec_command' }]

function ask(
  model: ScriptedModel,
  input: readonly unknown[] = [user('hi')],
  tools: unknown = EXEC,
) {
  const body = JSON.stringify({ model: 'scripted', input, tools, stream: true })
  return fetch(`${model.url}/responses`, { method: 'POST', body })
}

interface Sent {
  type: string
  delta?: string
  item?: { type: string; name?: string; arguments?: string; call_id?: string }
  response?: { status: string; error?: { code: string }; usage?: object }
}

function parseEvents(stream: string): Sent[] {
  return stream
    .split('\n')
    .filter(line => line.startsWith('data: '))
    .map(line => JSON.parse(line.slice('data: '.length)) as Sent)
}

const askEvents = async (...args: Parameters<typeof ask>) =>
  parseEvents(await (await ask(...args)).text())

const saidText = (events: readonly Sent[]) =>
  events.map(event => (event.type.endsWith('text.delta') ? event.delta : '')).join('')

describe('a turn', () => {
  it('says a text, from created to completed', async () => {
    const events = await askEvents(await start([say('Hello')]))
    expect(events.map(event => event.type)).toEqual([
      'response.created',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_item.done',
      'response.completed',
    ])
    expect(saidText(events)).toBe('Hello')
    expect(events.at(-1)?.response).toMatchObject({ status: 'completed', usage: {} })
  })

  it('says it in as many parts as the script wants', async () => {
    const model = await start([{ kind: 'reply', text: 'abcdefgh', chunks: 4, chunkMs: 1 }])
    const events = await askEvents(model)
    const deltas = events.filter(event => event.type === 'response.output_text.delta')
    expect(deltas.map(event => event.delta)).toEqual(['ab', 'cd', 'ef', 'gh'])
  })

  it.each([
    ['exec_command', '{"cmd":"ls -l"}'],
    ['shell_command', '{"command":"ls -l"}'],
    ['shell', '{"command":["bash","-lc","ls -l"]}'],
  ])('runs a command by the tool %s', async (name, args) => {
    const model = await start([shell('ls -l', 'Looking.')])
    const tools = [{ type: 'web_search' }, { type: 'function', name }]
    const events = await askEvents(model, undefined, tools)
    expect(saidText(events)).toBe('Looking.')
    const call = events.findLast(event => event.item?.type === 'function_call')
    expect(call?.item).toMatchObject({ name, arguments: args })
  })

  it('refuses with a status, a body and headers', async () => {
    const model = await start([
      { kind: 'http_error', status: 429, headers: { 'retry-after': '7' }, body: { error: 'no' } },
      { kind: 'http_error', status: 502, body: 'bad gateway' },
    ])
    const first = await ask(model)
    expect([first.status, first.headers.get('retry-after')]).toEqual([429, '7'])
    expect(await first.json()).toEqual({ error: 'no' })
    expect(await (await ask(model)).text()).toBe('bad gateway')
  })

  it('drops the connection before any byte', async () => {
    await expect(ask(await start([{ kind: 'drop', when: 'before' }]))).rejects.toThrow()
  })

  it('drops the connection in the middle of a text', async () => {
    const response = await ask(await start([{ kind: 'drop', when: 'mid' }]))
    let heard = ''
    const reading = (async () => {
      const decoder = new TextDecoder()
      for await (const chunk of response.body ?? []) heard += decoder.decode(chunk)
    })()
    await expect(reading).rejects.toThrow()
    expect(heard).toContain('response.output_text.delta')
    expect(heard).not.toContain('response.completed')
  })

  it('fails within the stream', async () => {
    const model = await start([{ kind: 'failed', code: 'server_error', message: 'boom' }])
    const events = await askEvents(model)
    expect(events.at(-1)).toMatchObject({
      type: 'response.failed',
      response: { status: 'failed', error: { code: 'server_error', message: 'boom' } },
    })
  })

  it('comes after its delay', async () => {
    const model = await start([{ kind: 'reply', text: 'late', delayMs: 30 }])
    const before = performance.now()
    await askEvents(model)
    expect(performance.now() - before).toBeGreaterThanOrEqual(29)
  })
})

describe('the script', () => {
  it('is played in order, and the fallback after it', async () => {
    const model = await start({ turns: [say('one')], fallback: say('over') })
    model.push(say('two'))
    const texts = []
    for (let i = 0; i < 4; i++) texts.push(saidText(await askEvents(model)))
    expect(texts).toEqual(['one', 'two', 'over', 'over'])
    model.setTurns([say('new')])
    expect(saidText(await askEvents(model))).toBe('new')
  })

  it('is not used up by requests without tools', async () => {
    const model = await start([say('one')])
    expect(saidText(await askEvents(model, undefined, []))).toBe('A side request.')
    expect(saidText(await askEvents(model))).toBe('one')
  })

  it('may be chosen by a marker in the prompt, so that tasks share a server', async () => {
    const model = await start({
      choose: byMarker({
        'TASK-A': [shell('make a'), say('A is done')],
        'TASK-B': [say('B is done')],
      }),
      fallback: say('who?'),
    })
    const textOf = async (...input: unknown[]) => saidText(await askEvents(model, input))
    const a = user('please do TASK-A')
    expect(await textOf(user('context'), user('do TASK-B'))).toBe('B is done')
    expect(await textOf(a)).toBe('')
    expect(await textOf(a)).toBe('')
    expect(await textOf(a, result)).toBe('A is done')
    expect(await textOf(a, result, user('You were interrupted: continue.'))).toBe('A is done')
    expect(await textOf(a, result, user('now TASK-B'))).toBe('B is done')
    expect(await textOf(user('hello'))).toBe('who?')
  })
})

describe('the record', () => {
  it('holds every request with its body and its answer, in memory and in the log', async () => {
    const logFile = join(makeDirectory(), 'requests.ndjson')
    const model = await start({ turns: [say('one')], logFile })
    await fetch(`${model.url}/models?x=1`, { headers: { authorization: 'Bearer secret' } })
    await askEvents(model, [user('hi'), result])
    expect(model.requests).toMatchObject([
      { number: 1, method: 'GET', path: '/v1/models', answer: 'not_a_turn', conversation: null },
      {
        number: 2,
        method: 'POST',
        body: { model: 'scripted' },
        answer: { kind: 'reply', text: 'one' },
        conversation: { userTexts: ['hi'], resultsAfter: [1], tools: ['exec_command'] },
      },
    ])
    const logged = readFileSync(logFile, 'utf8').trimEnd().split('\n')
    expect(logged.map(line => JSON.parse(line))).toEqual(model.requests)
    expect(logged.join()).not.toContain('secret')
  })

  it('answers what is no model request, and never by a turn', async () => {
    const model = await start([say('one')])
    expect(await (await fetch(`${model.url}/models`)).json()).toMatchObject({ models: [] })
    expect((await fetch(`${model.url}/nothing`)).status).toBe(404)
    const torn = await fetch(`${model.url}/responses`, { method: 'POST', body: '{"tools"' })
    expect(saidText(parseEvents(await torn.text()))).toBe('A side request.')
    expect(saidText(await askEvents(model))).toBe('one')
  })
})

describe('closing', () => {
  it('cuts what hangs and what is delayed, and may be asked twice', async () => {
    const model = await start([{ kind: 'hang' }, { kind: 'reply', delayMs: 3_600_000 }])
    const hanging = await ask(model)
    const delayed = ask(model).then(
      () => 'answered',
      () => 'cut',
    )
    await expect.poll(() => model.requests.length).toBe(2)
    await Promise.all([model.close(), model.close()])
    await expect(hanging.text()).rejects.toThrow()
    expect(await delayed).toBe('cut')
    await expect(ask(model)).rejects.toThrow()
  })

  it('leaves nothing that keeps a process alive', async () => {
    const server = new URL('../../src/demo/scripted-model/server.ts', import.meta.url).href
    const program = `
      const { startScriptedModel } = await import(${JSON.stringify(server)})
      const turns = [{ kind: 'hang' }, { kind: 'reply', delayMs: 3_600_000 }]
      const model = await startScriptedModel({ turns })
      const body = JSON.stringify({ tools: [{ name: 'exec_command' }] })
      const ask = () => fetch(model.url + '/responses', { method: 'POST', body })
      const hanging = await ask()
      const delayed = ask().catch(() => undefined)
      while (model.requests.length < 2) await new Promise(resolve => setImmediate(resolve))
      await model.close()
      await delayed
      await hanging.text().catch(() => undefined)
      console.log('closed')`
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
      timeout: 20_000,
    })
    expect((await run).stdout).toBe('closed\n')
  })
})

it('a Codex home names the server, and nothing else that Codex would reach', async () => {
  const home = join(makeDirectory(), 'new', 'home')
  const environment = await writeCodexHome(home, 'http://127.0.0.1:1/v1', { idleMs: 5_000 })
  expect(environment).toEqual({ CODEX_HOME: home })
  expect(parse(readFileSync(join(home, 'config.toml'), 'utf8'))).toMatchObject({
    model_provider: 'scripted',
    check_for_update_on_startup: false,
    features: { plugins: false },
    model_providers: {
      scripted: { base_url: 'http://127.0.0.1:1/v1', stream_idle_timeout_ms: 5_000 },
    },
  })
})
