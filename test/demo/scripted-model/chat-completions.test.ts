import { describe, expect, it } from 'vitest'
import { byMarker, say, shell, usageLimit } from '../../../src/demo/scripted-model/script.ts'
import type { ScriptedModel } from '../../../src/demo/scripted-model/server.ts'
import { hearUntilBroken, parseData, startModel, understood } from './model.ts'

const user = (text: string) => ({ role: 'user', content: [{ type: 'text', text }] })
const result = { role: 'tool', tool_call_id: 'c', content: 'ok' }
const BASH = [{ type: 'function', function: { name: 'bash' } }]

function ask(
  model: ScriptedModel,
  messages: readonly unknown[] = [user('hi')],
  more: object = {},
): Promise<Response> {
  const body = JSON.stringify({ model: 'scripted', messages, tools: BASH, stream: true, ...more })
  return fetch(`${model.url}/chat/completions`, { method: 'POST', body })
}

interface Chunk {
  choices?: { delta: { content?: string; tool_calls?: object[] }; finish_reason: string | null }[]
  usage?: object | null
  error?: object
}

const askChunks = async (...args: Parameters<typeof ask>) =>
  parseData(await (await ask(...args)).text()) as Chunk[]

const saidText = (chunks: readonly Chunk[]) =>
  chunks.map(chunk => chunk.choices?.[0]?.delta.content ?? '').join('')

const finishOf = (chunks: readonly Chunk[]) =>
  chunks.map(chunk => chunk.choices?.[0]?.finish_reason).find(reason => reason)

describe('a turn', () => {
  it('says a text in parts, then what it cost, then that it is over', async () => {
    const model = await startModel([{ kind: 'reply', text: 'abcd', chunks: 2 }])
    const chunks = await askChunks(model)
    expect(saidText(chunks)).toBe('abcd')
    expect(chunks.filter(chunk => chunk.choices?.[0]?.delta.content)).toHaveLength(2)
    expect(finishOf(chunks)).toBe('stop')
    expect(chunks.at(-2)).toMatchObject({ choices: [], usage: { total_tokens: 120 } })
    expect(chunks.at(-1)).toBe('[DONE]')
  })

  it('runs a command, and goes on by its result', async () => {
    const model = await startModel({ choose: byMarker({ GO: [shell('ls'), say('Listed.')] }) })
    const chunks = await askChunks(model, [user('GO')])
    expect(finishOf(chunks)).toBe('tool_calls')
    const call = chunks.flatMap(chunk => chunk.choices?.[0]?.delta.tool_calls ?? [])
    expect(call).toMatchObject([{ type: 'function', function: { name: 'bash' } }])
    expect(JSON.stringify(call)).toContain('{\\"command\\":\\"ls\\"')
    const assistant = { role: 'assistant', content: null, tool_calls: call }
    expect(saidText(await askChunks(model, [user('GO'), assistant, result]))).toBe('Listed.')
  })

  it('comes in one piece where no stream is wanted', async () => {
    const model = await startModel([shell('ls', 'Looking.')])
    const answer = await (await ask(model, undefined, { stream: false })).json()
    expect(answer).toMatchObject({
      object: 'chat.completion',
      choices: [
        {
          message: { role: 'assistant', content: 'Looking.', tool_calls: [{ type: 'function' }] },
          finish_reason: 'tool_calls',
        },
      ],
    })
  })

  it('refuses, with a status and a body', async () => {
    const response = await ask(await startModel([{ kind: 'http_error', status: 500, body: 'no' }]))
    expect([response.status, await response.text()]).toEqual([500, 'no'])
  })

  it('is refused where the usage limit is reached, and says for how long', async () => {
    const response = await ask(await startModel([usageLimit(Date.now() + 3_600_000)]))
    expect(response.status).toBe(429)
    expect(Number(response.headers.get('retry-after'))).toBeCloseTo(3_600, -1)
    expect(await response.json()).toMatchObject({ error: { code: 'rate_limit_exceeded' } })
  })

  it('breaks off in the middle of a text', async () => {
    const heard = await hearUntilBroken(
      await ask(await startModel([{ kind: 'drop', when: 'mid' }])),
    )
    expect(saidText(parseData(heard) as Chunk[])).not.toBe('')
    expect(heard).not.toContain('[DONE]')
  })

  it('hangs until it is cut', async () => {
    const model = await startModel([{ kind: 'hang' }])
    const response = await ask(model)
    const heard = hearUntilBroken(response)
    await model.close()
    expect(parseData(await heard)).toMatchObject([{ choices: [{ delta: { content: '' } }] }])
  })

  it('fails within the stream', async () => {
    const model = await startModel([{ kind: 'failed', code: 'server_error', message: 'boom' }])
    expect((await askChunks(model)).at(-1)).toEqual({
      error: { type: 'server_error', code: 'server_error', message: 'boom' },
    })
  })
})

it('a conversation is read: texts of the user, and the results since each', async () => {
  const model = await startModel([say('Done.')])
  const system = { role: 'system', content: 'be good' }
  await ask(model, [
    system,
    { role: 'user', content: 'do it' },
    result,
    result,
    user('more'),
    result,
  ])
  expect(understood(model)).toEqual({
    userTexts: ['do it', 'more'],
    resultsAfter: [3, 1],
    tools: ['bash'],
  })
})

it('a request without tools is none of the script', async () => {
  const model = await startModel([say('one')])
  expect(saidText(await askChunks(model, undefined, { tools: undefined }))).toBe('A side request.')
  expect(saidText(await askChunks(model))).toBe('one')
})
