/** Taking results home, with the real store and real git: who may, where to, and what is recorded. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeTaskId, type TaskId, worktreeIdOf } from '../../src/domain/ids.ts'
import type { Task } from '../../src/domain/task.ts'
import { applyTask } from '../../src/engine/apply.ts'
import { chooseTarget } from '../../src/engine/choose-target.ts'
import { undoTask } from '../../src/engine/undo-apply.ts'
import { makeRequest, makeScene } from './scene.ts'

type Ending = 'succeeded' | 'failed' | 'cancelled' | 'goes on'

async function makeHouse() {
  const { holdfast, git, repo, ports: shared } = await makeScene()
  const ports = { ...shared, applications: await holdfast.applications() }
  const { store, files, worktrees } = ports

  /** A task that has added a file, and how it ended. */
  async function run(
    ending: Ending,
    follows: Task | null = null,
    from = repo,
    name = 'new',
  ): Promise<Task> {
    const id = makeTaskId(randomBytes(16))
    const checkout = await worktrees.openCheckout(from)
    const { commonDir } = checkout.place
    await files.create(id, commonDir)
    const order = { maxBytes: 1e6, maxFiles: 100, changes: 'all', revision: null } as const
    const base =
      follows?.request.base ??
      (await worktrees.captureBase(checkout, id, files.directory(id), order))
    const request = makeRequest(id, checkout.place, base)
    await store.submitTask({ ...request, follows: follows?.request.id ?? null })
    const claimed = await store.claimNext(2, () => 'fresh')
    if (claimed === undefined) throw new Error('nothing was claimed')
    const { fence } = claimed.attempt
    const place = { id: worktreeIdOf(id), kind: 'managed', path: files.worktreePath(id) } as const
    await store.leaseWorktree(claimed.attempt, { ...place, commonDir })
    const record = await worktrees.createWorktree(place.id, place.path, base, commonDir)
    await store.recordWorktree(claimed.attempt, record)
    await store.transition(id, fence, { kind: 'agent_started' }, 3)
    writeFileSync(join(place.path, name), follows === null ? 'new\n' : 'newer\n')
    if (ending !== 'goes on') {
      const collected = await worktrees.collectResult(record, base, id, files.directory(id))
      const result = { answer: null, ...collected }
      const failure = { code: 'agent_crashed', message: 'x' } as const
      if (ending === 'succeeded') {
        await store.transition(id, fence, { kind: 'attempt_succeeded', result }, 4)
      } else if (ending === 'failed') {
        await store.transition(id, fence, { kind: 'attempt_failed', failure, result }, 4)
      } else {
        await store.transition(id, null, { kind: 'cancel_requested' }, 4)
        await store.transition(id, fence, { kind: 'attempt_cancelled', result }, 5)
      }
    }
    return await look(id)
  }

  async function look(id: TaskId): Promise<Task> {
    const task = await store.findTask(id)
    if (task === undefined) throw new Error('there is no such task')
    return task
  }

  async function apply(task: Task, to: string | null = repo, callerTask: TaskId | null = null) {
    const target = await chooseTarget(task, { to, directory: '/', callerTask }, ports)
    const wish = {
      target,
      mode: 'clean',
      isStopped: () => false,
      onMended: () => undefined,
    } as const
    return await applyTask(task, wish, ports)
  }
  const undo = (task: Task) => undoTask(task, { named: null, standsIn: null }, ports)

  return {
    holdfast,
    git,
    repo,
    ports,
    run,
    look,
    apply,
    undo,
    at: (name: string) => join(repo, name),
  }
}

