import { expect, test } from 'vitest'
import type { Delivery } from '../../src/domain/delivery.ts'
import type { Task } from '../../src/domain/task.ts'
import { describeUntold } from '../../src/surfaces/hook/untold.ts'

const untold = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    delivery: { event: n === 0 ? 'needs_input' : 'failed' } as Delivery,
    task: { agent: 'codex', request: { id: `id-${n}`, name: `name-${n}` } } as Task,
  }))

test('there are five lines at most, and the last says how many more there are', () => {
  expect(describeUntold(untold(2)).split('\n')).toEqual([
    '- name-0 (codex) asks something: holdfast status id-0',
    '- name-1 (codex) failed: holdfast result id-1',
  ])
  expect(describeUntold(untold(5)).split('\n')).toHaveLength(5)
  const many = describeUntold(untold(9)).split('\n')
  expect([many.length, many.at(4)]).toEqual([5, '- and 5 more: holdfast inbox'])
})
