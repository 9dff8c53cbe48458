import { describe, expect, it } from 'vitest'
import { byMarker, say, shell, usageLimit } from '../../../src/demo/scripted-model/script.ts'
import type { ScriptedModel } from '../../../src/demo/scripted-model/server.ts'
import { hearUntilBroken, parseData, startModel, understood } from './model.ts'

const text = (words: string) => ({ type: 'text', text: words })
const user = (...content: unknown[]) => ({ role: 'user', content })
const result = { type: 'tool_result', tool_use_id: 't', content: 'ok' }
const BASH = [{ name: 'Read' }, { name: 'Bash' }]

function ask(
  model: ScriptedModel,
  messages: readonly unknown[] = [user(text('hi'))],
  more: object = {},
): Promise<Response> {
  const body = JSON.stringify({ model: 'scripted', messages, tools: BASH, stream: true, ...more })
  return fetch(`${model.origin}/v1/messages?beta=true`, { method: 'POST', body })
}

interface Sent {
  type: string
  delta?: { text?: string; partial_json?: string; stop_reason?: string }
  content_block?: object
}

const askEvents = async (...args: Parameters<typeof ask>) =>
  parseData(await (await ask(...args)).text()) as Sent[]

const saidText = (events: readonly Sent[]) => events.map(event => event.delta?.text ?? '').join('')

describe('a turn', () => {
  it('says a text, from start to stop', async () => {
    const events = await askEvents(await startModel([say('Hello')]))
    expect(events.map(event => event.type)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    expect(saidText(events)).toBe('Hello')
    expect(events.at(-2)).toMatchObject({
      delta: { stop_reason: 'end_turn' },
      usage: { output_tokens: 20 },
    })
  })

  it('runs a command, and goes on by its result', async () => {
    const model = await startModel({
      choose: byMarker({ GO: [shell('ls', 'Looking.'), say('Listed.')] }),
    })
    const events = await askEvents(model, [user(text('GO'))])
    expect(saidText(events)).toBe('Looking.')
    const blocks = events.flatMap(event => event.content_block ?? [])
    expect(blocks).toMatchObject([{ type: 'text' }, { type: 'tool_use', name: 'Bash', input: {} }])
    const input = events.map(event => event.delta?.partial_json ?? '').join('')
    expect(JSON.parse(input)).toEqual({ command: 'ls', description: expect.any(String) })
    expect(events.at(-2)).toMatchObject({ delta: { stop_reason: 'tool_use' } })
    const next = [user(text('GO')), { role: 'assistant', content: [] }, user(result)]
    expect(saidText(await askEvents(model, next))).toBe('Listed.')
  })

  it('comes in one piece where no stream is wanted', async () => {
    const model = await startModel([shell('ls', 'Looking.')])
    const response = await ask(model, undefined, { stream: undefined })
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toMatchObject({
      type: 'message',
      content: [text('Looking.'), { type: 'tool_use', name: 'Bash', input: { command: 'ls' } }],
      stop_reason: 'tool_use',
    })
  })

  it.each([true, false])('breaks off in the middle; as a stream: %s', async stream => {
    const model = await startModel([{ kind: 'drop', when: 'mid' }])
    const heard = await hearUntilBroken(await ask(model, undefined, { stream }))
    expect(heard).not.toBe('')
    expect(heard).not.toContain('end_turn')
  })

  it('refuses, with a status and a body', async () => {
    const body = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
    const response = await ask(await startModel([{ kind: 'http_error', status: 529, body }]))
    expect([response.status, await response.json()]).toEqual([529, body])
  })

  it('is refused where the usage limit is reached, and says until when', async () => {
    const until = Date.now() + 3_600_000
    const response = await ask(await startModel([usageLimit(until)]))
    expect(response.status).toBe(429)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-should-retry': 'false',
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-reset': String(Math.ceil(until / 1000)),
    })
    expect(await response.json()).toMatchObject({ error: { type: 'rate_limit_error' } })
  })

  it('hangs until it is cut', async () => {
    const model = await startModel([{ kind: 'hang' }])
    const heard = hearUntilBroken(await ask(model))
    await model.close()
    expect(parseData(await heard)).toMatchObject([{ type: 'message_start' }])
  })

  it('fails within the stream, or by a status where there is none', async () => {
    const failed = { kind: 'failed', code: 'overloaded_error', message: 'boom' } as const
    const model = await startModel([failed, failed])
    const error = { type: 'overloaded_error', message: 'boom' }
    expect((await askEvents(model)).at(-1)).toEqual({ type: 'error', error })
    const response = await ask(model, undefined, { stream: false })
    expect([response.status, await response.json()]).toEqual([500, { error }])
  })
})

it('a conversation is read: results come before the texts of the same message', async () => {
  const model = await startModel([say('Done.')])
  const reminder = text('<system-reminder>be good</system-reminder>')
  await ask(model, [
    user(reminder, text('do it')),
    { role: 'assistant', content: [text('yes')] },
    user(result, reminder),
    user(result),
    { role: 'user', content: 'more' },
  ])
  expect(understood(model)).toEqual({
    userTexts: [`${reminder.text}\ndo it`, reminder.text, 'more'],
    resultsAfter: [2, 1, 0],
    tools: ['Read', 'Bash'],
  })
})

it('a request without tools is none of the script', async () => {
  const model = await startModel([say('one')])
  expect(saidText(await askEvents(model, undefined, { tools: [] }))).toBe('A side request.')
  expect(saidText(await askEvents(model))).toBe('one')
})
