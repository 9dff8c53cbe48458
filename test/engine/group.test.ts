/** Groups with the real store and real git: all of them or none, on one base. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, expect, test } from 'vitest'
import { onReach } from '../../src/domain/crash-points.ts'
import { MOST_DELEGATED } from '../../src/domain/delegation.ts'
import { type GroupId, makeGroupId } from '../../src/domain/group.ts'
import { makeTaskId, type TaskId } from '../../src/domain/ids.ts'
import { plainRequest } from '../../src/domain/task.ts'
import { type HandInPlan, handInGroup } from '../../src/engine/hand-in.ts'
import { listAgain, passOver } from '../../src/engine/pass-over.ts'
import { requireTasks } from '../../src/surfaces/find-task.ts'
import { makeRequest, makeScene } from './scene.ts'

afterEach(() => onReach(() => undefined))

async function makeHouse() {
  const scene = await makeScene()
  const { repo, git } = scene
  const ports = { ...scene.ports, randomBytes }
  const { store, worktrees } = ports
  let captured = 0
  async function plansOf(
    names: readonly string[],
    about: Partial<HandInPlan['request']> = {},
    group = makeGroupId('race', makeTaskId(randomBytes(16))),
  ): Promise<HandInPlan[]> {
    const checkout = await worktrees.openCheckout(repo)
    const order = { maxBytes: 1e6, maxFiles: 100, changes: 'all', revision: null } as const
    const id = 'aaaaaaaaaa' as TaskId
    const base = { commit: checkout.head, changes: null } as never
    const {
      id: _,
      base: __,
      setUp: ___,
      createdAt: ____,
      workplace: _____,
      ...request
    } = makeRequest(id, checkout.place, base)
    const { workplace: ______, ...plain } = plainRequest(id)
    return names.map((name, at) => ({
      prompt: Buffer.from('do it'),
      environment: { SECRET: 'x' },
      request: {
        ...plain,
        ...request,
        name,
        group,
        ...about,
        idempotency: at === 0 ? (about.idempotency ?? null) : null,
      },
      setUp: null,
      takeBase(task: TaskId, scratch: string) {
        captured++
        return worktrees.captureBase(checkout, task, scratch, order)
      },
    }))
  }
  return {
    ...scene,
    ports,
    plansOf,
    captures: () => captured,
    directories: () => {
      const tasks = join(scene.holdfast.home, 'tasks')
      return existsSync(tasks) ? readdirSync(tasks) : []
    },
    refs: () => git('for-each-ref', '--format=%(refname)', 'refs/holdfast').trim(),
    listed: async () => (await store.listTasks({})).length,
  }
}

test('its tasks share one base, captured once, and each holds it for itself', async () => {
  const house = await makeHouse()
  writeFileSync(join(house.repo, 'file'), 'one\nedited\n')
  const { tasks, isNew } = await handInGroup(
    await house.plansOf(['race-a', 'race-b', 'race-c']),
    house.ports,
  )
  expect([isNew, tasks.map(({ request }) => request.name)]).toEqual([
    true,
    ['race-a', 'race-b', 'race-c'],
  ])
  expect(house.captures()).toBe(1)
  const [first] = tasks
  expect(first?.request.base.changes?.modified).toBe(1)
  for (const { request } of tasks) {
    expect(request.base).toEqual(first?.request.base)
    expect(house.refs()).toContain(`refs/holdfast/${request.id}/`)
  }
  const { store, worktrees } = house.ports
  expect(await store.findGroup('race')).toBe(first?.request.group)
  expect(await store.findGroup(first?.request.group ?? '')).toBe(first?.request.group)
  // Neither a part of its name, nor what only begins like it.
  for (const other of ['rac', 'race-', 'race-a', 'r', '', 'race:']) {
    expect([other, await store.findGroup(other)]).toEqual([other, undefined])
  }
  // The end of one takes nothing from the others: theirs is held by refs of their own.
  await worktrees.dropBase(join(house.repo, '.git'), first?.request.id as TaskId)
  for (const { request } of tasks.slice(1)) {
    expect(house.refs()).toContain(`refs/holdfast/${request.id}/`)
  }
  await house.holdfast.close()
})

test('a failure in the middle of it, or at its row, leaves nothing of any', async () => {
  const house = await makeHouse()
  const { files } = house.ports
  for (const [point, times] of [
    ['submission.directory-made', 2],
    ['base.held', 1],
    ['submission.base-captured', 3],
    ['submission.row-written', 2],
  ] as const) {
    let countdown: number = times
    onReach(reached => {
      if (reached === point && --countdown === 0) throw new Error(`failed at ${point}`)
    })
    const plans = await house.plansOf(['race-a', 'race-b', 'race-c'])
    await expect(handInGroup(plans, house.ports)).rejects.toThrow(point)
    onReach(() => undefined)
    expect([point, await house.listed(), house.refs()]).toEqual([point, 0, ''])
    // One that could not be made is the next worker's to find.
    const left = point === 'submission.directory-made' ? 1 : 0
    expect(house.directories().length).toBe(left)
    for (const name of house.directories()) await files.remove(name as TaskId)
  }
  // More than one task may delegate, together.
  const root = makeTaskId(randomBytes(16))
  const delegation = { parent: root, root, depth: 1 }
  const names = (n: number) => Array.from({ length: n }, (_, at) => `race-${at}`)
  for (let n = 0; n < 6; n++) {
    await handInGroup(await house.plansOf(names(8), { delegation }), house.ports)
  }
  const tooMany = handInGroup(await house.plansOf(names(3), { delegation }), house.ports)
  await expect(tooMany).rejects.toMatchObject({ code: 'delegation_limit' })
  expect(await house.listed()).toBe(48)
  await handInGroup(await house.plansOf(names(MOST_DELEGATED - 48), { delegation }), house.ports)
  expect([await house.listed(), house.directories().length]).toEqual([50, 50])
  await house.holdfast.close()
})

test('handed in twice under one key it is one group; for anything else the key is refused', async () => {
  const house = await makeHouse()
  const idempotency = { key: 'k', fingerprint: 'f' }
  const hand = async (about: object) =>
    await handInGroup(await house.plansOf(['race-a', 'race-b'], about), house.ports)
  const first = await hand({ idempotency })
  const again = await hand({ idempotency })
  expect(again.isNew).toBe(false)
  const ids = (tasks: typeof first.tasks) => tasks.map(({ request }) => request.id)
  expect(ids(again.tasks)).toEqual(ids(first.tasks))
  expect([await house.listed(), house.directories().length]).toEqual([2, 2])
  const other = hand({ idempotency: { key: 'k', fingerprint: 'g' } })
  await expect(other).rejects.toMatchObject({ code: 'idempotency_conflict' })
  // Nor is it one under a key with which something was said.
  const { store } = house.ports
  const [a] = first.tasks
  if (a === undefined) throw new Error('a group has tasks')
  const said = { key: 's', fingerprint: 'f' }
  await store.recordMessage(a.request.id, 'more', 1, said)
  const saidBefore = hand({ idempotency: { key: 's', fingerprint: 'g' } })
  await expect(saidBefore).rejects.toMatchObject({ code: 'idempotency_conflict' })
  expect([await house.listed(), house.directories().length]).toEqual([2, 2])
  // Who follows one of them has its place.
  const place = { ...makeRequest(makeTaskId(randomBytes(16)), a.request.repo), name: 'race-a.2' }
  const { group: race } = a.request
  await store.submitTask({ ...place, group: race, follows: a.request.id, createdAt: Date.now() })
  expect((await hand({ idempotency })).tasks.map(({ request }) => request.name)).toEqual([
    'race-a.2',
    'race-b',
  ])
  // A newer group of the same name is what its name means.
  const newer = await handInGroup(await house.plansOf(['race-a', 'race-b']), house.ports)
  const group = newer.tasks[0]?.request.group as GroupId
  expect(await house.ports.store.findGroup('race')).toBe(group)
  await house.holdfast.close()
})

test('whoever was passed over is listed again once none of the others is picked any more; whom its user had archived, not', async () => {
  const house = await makeHouse()
  const { store } = house.ports
  const names = ['race-a', 'race-b', 'race-c', 'race-d']
  const { tasks } = await handInGroup(await house.plansOf(names), house.ports)
  const [a, b, c, d] = tasks.map(({ request }) => request.id)
  if (a === undefined || b === undefined || c === undefined || d === undefined)
    throw new Error('there are four')
  const archivedAt = async (id: TaskId) => (await store.findTask(id))?.archivedAt
  const pick = async (id: TaskId, at: number) => {
    const taken = { how: 'picked', at, where: house.repo, number: null } as const
    await store.recordTaken(id, taken, 'picked', at)
  }
  const again = async (id: TaskId) => {
    const task = await store.findTask(id)
    if (task === undefined) throw new Error('it is there')
    const listed = await listAgain(task, house.ports)
    await store.recordTaken(id, null, 'taken back', 2)
    return listed.map(({ request }) => request.id)
  }
  await store.archiveTask(d, 1)
  await pick(a, 2)
  await store.archiveTask(c, 2)
  await pick(b, 3)
  await store.archiveTask(b, 2)
  const second = await store.findTask(b)
  if (second !== undefined) await passOver(second, [], house.ports as never)
  expect(await archivedAt(b)).toBeNull()
  expect([await again(a), await archivedAt(c)]).toEqual([[], expect.any(Number)])
  expect(await again(b)).toEqual([c])
  expect([await archivedAt(c), await archivedAt(d)]).toEqual([null, 1])
  await house.holdfast.close()
})

test('a group whose rows are all damaged is named as that, and nobody waits for nothing', async () => {
  const house = await makeHouse()
  await handInGroup(await house.plansOf(['race-a', 'race-b']), house.ports)
  const rows = new DatabaseSync(join(house.holdfast.home, 'store.db'), { timeout: 30_000 })
  rows.exec("UPDATE tasks SET state_json = '{}'")
  rows.close()
  const found = requireTasks(house.ports.store, ['race'])
  await expect(found).rejects.toMatchObject({ code: 'task_unreadable' })
  await house.holdfast.close()
})
