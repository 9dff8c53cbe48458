import { expect, test } from 'vitest'
import { judgeMemory, narrowMemory, parseMemory } from '../../src/domain/memory.ts'
import type { AgentExit, AttemptOutcome, FailureCode } from '../../src/domain/outcome.ts'

test.each([
  ['4G', 4 * 1024 ** 3],
  ['1.5g', 1.5 * 1024 ** 3],
  ['512M', 512 * 1024 ** 2],
  ['512MiB', 512 * 1024 ** 2],
  ['4GB', 4e9],
  ['67108864', 64 * 1024 ** 2],
  ['63M', undefined],
  ['4 G', undefined],
  ['lots', undefined],
  ['-4G', undefined],
  ['9999999T', undefined],
])('--memory %s', (text, bytes) => {
  expect(parseMemory(text)).toBe(bytes)
})

test('who is delegated gets no more than who delegates', () => {
  const cases = [
    [null, null],
    [5, null],
    [null, 7],
    [5, 7],
    [9, 7],
  ] as const
  expect(cases.map(([asked, parent]) => narrowMemory(asked, parent))).toEqual([null, 5, 7, 5, 7])
})

const failed = (code: FailureCode): AttemptOutcome => ({
  kind: 'interrupted',
  failure: { code, message: 'x' },
})
const killed: AgentExit = { kind: 'signalled', signal: 9 }
const judged: [string, AttemptOutcome, AgentExit, number | null, FailureCode | undefined][] = [
  ['the kernel says so', failed('agent_crashed'), killed, 1, 'out_of_memory'],
  ['the kernel has killed nobody', failed('agent_crashed'), killed, 0, 'agent_crashed'],
  ['nobody can tell', failed('agent_crashed'), killed, null, 'agent_crashed'],
  [
    'a tool was killed, and then the agent crashed',
    failed('agent_crashed'),
    { kind: 'signalled', signal: 11 },
    1,
    'agent_crashed',
  ],
  [
    'a tool was killed, and the agent said how it ended',
    failed('model_error'),
    killed,
    1,
    'model_error',
  ],
  [
    'a program that has failed by itself',
    failed('command_failed'),
    { kind: 'exited', code: 1 },
    1,
    'command_failed',
  ],
  ['nobody knows how it ended', failed('exit_unknown'), { kind: 'unknown' }, 1, 'exit_unknown'],
  ['it had done all', { kind: 'succeeded' }, killed, 3, undefined],
]

test.each(judged)('%s', (_, outcome, exit, kills, code) => {
  const after = judgeMemory(outcome, exit, kills, 1024 ** 3)
  expect('failure' in after ? after.failure.code : undefined).toBe(code)
  if (code !== 'out_of_memory') expect(after).toBe(outcome)
  else {
    expect(after).toMatchObject({
      kind: 'interrupted',
      failure: {
        message: 'the kernel killed it for want of memory: its limit is 1 GiB',
        hint: expect.stringContaining('--memory sets another limit'),
      },
    })
  }
})
