import { afterEach } from 'vitest'
import type { RecordedRequest, Turn } from '../../../src/demo/scripted-model/script.ts'
import {
  type ScriptedModel,
  type ScriptedModelOptions,
  startScriptedModel,
} from '../../../src/demo/scripted-model/server.ts'

const started: ScriptedModel[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map(model => model.close()))
})

/** A server of the running test's own, which goes with it. */
export async function startModel(
  options: ScriptedModelOptions | readonly Turn[],
): Promise<ScriptedModel> {
  const model = await startScriptedModel('length' in options ? { turns: options } : options)
  started.push(model)
  return model
}

/** The data of each server-sent event; what is no JSON is left as it is. */
export function parseData(stream: string): unknown[] {
  return stream
    .split('\n')
    .filter(line => line.startsWith('data: '))
    .map(line => line.slice('data: '.length))
    .map(text => (text.startsWith('{') ? JSON.parse(text) : text))
}

/** What came until the connection broke; fails where it did not break. */
export async function hearUntilBroken(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let heard = ''
  try {
    for await (const chunk of response.body ?? []) heard += decoder.decode(chunk)
  } catch {
    return heard // The break that was waited for.
  }
  throw new Error(`the answer was whole: ${heard}`)
}

/** What the model understood of its newest request. */
export const understood = (model: ScriptedModel): RecordedRequest['conversation'] | undefined =>
  model.requests.at(-1)?.conversation
