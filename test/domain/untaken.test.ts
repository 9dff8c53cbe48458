import { expect, test } from 'vitest'
import { isUntaken } from '../../src/domain/untaken.ts'

const managed = { kind: 'managed' }
const taken = { how: 'applied' }
const result = (files: number, repositories: readonly string[] = []) => ({
  commit: 'c'.repeat(40),
  files,
  repositories,
})

test.each([
  ['it has not ended', { result: null, taken: null, worktree: managed }, false],
  [
    'nothing could be collected',
    { result: { commit: null, files: 0 }, taken: null, worktree: managed },
    false,
  ],
  ['it changed nothing', { result: result(0), taken: null, worktree: managed }, false],
  ['it changed a file', { result: result(1), taken: null, worktree: managed }, true],
  ['that was applied', { result: result(1), taken, worktree: managed }, false],
  ['it worked in place', { result: result(1), taken: null, worktree: { kind: 'borrowed' } }, false],
  [
    'it worked in a submodule alone',
    { result: result(0, ['lib']), taken: null, worktree: managed },
    true,
  ],
  ['of two places one was applied', { result: result(1, ['lib']), taken, worktree: managed }, true],
] as const)('what waits to be taken: %s', (_, task, expected) => {
  expect(isUntaken(task)).toBe(expected)
})
