/** A store that is ended takes nothing any more, from nobody. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeTaskId } from '../../src/domain/ids.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { systemClock } from '../../src/system-clock.ts'
import { makeRequest } from '../engine/scene.ts'
import { scratchDirectory } from '../scratch.ts'

const place = { root: '/r', commonDir: '/r/.git', subdirectory: '' }
const request = (n: number) => makeRequest(makeTaskId(new Uint8Array(16).fill(n)), place)

test('it is ended only if it knows just the tasks that were looked at, and all have ended', async () => {
  const home = join(scratchDirectory(), 'home')
  const store = await openSqliteStore(home, systemClock)
  const { request: asked } = await store.submitTask(request(1))
  expect(await store.end(1)).toBe(false)
  await store.transition(asked.id, null, { kind: 'cancel_requested' }, 1)
  expect(await store.end(0)).toBe(false)
  expect(await store.listTasks({})).toHaveLength(1)
  expect(await store.end(1)).toBe(true)
  await store.close()
})

test('who has it open cannot write to it any more, and nobody opens it', async () => {
  const home = join(scratchDirectory(), 'home')
  const store = await openSqliteStore(home, systemClock)
  const other = await openSqliteStore(home, systemClock)
  expect(await store.end(0)).toBe(true)
  await expect(other.submitTask(request(1))).rejects.toThrow()
  await expect(openSqliteStore(home, systemClock)).rejects.toMatchObject({ code: 'store_ended' })
  await store.close()
  await other.close()
})
