/** What a death between two writes leaves is found, and cleared away; what has a row is not. */
import { existsSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TaskId } from '../../src/domain/ids.ts'
import { findLeftovers, reconcile } from '../../src/engine/reconcile.ts'
import { makeRequest, makeScene } from './scene.ts'

test('an abandoned submission goes when it is old: directory, environment and ref', async () => {
  const { holdfast, git, repo, ports } = await makeScene()
  const id = 'abandoned1' as TaskId
  await ports.files.create(id, join(repo, '.git'))
  await ports.files.writeRequest(id, new Uint8Array([1]), { TOKEN: 'secret' })
  git('update-ref', `refs/holdfast/${id}/base`, 'HEAD')
  expect(await reconcile(ports)).toEqual([])
  const anHourAgo = new Date(Date.now() - 3_600_000)
  utimesSync(ports.files.directory(id), anHourAgo, anHourAgo)
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
  const anHourAgo = new Date(Date.now() - 3_600_000)
  utimesSync(ports.files.directory(id), anHourAgo, anHourAgo)
  expect((await reconcile(ports)).join()).toContain(`abandoned submission ${id}`)
  expect(existsSync(join(ports.files.directory(id), 'environment.json'))).toBe(false)
  await holdfast.close()
})
