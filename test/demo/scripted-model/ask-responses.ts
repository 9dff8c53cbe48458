import type { ScriptedModel } from '../../../src/demo/scripted-model/server.ts'
import { parseData } from './model.ts'

export const user = (text: string) => ({
  type: 'message',
  role: 'user',
  content: [{ type: 'input_text', text }],
})
export const result = { type: 'function_call_output', call_id: 'c', output: 'ok' }
const EXEC = [{ type: 'function', name: 'exec_command' }]

/** Asks as Codex does. */
export function ask(
  model: ScriptedModel,
  input: readonly unknown[] = [user('hi')],
  tools: unknown = EXEC,
): Promise<Response> {
  const body = JSON.stringify({ model: 'scripted', input, tools, stream: true })
  return fetch(`${model.url}/responses`, { method: 'POST', body })
}

export interface Sent {
  type: string
  delta?: string
  item?: { type: string; name?: string; arguments?: string; call_id?: string }
  response?: { status: string; error?: { code: string }; usage?: object }
}

export const askEvents = async (...args: Parameters<typeof ask>): Promise<readonly Sent[]> =>
  parseData(await (await ask(...args)).text()) as Sent[]

export const saidText = (events: readonly Sent[]): string =>
  events.map(event => (event.type.endsWith('text.delta') ? event.delta : '')).join('')
