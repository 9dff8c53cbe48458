import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeAcpAgent } from '../../src/agents/acp/agent.ts'
import { presets } from '../../src/agents/acp/presets.ts'
import { codex } from '../../src/agents/codex/agent.ts'
import type { Composition } from '../../src/compose.ts'
import { asFence, type TaskId } from '../../src/domain/ids.ts'
import type { Message } from '../../src/domain/message.ts'
import type { Task, TaskState } from '../../src/domain/task.ts'
import { readBrief } from '../../src/process/dialogue.ts'
import { whenHeard } from '../../src/surfaces/send-words.ts'
import { scratchDirectory } from '../scratch.ts'

test('a message is heard at once only where the attempt that runs is talked to in its turn', async () => {
  const root = scratchDirectory()
  const runDirectory = (_: TaskId, fence: number) => join(root, String(fence))
  // The first attempt was given its prompt alone, and the second is talked to.
  mkdirSync(runDirectory('t' as TaskId, 1))
  mkdirSync(runDirectory('t' as TaskId, 2))
  writeFileSync(join(runDirectory('t' as TaskId, 2), 'brief'), '{}')
  const agents = { codex, gemini: makeAcpAgent(presets.gemini) }
  const holdfast = {
    agent: async (name: keyof typeof agents) => agents[name],
    files: async () => ({ runDirectory }),
    host: async () => ({ readBrief }),
  } as unknown as Composition
  const message = { number: 1, heardAt: null } as Message
  const heard = (state: object, agent = 'codex', said: Message | null = message) => {
    const task = { request: { id: 't' }, agent, attempts: 2, state: state as TaskState } as Task
    return whenHeard({ task, message: said, isNew: true }, { holdfast })
  }
  const [alone, talkedTo] = [asFence(1), asFence(2)]

  expect(await heard({ name: 'running', fence: talkedTo })).toBe('at_once')
  expect(await heard({ name: 'needs_input', fence: talkedTo })).toBe('at_once')
  expect(await heard({ name: 'running', fence: alone })).toBe('after_turn')
  expect(await heard({ name: 'needs_input', fence: alone })).toBe('after_turn')
  expect(await heard({ name: 'running', fence: talkedTo }, 'gemini')).toBe('after_turn')
  expect(await heard({ name: 'running', fence: talkedTo }, 'codex', null)).toBe('at_start')
  for (const state of [
    { name: 'starting', fence: talkedTo },
    { name: 'queued' },
    { name: 'waiting' },
  ]) {
    expect([state.name, await heard(state)]).toEqual([state.name, 'at_start'])
  }
})
