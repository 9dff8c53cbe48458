/** Retiring, with the real store and real git. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeTaskId, worktreeIdOf } from '../../src/domain/ids.ts'
import { retireWorktree } from '../../src/engine/retire.ts'
import { makeRequest, makeScene } from './scene.ts'

async function scene() {
  const { holdfast, git, repo, ports } = await makeScene()
  const { store, files, worktrees } = ports
  const id = makeTaskId(randomBytes(16))
  const checkout = await worktrees.openCheckout(repo)
  await files.create(id, checkout.place.commonDir)
  const order = { maxBytes: 1e6, maxFiles: 100, changes: 'all', revision: null } as const
  const base = await worktrees.captureBase(checkout, id, files.directory(id), order)
  await store.submitTask(makeRequest(id, checkout.place, base))
  const claimed = await store.claimNext(2, () => 'fresh')
  if (claimed === undefined) throw new Error('nothing was claimed')
  const { attempt } = claimed
  const worktreeId = worktreeIdOf(id)
  const path = files.worktreePath(id)
  const { commonDir } = checkout.place
  await store.leaseWorktree(attempt, { id: worktreeId, kind: 'managed', path, commonDir })
  const record = await worktrees.createWorktree(worktreeId, path, base, commonDir)
  await store.recordWorktree(attempt, record)
  const end = async () => {
    const failure = { code: 'agent_crashed', message: 'x' } as const
    const event = { kind: 'attempt_failed', failure, result: null } as const
    await store.transition(id, attempt.fence, event, 3)
  }
  const collect = () => worktrees.collectResult(record, base, id, files.directory(id))
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
