/** Worktrees that no task has asked for, while others are at work on the very same. */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { onReach } from '../../src/domain/crash-points.ts'
import { makeTaskId, type WorktreeId } from '../../src/domain/ids.ts'
import { DEFAULT_PORTS } from '../../src/domain/port-blocks.ts'
import { addWorktree } from '../../src/engine/add-worktree.ts'
import { putAway } from '../../src/engine/put-away.ts'
import { runAttempt } from '../../src/engine/run-attempt.ts'
import { makeTicker } from '../../src/engine/ticker.ts'
import { withWorktree } from '../../src/engine/worktree-lock.ts'
import { makeRequest, makeScene } from './scene.ts'

const id = 'desk-1' as WorktreeId

afterEach(() => onReach(() => undefined))

async function makeDesk() {
  const { holdfast, repo, ports: shared } = await makeScene()
  const checkout = await shared.worktrees.openCheckout(repo)
  const ports = {
    ...shared,
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
  const base = { commit: checkout.head, changes: null }
  const { commonDir } = checkout.place
  const plan = { id, kind: 'permanent', path: ports.files.worktreePath(id), commonDir } as const
  /** A task that is to work there, claimed by a worker. */
  const lease = async () => {
    const task = makeTaskId(randomBytes(16))
    const request = makeRequest(task, checkout.place, base)
    await ports.files.create(task, commonDir)
    await ports.store.submitTask(
      { ...request, workplace: plan },
      { record: null, newestTask: null },
    )
    const claimed = await ports.store.claimNext(2, () => 'fresh')
    if (claimed === undefined) throw new Error('nothing was claimed')
    return claimed
  }
  const make = () => ports.worktrees.createWorktree(id, plan.path, base, commonDir)
  const add = (own = ports) => addWorktree(order, own)
  return { holdfast, ports, plan, lease, make, add }
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

test('a task that comes while one is made has it: what it does there stays', async () => {
  const { holdfast, ports, plan, lease, make, add } = await makeDesk()
  const takeIncluded: typeof ports.worktrees.takeIncluded = async (...words) => {
    await lease()
    await make()
    writeFileSync(join(plan.path, 'work'), 'of the task\n')
    return await ports.worktrees.takeIncluded(...words)
  }
  const adding = add({ ...ports, worktrees: { ...ports.worktrees, takeIncluded } })
  await expect(adding).rejects.toMatchObject({ code: 'leased' })
  expect(readFileSync(join(plan.path, 'work'), 'utf8')).toBe('of the task\n')
  expect(await ports.store.findWorktree(id)).toMatchObject({ record: null })
  await holdfast.close()
})

test('a task makes nothing where somebody else is at that, and takes nothing of theirs', async () => {
  const { holdfast, ports, plan, lease, make } = await makeDesk()
  const { store } = ports
  const { task, attempt } = await lease()
  const ticker = makeTicker()
  const own = {
    ...{ ...ports, ticker, snapshotEveryMs: 0, findAgent: holdfast.agent },
    ...{ portRange: DEFAULT_PORTS, agentHomes: 'shared' as const },
  }
  const agent = await holdfast.agent('command')
  const wishes = { cancel: false, release: false, unseen: false, stirred: false }
  const leased = Promise.withResolvers<void>()
  onReach(point => {
    if (point === 'worktree.leased') leased.resolve()
  })
  const made = withWorktree(id, ports, async () => {
    const running = runAttempt({ task, attempt, agent }, null, wishes, own)
    await leased.promise
    const record = await make()
    writeFileSync(join(plan.path, 'work'), 'of somebody else\n')
    await store.registerWorktree(record, 'permanent')
    return { running }
  })
  await (await made).running
  ticker.stop()
  expect((await store.findTask(task.request.id))?.state).toMatchObject({
    name: 'failed',
    failure: {
      code: 'worktree_failed',
      message: expect.stringContaining('was made by somebody else meanwhile'),
    },
  })
  expect(readFileSync(join(plan.path, 'work'), 'utf8')).toBe('of somebody else\n')
  expect(await store.findWorktree(id)).toMatchObject({ leasedTo: null })
  await holdfast.close()
})
