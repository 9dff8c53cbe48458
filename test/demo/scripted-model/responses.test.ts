import { describe, expect, it } from 'vitest'
import { call, say, shell, usageLimit } from '../../../src/demo/scripted-model/script.ts'
import { ask, askEvents, result, saidText, user } from './ask-responses.ts'
import { hearUntilBroken, startModel, understood } from './model.ts'

describe('a turn', () => {
  it('says a text, from created to completed', async () => {
    const events = await askEvents(await startModel([say('Hello')]))
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
    const model = await startModel([{ kind: 'reply', text: 'abcdefgh', chunks: 4, chunkMs: 1 }])
    const events = await askEvents(model)
    const deltas = events.filter(event => event.type === 'response.output_text.delta')
    expect(deltas.map(event => event.delta)).toEqual(['ab', 'cd', 'ef', 'gh'])
  })

  it.each([
    ['exec_command', '{"cmd":"ls -l"}'],
    ['shell_command', '{"command":"ls -l"}'],
    ['shell', '{"command":["bash","-lc","ls -l"]}'],
  ])('runs a command by the tool %s', async (name, args) => {
    const model = await startModel([shell('ls -l', 'Looking.')])
    const tools = [{ type: 'web_search' }, { type: 'function', name }]
    const events = await askEvents(model, undefined, tools)
    expect(saidText(events)).toBe('Looking.')
    const call = events.findLast(event => event.item?.type === 'function_call')
    expect(call?.item).toMatchObject({ name, arguments: args })
  })

  it.each([
    ['view_image', ['mcp__other'], { name: 'view_image' }],
    ['mcp__here__look', ['mcp__here'], { namespace: 'mcp__here', name: 'look' }],
  ])('calls the tool %s, of a namespace where it is of one', async (name, namespaces, named) => {
    const tools = namespaces.map(one => ({ type: 'namespace', name: one, tools: [] }))
    const events = await askEvents(await startModel([call(name, { at: 1 })]), undefined, tools)
    const { item } = events.findLast(event => event.item?.type === 'function_call') ?? {}
    expect(item).toMatchObject({ ...named, arguments: '{"at":1}' })
  })

  it('waits on for a command that was left running: its turn is over when that is', async () => {
    const model = await startModel([say('Done.')])
    const tools = ['exec_command', 'write_stdin'].map(name => ({ type: 'function', name }))
    const running = { ...result, output: 'Wall time: 10 s\nProcess running with session ID 77\n' }
    const events = await askEvents(model, [user('hi'), running], tools)
    const { item } = events.findLast(event => event.item?.type === 'function_call') ?? {}
    expect(item?.name).toBe('write_stdin')
    expect(JSON.parse(item?.arguments ?? '')).toMatchObject({ session_id: 77, chars: '' })
    expect(model.requests.at(-1)?.answer).toBe('waits')
    expect(understood(model)?.resultsAfter).toEqual([0])
    expect(saidText(await askEvents(model, [user('hi'), running, result], tools))).toBe('Done.')
    expect(understood(model)?.resultsAfter).toEqual([1])
  })

  it('refuses with a status, a body and headers', async () => {
    const model = await startModel([
      { kind: 'http_error', status: 429, headers: { 'retry-after': '7' }, body: { error: 'no' } },
      { kind: 'http_error', status: 502, body: 'bad gateway' },
    ])
    const first = await ask(model)
    expect([first.status, first.headers.get('retry-after')]).toEqual([429, '7'])
    expect(await first.json()).toEqual({ error: 'no' })
    expect(await (await ask(model)).text()).toBe('bad gateway')
  })

  it('drops the connection before any byte', async () => {
    await expect(ask(await startModel([{ kind: 'drop', when: 'before' }]))).rejects.toThrow()
  })

  it('drops the connection in the middle of a text', async () => {
    const heard = await hearUntilBroken(
      await ask(await startModel([{ kind: 'drop', when: 'mid' }])),
    )
    expect(heard).toContain('response.output_text.delta')
    expect(heard).not.toContain('response.completed')
  })

  it('fails within the stream', async () => {
    const model = await startModel([{ kind: 'failed', code: 'server_error', message: 'boom' }])
    const events = await askEvents(model)
    expect(events.at(-1)).toMatchObject({
      type: 'response.failed',
      response: { status: 'failed', error: { code: 'server_error', message: 'boom' } },
    })
  })

  it('comes after its delay', async () => {
    const model = await startModel([{ kind: 'reply', text: 'late', delayMs: 30 }])
    const before = performance.now()
    await askEvents(model)
    expect(performance.now() - before).toBeGreaterThanOrEqual(29)
  })

  it('is refused where the usage limit is reached, and says until when', async () => {
    const until = Date.now() + 3_600_000
    const response = await ask(await startModel([usageLimit(until)]))
    expect(response.status).toBe(429)
    expect(await response.json()).toMatchObject({
      error: {
        type: 'usage_limit_reached',
        resets_at: Math.ceil(until / 1000),
        resets_in_seconds: expect.closeTo(3_600, -1),
      },
    })
  })

  it('that hangs has begun, and goes on for nobody', async () => {
    const model = await startModel([{ kind: 'hang' }])
    const response = await ask(model)
    const reader = response.body?.getReader()
    const first = await reader?.read()
    expect(new TextDecoder().decode(first?.value)).toContain('response.created')
    await model.close()
    await expect(reader?.read()).rejects.toThrow()
  })
})

it('a conversation is read: texts of the user, and the results since each', async () => {
  const model = await startModel([say('Done.')])
  await askEvents(model, [user('context'), user('do it'), result, result, user('more'), result])
  expect(understood(model)).toEqual({
    userTexts: ['context', 'do it', 'more'],
    resultsAfter: [3, 3, 1],
    tools: ['exec_command'],
  })
})
