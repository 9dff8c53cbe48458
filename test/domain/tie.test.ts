import { expect, test } from 'vitest'
import { asFence, type TaskId } from '../../src/domain/ids.ts'
import type { TaskState } from '../../src/domain/task.ts'
import { describeTie, isTieOver, type TieSight } from '../../src/domain/tie.ts'
import { nextState } from '../../src/domain/transitions.ts'

const cancelled: TaskState = { name: 'cancelled', endedAt: 1, result: null }
const sights: readonly [string, TieSight, boolean][] = [
  ['a process that lives, or stands still', { kind: 'process', liveness: 'alive' }, false],
  ['a process that is gone', { kind: 'process', liveness: 'dead' }, true],
  ['a process that cannot be seen from here', { kind: 'process', liveness: 'unknown' }, false],
  ['a task between two attempts', { kind: 'task', state: { name: 'queued' } }, false],
  [
    'a task whose end was asked for',
    { kind: 'task', state: { name: 'cancelling', fence: asFence(1) } },
    false,
  ],
  ['a task that has ended', { kind: 'task', state: cancelled }, true],
  ['a task that cannot be read', { kind: 'task', state: undefined }, false],
]

test.each(sights)('%s', (_, sight, over) => {
  expect(isTieOver(sight)).toBe(over)
})

test('why nobody’s cancel came is kept to the end', () => {
  const event = { kind: 'cancel_requested', why: 'the shell has ended' } as const
  const fence = asFence(1)
  const ending = nextState({ name: 'running', fence }, event, fence, 5)
  expect(ending).toEqual({ name: 'cancelling', fence, why: 'the shell has ended' })
  if (ending === 'refused') throw new Error('refused')
  // Somebody asks too: it came first.
  const asked = nextState(ending, { kind: 'cancel_requested' }, fence, 6)
  expect(asked).toBe(ending)
  const over = nextState(ending, { kind: 'attempt_cancelled', result: null }, fence, 7)
  expect(over).toEqual({ ...cancelled, endedAt: 7, why: 'the shell has ended' })
  expect(nextState({ name: 'queued' }, event, fence, 5)).toEqual({
    ...cancelled,
    endedAt: 5,
    why: 'the shell has ended',
  })
  expect(nextState({ name: 'queued' }, { kind: 'cancel_requested' }, fence, 1)).toEqual(cancelled)
})

test('a task is named by its id', () => {
  const tie = { kind: 'task', id: 'k3v9m2x7qd' as TaskId } as const
  expect(describeTie(tie, { kind: 'task' })).toBe('task k3v9m2x7qd')
})
