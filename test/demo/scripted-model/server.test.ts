import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { byMarker, say, shell } from '../../../src/demo/scripted-model/script.ts'
import { scratchDirectory } from '../../scratch.ts'
import { ask, askEvents, result, type Sent, saidText, user } from './ask-responses.ts'
import { parseData, startModel } from './model.ts'

describe('the script', () => {
  it('is played in order, and the fallback after it', async () => {
    const model = await startModel({ turns: [say('one')], fallback: say('over') })
    model.push(say('two'))
    const texts = []
    for (let i = 0; i < 4; i++) texts.push(saidText(await askEvents(model)))
    expect(texts).toEqual(['one', 'two', 'over', 'over'])
    model.setTurns([say('new')])
    expect(saidText(await askEvents(model))).toBe('new')
  })

  it('is not used up by requests without tools', async () => {
    const model = await startModel([say('one')])
    expect(saidText(await askEvents(model, undefined, []))).toBe('A side request.')
    expect(saidText(await askEvents(model))).toBe('one')
  })

  it('may be chosen by a marker in the prompt, so that tasks share a server', async () => {
    const model = await startModel({
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
    const logFile = join(scratchDirectory(), 'requests.ndjson')
    const model = await startModel({ turns: [say('one')], logFile })
    const keys = { authorization: 'secret', 'x-api-key': 'secret', 'x-goog-api-key': 'secret' }
    await fetch(`${model.url}/models?x=1`, { headers: keys })
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
    const model = await startModel([say('one')])
    expect(await (await fetch(`${model.url}/models`)).json()).toMatchObject({ models: [] })
    expect((await fetch(`${model.url}/nothing`)).status).toBe(404)
    expect((await fetch(model.origin, { method: 'HEAD' })).status).toBe(200)
    const count = async (path: string) =>
      (await fetch(`${model.origin}${path}`, { method: 'POST', body: '{}' })).json()
    expect(await count('/v1/messages/count_tokens?beta=true')).toEqual({ input_tokens: 100 })
    expect(await count('/v1beta/models/m:countTokens')).toEqual({ totalTokens: 100 })
    const torn = await fetch(`${model.url}/responses`, { method: 'POST', body: '{"tools"' })
    expect(saidText(parseData(await torn.text()) as Sent[])).toBe('A side request.')
    expect(saidText(await askEvents(model))).toBe('one')
  })
})

describe('closing', () => {
  it('cuts what hangs and what is delayed, and may be asked twice', async () => {
    const model = await startModel([{ kind: 'hang' }, { kind: 'reply', delayMs: 3_600_000 }])
    const hanging = await ask(model)
    const delayed = ask(model).then(
      () => 'answered',
      () => 'cut',
    )
    await expect.poll(() => model.requests.length, { timeout: 90_000 }).toBe(2)
    await Promise.all([model.close(), model.close()])
    await expect(hanging.text()).rejects.toThrow()
    expect(await delayed).toBe('cut')
    await expect(ask(model)).rejects.toThrow()
  })

  it('leaves nothing that keeps a process alive', async () => {
    const server = new URL('../../../src/demo/scripted-model/server.ts', import.meta.url).href
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
      timeout: 200_000,
    })
    expect((await run).stdout).toBe('closed\n')
  })
})
