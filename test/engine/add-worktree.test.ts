/** Worktrees that no task has asked for, while others are at work on the very same. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { onReach } from '../../src/domain/crash-points.ts'
import type { WorktreeId } from '../../src/domain/ids.ts'
import { addWorktree } from '../../src/engine/add-worktree.ts'
import { putAway } from '../../src/engine/put-away.ts'
import { makeScene } from './scene.ts'

const id = 'desk-1' as WorktreeId

afterEach(() => onReach(() => undefined))

async function makeDesk() {
  const { holdfast, repo, ports: shared } = await makeScene()
  const checkout = await shared.worktrees.openCheckout(repo)
  const ports = {
    ...shared,
    locks: await holdfast.locks(),
    processes: await holdfast.processes(),
    host: await holdfast.host(),
    confinement: await holdfast.confinement(),
    trust: await holdfast.trust(),
    environment: {},
    rights: 'agents' as const,
    tell: () => undefined,
    directory: '/',
  }
  const order = {
    ...{ id, checkout, commit: checkout.head, holder: null },
    kind: 'permanent' as const,
    bounds: { maxBytes: 1e6, maxFiles: 100 },
  }
  return { holdfast, repo, ports, checkout, add: () => addWorktree(order, ports) }
}

test('one that is put away while it is asked for comes back with all that was in it', async () => {
  const { holdfast, ports, add } = await makeDesk()
  const { worktree } = await add()
  writeFileSync(join(worktree.path, 'work'), 'mine\n')
  let asked: ReturnType<typeof add> | undefined
  onReach(point => {
    if (point === 'snapshot.recorded') asked ??= add()
  })
  await putAway(id, ports, ['permanent'])
  expect(await asked).toMatchObject({ how: 'back', worktree: { path: worktree.path } })
  expect(readFileSync(join(worktree.path, 'work'), 'utf8')).toBe('mine\n')
  await holdfast.close()
})
