/** What a death between two writes leaves is found, and cleared away; what has a row is not. */
import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TaskId, WorktreeId } from '../../src/domain/ids.ts'
import { findLeftovers, reconcile } from '../../src/engine/reconcile.ts'
import { withWorktree } from '../../src/engine/worktree-lock.ts'
import { beginTask, makeRequest, makeScene } from './scene.ts'

/** As if the submission had been made an hour ago. */
function makeOld(directory: string): void {
  const anHourAgo = new Date(Date.now() - 3_600_000)
  utimesSync(join(directory, 'repository'), anHourAgo, anHourAgo)
}

test('an abandoned submission goes when it is old: directory, environment and ref', async () => {
  const { holdfast, git, repo, ports } = await makeScene()
  const id = 'abandoned1' as TaskId
  await ports.files.create(id, join(repo, '.git'))
  await ports.files.writeRequest(id, new Uint8Array([1]), { TOKEN: 'secret' })
  git('update-ref', `refs/holdfast/${id}/base`, 'HEAD')
  expect(await reconcile(ports)).toEqual([])
  makeOld(ports.files.directory(id))
  expect(await findLeftovers(ports)).toMatchObject([{ kind: 'abandoned_submission' }])
  expect(await reconcile(ports)).toEqual([`abandoned submission ${id}`])
  expect(existsSync(ports.files.directory(id))).toBe(false)
  expect(git('for-each-ref', 'refs/holdfast')).toBe('')
  await holdfast.close()
})

test('the environment of an ended task goes, and nothing else of it; a queued one keeps it', async () => {
  const { holdfast, repo, ports } = await makeScene()
  for (const [id, ends] of [
    ['endedtask1', true],
    ['queuedtsk1', false],
  ] as const) {
    const task = id as TaskId
    await ports.files.create(task, join(repo, '.git'))
    await ports.files.writeRequest(task, new Uint8Array([1]), { TOKEN: 'secret' })
    const place = { root: repo, commonDir: join(repo, '.git'), subdirectory: '' }
    await ports.store.submitTask(makeRequest(task, place))
    if (ends) await ports.store.transition(task, null, { kind: 'cancel_requested' }, 2)
    writeFileSync(join(ports.files.directory(task), 'result.patch'), 'patch')
  }
  expect(await reconcile(ports)).toEqual(['environment of ended task endedtask1'])
  const ended = ports.files.directory('endedtask1' as TaskId)
  expect(existsSync(join(ended, 'environment.json'))).toBe(false)
  expect(existsSync(join(ended, 'result.patch'))).toBe(true)
  expect(await ports.files.readEnvironment('queuedtsk1' as TaskId)).toEqual({ TOKEN: 'secret' })
  await holdfast.close()
})

test('where the repository is gone the secrets go all the same, and it is said what stays', async () => {
  const { holdfast, repo, ports } = await makeScene()
  const id = 'abandoned2' as TaskId
  await ports.files.create(id, join(repo, 'no-such-directory'))
  await ports.files.writeRequest(id, new Uint8Array([1]), { TOKEN: 'secret' })
  makeOld(ports.files.directory(id))
  expect((await reconcile(ports)).join()).toContain(`abandoned submission ${id}`)
  expect(existsSync(join(ports.files.directory(id), 'environment.json'))).toBe(false)
  await holdfast.close()
})

test('a reconcile that was killed half-way is gone on with at once', async () => {
  const { holdfast, git, repo, ports } = await makeScene()
  const id = 'abandoned3' as TaskId
  await ports.files.create(id, join(repo, '.git'))
  await ports.files.writeRequest(id, new Uint8Array([1]), {})
  git('update-ref', `refs/holdfast/${id}/base`, 'HEAD')
  makeOld(ports.files.directory(id))
  // This much it had done; the directory looks as if it had just been written to.
  await ports.files.forgetSecrets(id)
  expect(await reconcile(ports)).toEqual([`abandoned submission ${id}`])
  expect(git('for-each-ref', 'refs/holdfast')).toBe('')
  await holdfast.close()
})

test('a `run` that slept for so long that its submission was cleared away is refused', async () => {
  const { holdfast, repo, ports } = await makeScene()
  const id = 'sleptlong1' as TaskId
  await ports.files.create(id, join(repo, '.git'))
  await ports.files.writeRequest(id, new Uint8Array([1]), {})
  makeOld(ports.files.directory(id))
  expect(await reconcile(ports)).toEqual([`abandoned submission ${id}`])
  const place = { root: repo, commonDir: join(repo, '.git'), subdirectory: '' }
  const handingIn = ports.store.submitTask(makeRequest(id, place), undefined, () =>
    ports.files.isThere(id),
  )
  await expect(handingIn).rejects.toMatchObject({ code: 'refused_in_state' })
  expect(await ports.store.findTask(id)).toBeUndefined()
  await holdfast.close()
})

test('a worktree in which nothing ever ran goes with the end of its task, also a half-made one', async () => {
  for (const isMade of [true, false]) {
    const { holdfast, git, repo, ports } = await makeScene()
    const { store } = ports
    const { id, attempt, path, record } = await beginTask(ports, repo)
    if (isMade) await store.recordWorktree(attempt, record)
    expect(await reconcile(ports)).toEqual([])
    const failure = { code: 'agent_missing', message: 'x' } as const
    const event = { kind: 'attempt_failed', failure, result: null } as const
    await store.transition(id, attempt.fence, event, 3)
    expect(await reconcile(ports)).toEqual([`unused worktree ${id}`])
    expect(existsSync(path)).toBe(false)
    expect(git('worktree', 'list').trim().split('\n')).toHaveLength(1)
    expect(await store.listWorktrees()).toEqual([])
    await holdfast.close()
  }
})

test('of a worktree whose maker was killed no ignored file stays, nor who it was for; of others both', async () => {
  const { holdfast, repo, ports } = await makeScene()
  const { store, files } = ports
  const holder = { machine: 'm', boot: 'b', pidNamespace: 'p', pid: 1, startTime: 1 }
  const begin = async (name: string) => {
    const id = name as WorktreeId
    await files.keepHolder(id, holder)
    const directory = await files.openAdding(id)
    writeFileSync(join(directory, 'ignored.env'), 'TOKEN=secret')
    return { id, directory }
  }
  const [killed, planned, underWay] = [await begin('a-1'), await begin('b-1'), await begin('c-1')]
  writeFileSync(join(holdfast.home, 'holders', 'd-1.new'), '{')
  const commonDir = join(repo, '.git')
  const path = join(holdfast.home, 'worktrees', 'b-1')
  await store.planWorktree({ id: planned.id, kind: 'managed', path, commonDir })
  await withWorktree(underWay.id, ports, async () => {
    expect(await reconcile(ports)).toEqual(
      ['a-1', 'b-1', 'd-1'].map(id => `abandoned addition ${id}`),
    )
  })
  const kept = [killed, planned, underWay].map(({ directory }) => existsSync(directory))
  expect(kept).toEqual([false, false, true])
  expect(readdirSync(join(holdfast.home, 'holders'))).toEqual(['b-1', 'c-1'])
  expect(await findLeftovers(ports)).toEqual([{ kind: 'abandoned_addition', worktree: 'c-1' }])
  await holdfast.close()
})
