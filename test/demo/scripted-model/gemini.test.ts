import { describe, expect, it } from 'vitest'
import { byMarker, say, shell, usageLimit } from '../../../src/demo/scripted-model/script.ts'
import type { ScriptedModel } from '../../../src/demo/scripted-model/server.ts'
import { hearUntilBroken, parseData, startModel, understood } from './model.ts'

const user = (text: string) => ({ role: 'user', parts: [{ text }] })
const result = {
  role: 'user',
  parts: [{ functionResponse: { name: 'run_shell_command', response: { output: 'ok' } } }],
}
const SHELL = [{ functionDeclarations: [{ name: 'glob' }, { name: 'run_shell_command' }] }]

function ask(
  model: ScriptedModel,
  contents: readonly unknown[] = [user('hi')],
  { method = 'streamGenerateContent?alt=sse', tools = SHELL as unknown } = {},
): Promise<Response> {
  const url = `${model.origin}/v1beta/models/gemini-2.5-flash:${method}`
  return fetch(url, { method: 'POST', body: JSON.stringify({ contents, tools }) })
}

interface Sent {
  candidates?: {
    content: { parts: { text?: string; functionCall?: object }[] }
    finishReason?: string
  }[]
  error?: object
}

const askResponses = async (...args: Parameters<typeof ask>) =>
  parseData(await (await ask(...args)).text()) as Sent[]

const partsOf = (sent: readonly Sent[]) =>
  sent.flatMap(one => one.candidates?.flatMap(candidate => candidate.content.parts) ?? [])
const saidText = (sent: readonly Sent[]) =>
  partsOf(sent)
    .map(part => part.text ?? '')
    .join('')

describe('a turn', () => {
  it('says a text in parts, and with the last response that it is over', async () => {
    const model = await startModel([{ kind: 'reply', text: 'abcd', chunks: 2 }])
    const sent = await askResponses(model)
    expect(saidText(sent)).toBe('abcd')
    expect(sent).toHaveLength(3)
    expect(sent[0]).not.toHaveProperty('candidates.0.finishReason')
    expect(sent.at(-1)).toMatchObject({
      candidates: [{ finishReason: 'STOP' }],
      usageMetadata: { totalTokenCount: 120 },
    })
  })

  it('runs a command, and goes on by its result', async () => {
    const model = await startModel({ choose: byMarker({ GO: [shell('ls'), say('Listed.')] }) })
    const parts = partsOf(await askResponses(model, [user('GO')]))
    expect(parts).toEqual([
      { functionCall: { name: 'run_shell_command', args: { command: 'ls' } } },
    ])
    const next = [user('GO'), { role: 'model', parts }, result]
    expect(saidText(await askResponses(model, next))).toBe('Listed.')
  })

  it('comes in one piece where no stream is wanted', async () => {
    const response = await ask(await startModel([say('Hello')]), undefined, {
      method: 'generateContent',
    })
    expect(await response.json()).toMatchObject({
      candidates: [
        { content: { role: 'model', parts: [{ text: 'Hello' }] }, finishReason: 'STOP' },
      ],
    })
  })

  it('refuses, with a status and a body', async () => {
    const response = await ask(await startModel([{ kind: 'http_error', status: 400, body: 'no' }]))
    expect([response.status, await response.text()]).toEqual([400, 'no'])
  })

  it('is refused where the quota of the day is used up', async () => {
    const response = await ask(await startModel([usageLimit(Date.now() + 3_600_000)]))
    expect(response.status).toBe(429)
    const body = await response.text()
    expect(body).toContain('RESOURCE_EXHAUSTED')
    expect(body).toContain('PerDay')
    expect(body).toMatch(/"retryDelay":"3\d{3}s"/)
  })

  it('breaks off in the middle of a text', async () => {
    const heard = await hearUntilBroken(
      await ask(await startModel([{ kind: 'drop', when: 'mid' }])),
    )
    expect(saidText(parseData(heard) as Sent[])).not.toBe('')
    expect(heard).not.toContain('STOP')
  })

  it('hangs, accepted but without a word, until it is cut', async () => {
    const model = await startModel([{ kind: 'hang' }])
    const response = await ask(model)
    expect(response.status).toBe(200)
    const heard = hearUntilBroken(response)
    await model.close()
    expect(await heard).toBe('')
  })

  it('fails within the stream', async () => {
    const model = await startModel([{ kind: 'failed', code: 'INTERNAL', message: 'boom' }])
    const error = { code: 500, status: 'INTERNAL', message: 'boom' }
    expect(await (await ask(model)).json()).toEqual({ error })
  })
})

it('a conversation is read: texts of the user, and the results since each', async () => {
  const model = await startModel([say('Done.')])
  const context = user('<session_context>')
  const answer = { role: 'model', parts: [{ text: 'yes' }] }
  await ask(model, [context, user('do it'), answer, result, result, user('more'), result])
  expect(understood(model)).toEqual({
    userTexts: ['<session_context>', 'do it', 'more'],
    resultsAfter: [3, 3, 1],
    tools: ['glob', 'run_shell_command'],
  })
})

it('a request without tools is none of the script', async () => {
  const model = await startModel([say('one')])
  expect(saidText(await askResponses(model, undefined, { tools: [] }))).toBe('A side request.')
  expect(saidText(await askResponses(model))).toBe('one')
})
