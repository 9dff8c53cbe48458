import { expect, it } from 'vitest'
import { makeTaskId } from '../../src/domain/ids.ts'
import { plainRequest, type Task } from '../../src/domain/task.ts'
import { afterLimit } from '../../src/engine/after-limit.ts'

const NOW = Date.parse('2026-11-29T12:00:00Z')

const task = {
  request: plainRequest(makeTaskId(new Uint8Array(16))),
  agent: 'codex',
  account: 'codex:1',
  fallbacks: 0,
  failuresInRow: 0,
} as unknown as Task

const context = {
  now: NOW,
  findAgent: () => Promise.reject(new Error('nobody to fall back to')),
  readEnvironment: () => Promise.resolve({}),
}

it.each<[string, number | null, number]>([
  ['until a little after the reset', NOW + 60_000, NOW + 62_000],
  ['for a while where nobody said when it is', null, NOW + 15 * 60_000 + 2_000],
  ['a moment where it is now', NOW, NOW + 2_000],
  ['and not in vain again and again where it has passed', NOW - 60_000, NOW + 30_000],
])('a used-up account is left alone %s', async (_, resetsAt, until) => {
  const failure = { code: 'usage_limit', message: 'used up' } as const
  expect(await afterLimit(task, failure, resetsAt, context)).toMatchObject({
    kind: 'attempt_interrupted',
    wait: { reason: 'usage_limit', until, account: 'codex:1' },
  })
})
