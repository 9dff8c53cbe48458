/** Odd repositories, as people meet them: the built program from `run` to the result. */
import { expect, test } from 'vitest'
import { House } from './house.ts'

test('a merge in progress: its conflicts come along, and what does not is said at once', async () => {
  const house = new House()
  house.git('checkout', '--quiet', '-b', 'other')
  house.write('kept.txt', 'theirs\n')
  house.git('commit', '--quiet', '--all', '--message=theirs')
  house.git('checkout', '--quiet', 'trunk')
  house.write('kept.txt', 'ours\n')
  house.git('commit', '--quiet', '--all', '--message=ours')
  expect(() => house.git('merge', '--quiet', 'other')).toThrow()
  const before = house.fingerprint()
  const script = 'git status --porcelain && cat kept.txt'
  const words = ['run', 'command', '--', '/bin/sh', '-c', script]
  const { code, stdout, stderr } = await house.run(words)
  expect(code).toBe(0)
  expect(stderr).toContain('left out: a merge is in progress: not taken (MERGE_HEAD)')
  const id = stdout.trim()
  const { state, base, result } = await house.wait(id)
  expect(state).toBe('succeeded')
  expect(base.changes?.leftOut).toHaveLength(1)
  expect(result).toMatchObject({ files: 0, leftOut: [] })
  expect(result?.answer).toMatch(/^UU kept\.txt\n<<<<<<< HEAD\nours\n/)
  expect(house.fingerprint()).toBe(before)
})