test.each(['succeeded', 'failed', 'cancelled'] as const)(
  'what a task had changed when it %s is taken home and given back',
  async ending => {
    const { holdfast, run, look, apply, undo, at, ports, repo } = await makeHouse()
    const task = await run(ending)
    expect(task.state.name).toBe(ending)
    expect(await apply(task)).toMatchObject({ kind: 'applied' })
    expect(readFileSync(at('new'), 'utf8')).toBe('new\n')
    const { id } = task.request
    const [application] = ports.applications.list(id)
    const { number, at: since } = application ?? {}
    expect((await look(id)).taken).toEqual({ how: 'applied', at: since, where: repo, number })
    expect(await undo(await look(id))).toMatchObject({ root: repo, files: [{ path: 'new' }] })
    expect((await look(id)).taken).toBeNull()
    expect(existsSync(at('new'))).toBe(false)
    await holdfast.close()
  },
)

test('what was taken by other means counts as taken, though nothing can be given back', async () => {
  const { holdfast, run, look, apply, undo, at, repo } = await makeHouse()
  const task = await run('succeeded')
  writeFileSync(at('new'), 'new\n')
  expect(await apply(task)).toEqual({ kind: 'in_place' })
  const taken = await look(task.request.id)
  expect(taken.taken).toMatchObject({ where: repo, number: null })
  await expect(undo(taken)).rejects.toMatchObject({ code: 'not_applied' })
  expect((await look(task.request.id)).taken).not.toBeNull()
  await holdfast.close()
})

test('a task that has not ended, and one of which nothing was collected', async () => {
  const { holdfast, run, apply, ports } = await makeHouse()
  await expect(apply(await run('goes on'))).rejects.toMatchObject({ code: 'not_finished' })
  const { store } = ports
  const { request, attempts } = await run('goes on')
  const failure = { code: 'worktree_lost', message: 'x' } as const
  const lost = { kind: 'attempt_failed', failure, result: null } as const
  await store.transition(request.id, attempts as never, lost, 9)
  const task = await store.findTask(request.id)
  if (task === undefined) throw new Error('there is no such task')
  await expect(apply(task)).rejects.toMatchObject({ code: 'no_result' })
  await holdfast.close()
})

test('a worktree that a task works in takes results from that task alone', async () => {
  const { holdfast, run, apply, ports } = await makeHouse()
  const outer = await run('goes on')
  const path = ports.files.worktreePath(outer.request.id)
  const inner = await run('succeeded', null, path, 'inner')
  await expect(apply(inner, path)).rejects.toMatchObject({ code: 'leased' })
  expect(await apply(inner, path, outer.request.id)).toMatchObject({ kind: 'applied' })
  // Its own is where the work was done, not where it is wanted.
  const own = ports.files.worktreePath(inner.request.id)
  await expect(apply(inner, own)).rejects.toMatchObject({ code: 'refused_in_state' })
  await holdfast.close()
})

test('where a task was asked is where it goes by default, while that is there', async () => {
  const { holdfast, git, run, ports, repo } = await makeHouse()
  const linked = `${repo}-linked`
  git('worktree', 'add', '--quiet', '--detach', linked)
  const task = await run('succeeded', null, linked)
  const from = (directory: string) =>
    chooseTarget(task, { to: null, directory, callerTask: null }, ports)
  expect((await from('/')).place.root).toBe(linked)
  expect((await from(repo)).place.root).toBe(repo)
  const other = join(repo, '..', 'other')
  mkdirSync(other)
  expect((await from(other)).place.root).toBe(linked)
  writeFileSync(join(linked, '.git'), 'gitdir: /nowhere\n')
  await expect(from('/')).rejects.toThrow(/cannot be used: .* not in a git repository/)
  rmSync(linked, { recursive: true })
  await expect(from('/')).rejects.toThrow(/cannot be used: .* is gone/)
  await holdfast.close()
})

test('a task that was resumed comes on top of what was taken of the first', async () => {
  const { holdfast, run, look, apply, undo, at } = await makeHouse()
  const first = await run('failed')
  await apply(first)
  const second = await run('succeeded', first)
  expect(await apply(second)).toMatchObject({ files: [{ path: 'new', change: 'modified' }] })
  expect(readFileSync(at('new'), 'utf8')).toBe('newer\n')
  await undo(await look(second.request.id))
  expect(readFileSync(at('new'), 'utf8')).toBe('new\n')
  await holdfast.close()
})
