import { expect, test } from 'vitest'
import { asFence } from '../../src/domain/ids.ts'
import {
  askToMend,
  countFailedBefore,
  mayMend,
  type Verification,
  verifyFailure,
} from '../../src/domain/verify.ts'

const failed = (fence: number, failedBefore: number): Verification & { state: 'failed' } => ({
  state: 'failed',
  fence: asFence(fence),
  failedBefore,
  endedAt: 1,
  how: 'exit code 1',
  output: 'one\n2 tests failed\n',
})

test('the agent has one more turn in a task, whatever came between, and however often it is judged', () => {
  const first = failed(1, countFailedBefore(null, asFence(1)))
  expect(mayMend(first, 'session')).toBe(true)
  // A worker that died right after it was written down judges it again.
  const again = failed(1, countFailedBefore(first, asFence(1)))
  expect(mayMend(again, 'session')).toBe(true)
  // The one that follows; and a worker that takes it over in the middle.
  expect(countFailedBefore(first, asFence(3))).toBe(1)
  const running = { state: 'running', fence: asFence(3), failedBefore: 1, fromMs: 0 } as const
  expect(countFailedBefore(running, asFence(3))).toBe(1)
  expect(mayMend(failed(3, 1), 'session')).toBe(false)
  // It passed, and was told more: that was no failure.
  const passed = {
    state: 'passed',
    fence: asFence(1),
    failedBefore: 0,
    endedAt: 1,
    output: '',
  } as const
  expect(countFailedBefore(passed, asFence(2))).toBe(0)
})

test('whoever has no session, or was not seen to fail, is told nothing', () => {
  expect(mayMend(failed(1, 0), 'no')).toBe(false)
  expect(mayMend(failed(1, 0), 'rerun')).toBe(false)
  expect(mayMend({ ...failed(1, 0), state: 'unknown' }, 'session')).toBe(false)
})

test('the agent is told command, end and output; the failure says where all of that is', () => {
  const verify = { argv: ['npm', 'run', 'a b'], limitMs: 1 }
  const words = askToMend(verify, failed(1, 0))
  for (const part of ["npm run 'a b'", 'exit code 1', '2 tests failed'])
    expect(words).toContain(part)
  expect(verifyFailure(verify, failed(1, 1), '/log')).toMatchObject({
    code: 'verify_failed',
    message: expect.stringContaining('one · 2 tests failed'),
    hint: expect.stringContaining('/log'),
  })
})
