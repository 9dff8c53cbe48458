/** The worker looks at the callers of tasks that end with theirs. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeTaskId } from '../../src/domain/ids.ts'
import { hasEnded } from '../../src/domain/task.ts'
import type { Tie } from '../../src/domain/tie.ts'
import { watchCallers } from '../../src/engine/end-with-caller.ts'
import { makeRequest, makeScene } from './scene.ts'

test('those end whose callers have ended, and no other', async () => {
  const { holdfast, repo, ports } = await makeScene()
  const { store, files } = ports
  const host = await holdfast.host()
  const self = host.self()
  const handIn = async (tie: Tie | null) => {
    const id = makeTaskId(randomBytes(16))
    await files.create(id, join(repo, '.git'))
    await files.writeRequest(id, new Uint8Array(), { SECRET: 'x' })
    const place = { root: repo, commonDir: join(repo, '.git'), subdirectory: '' }
    await store.submitTask({ ...makeRequest(id, place), tie })
    return id
  }
  const withProcess = (facts: object) => handIn({ kind: 'process', process: { ...self, ...facts } })
  const apart = await handIn(null)
  const living = await withProcess({})
  const ended = [
    await withProcess({ startTime: self.startTime + 1 }),
    // The machine was started anew: whoever has that pid now is somebody else.
    await withProcess({ boot: 'before' }),
  ]
  const unseen = [
    await withProcess({ machine: 'another' }),
    await withProcess({ pidNamespace: 'another', startTime: 1 }),
  ]
  const inner = await handIn({ kind: 'task', id: apart })
  const lost = await handIn({ kind: 'task', id: makeTaskId(randomBytes(16)) })

  const log: string[] = []
  const callers = watchCallers({ ...ports, host }, line => log.push(line))
  await callers.read()
  expect(await callers.look()).toBe(true)
  const statesOf = (ids: readonly (typeof apart)[]) =>
    Promise.all(ids.map(async id => (await store.findTask(id))?.state))
  const why = `the program that asked (pid ${self.pid}) has ended`
  const cancelled = { name: 'cancelled', why }
  expect(await statesOf(ended)).toMatchObject([cancelled, cancelled])
  expect([...log].sort()).toEqual(ended.map(id => `cancelling ${id}: ${why}`).sort())
  for (const state of await statesOf([apart, living, ...unseen, inner, lost])) {
    expect(state).toEqual({ name: 'queued' })
  }
  const secrets = (id: string) => existsSync(join(files.directory(id as never), 'environment.json'))
  expect([...ended, living].map(secrets)).toEqual([false, false, true])
  const [newest] = (await store.lastEvents(ended[0] ?? apart, 1)).map(({ body }) => body)
  expect(newest).toMatchObject({ text: `cancelled as ${why}` })

  // Nobody is left of the first two; and what a task has delegated ends with the task.
  expect(await callers.look()).toBe(false)
  await store.transition(apart, null, { kind: 'cancel_requested' }, Date.now())
  expect(await callers.look()).toBe(true)
  expect(await statesOf([inner])).toMatchObject([{ why: `task ${apart} has ended` }])
  await callers.read()
  expect(callers.isAnyTied()).toBe(true)
  for (const id of [living, ...unseen, lost]) {
    await store.transition(id, null, { kind: 'cancel_requested' }, Date.now())
  }
  await callers.read()
  expect(callers.isAnyTied()).toBe(false)
  expect((await statesOf([living])).every(state => state !== undefined && hasEnded(state))).toBe(
    true,
  )
  await holdfast.close()
})
