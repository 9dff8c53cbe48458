import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { retireWorktree } from '../../src/engine/retire.ts'
import { beginTask, makeScene } from './scene.ts'

async function scene() {
  const { holdfast, git, repo, ports } = await makeScene()
  const { store, files } = ports
  const { id, attempt, worktreeId, path, record, collect } = await beginTask(ports, repo)
  await store.recordWorktree(attempt, record)
  const end = async () => {
    const failure = { code: 'agent_crashed', message: 'x' } as const
    const event = { kind: 'attempt_failed', failure, result: null } as const
    await store.transition(id, attempt.fence, event, 3)
  }
  return { holdfast, git, id, worktreeId, path, end, collect, ports, trash: files.trash() }
}

test('a leased worktree is not retired, whatever is in it', async () => {
  const { holdfast, worktreeId, path, ports } = await scene()
  await expect(retireWorktree(worktreeId, null, ports)).rejects.toMatchObject({ code: 'leased' })
  expect(existsSync(join(path, 'file'))).toBe(true)
  await holdfast.close()
})

test('work that was not collected is refused by name, and stays', async () => {
  const { holdfast, worktreeId, path, end, ports } = await scene()
  await end()
  writeFileSync(join(path, 'precious'), 'work\n')
  const refusal = retireWorktree(worktreeId, null, ports)
  await expect(refusal).rejects.toMatchObject({
    code: 'work_left',
    message: expect.stringContaining('precious'),
  })
  expect(existsSync(join(path, 'precious'))).toBe(true)
  expect(await ports.store.findWorktree(worktreeId)).toBeDefined()
  await holdfast.close()
})

test('what was collected is retired: gone from disk, git and store, and still in its commit', async () => {
  const { holdfast, git, worktreeId, path, end, collect, ports, trash } = await scene()
  writeFileSync(join(path, 'precious'), 'work\n')
  const { commit } = await collect()
  await end()
  await retireWorktree(worktreeId, commit, ports)
  expect(existsSync(path)).toBe(false)
  expect(existsSync(trash) ? readdirSync(trash) : []).toEqual([])
  expect(git('worktree', 'list').trim().split('\n')).toHaveLength(1)
  expect(await ports.store.findWorktree(worktreeId)).toBeUndefined()
  expect(git('show', `${commit}:precious`)).toBe('work\n')
  await holdfast.close()
})
