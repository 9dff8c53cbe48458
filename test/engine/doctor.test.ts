import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { TaskId } from '../../src/domain/ids.ts'
import { findTaskTrouble } from '../../src/engine/doctor/find-tasks.ts'
import { makeRequest, makeScene } from './scene.ts'

test('a task that is handed in while doctor looks is not told as lost; one without its files is', async () => {
  const { repo, ports } = await makeScene()
  const { store, files, worktrees } = ports
  const { place } = await worktrees.openCheckout(repo)
  const id = 'aaaaaaaaa1' as TaskId
  let handedIn = false
  const list = async () => {
    const found = await files.list()
    if (!handedIn) {
      handedIn = true
      await files.create(id, place.commonDir)
      await files.writeRequest(id, new Uint8Array(), {})
      await store.submitTask(makeRequest(id, place))
    }
    return found
  }
  const meanwhile = await findTaskTrouble({ ...ports, files: { ...files, list } })
  expect(meanwhile).toMatchObject([{ status: 'ok' }])
  rmSync(files.directory(id), { recursive: true })
  const gone = await findTaskTrouble(ports)
  expect(gone).toMatchObject([{ status: 'error', message: expect.stringMatching(`${id} is gone`) }])
  await store.close()
})
