/** Somebody takes a worktree away under its agent: that is noticed, and its work comes back. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { House } from './house.ts'
import { Points } from './points.ts'

const MADE = 'mixed\r\nline ends\n, and no last one'

test('a worktree that is deleted under its agent: retry goes on from its files, to the byte', async () => {
  const points = new Points(new House({ HOLDFAST_SNAPSHOT_SECONDS: '1' }))
  const { house } = points
  house.makeDirty()
  const gate = join(house.scratch, 'gate')
  const made = join(house.scratch, 'made')
  house.write('made', MADE, house.scratch)
  points.stand('follow.running')
  const id = await house.submitScript(
    `if [ -e made.txt ]; then cp made.txt seen.txt; exit 0; fi
     cp '${made}' made.txt; rm -f staged.txt; until [ -e '${gate}' ]; do sleep 0.05; done`,
  )
  const before = house.fingerprint()
  await house.untilState(id, 'running')
  // It is followed, and its files are kept aside, once they are as they are to be.
  const there = (name: string) => existsSync(join(house.worktree(id), name))
  await eventually('it has worked', () => there('made.txt') && !there('staged.txt'))
  points.go('follow.running')
  house.git('worktree', 'unlock', house.worktree(id))
  await eventually('it is locked again', async () =>
    house.git('worktree', 'list', '--porcelain').includes(`locked holdfast ${id}`),
  )
  const kept = await eventually('its files are kept aside', async () => {
    const { snapshot } = await house.task(id)
    return snapshot
  })
  expect(kept.leftOut).toEqual([])
  expect(await house.ok(['status', id])).toMatch(/kept aside +its files, \d+[sm] ago/)
  const agent = house.pid(id)
  rmSync(house.worktree(id), { recursive: true })
  const lost = await house.untilState(id, 'failed')
  expect(lost).toMatchObject({
    error: {
      code: 'worktree_lost',
      message: expect.stringMatching(
        /its files were last kept aside \d+ (?:s|min) before that was noticed/,
      ),
      hint: `holdfast retry ${id} goes on from that snapshot`,
    },
    snapshot: { takenAt: expect.any(String) },
  })
  expect(house.processes().filter(line => line.startsWith(`${agent} `))).toEqual([])
  expect(await house.ok(['logs', id])).toContain('it is locked again')
  expect((await house.run(['result', id])).stderr).toContain('last kept aside')
  expect(readdirSync(join(house.home, 'tasks', id)).filter(name => /^snapshot/.test(name))).toEqual(
    [expect.stringMatching(/^snapshot-1-\d+\.bundle$/)],
  )

  const retried = await house.run(['retry', id])
  expect(retried.stderr).toMatch(`starts from the files of ${id}, kept aside`)
  const again = retried.stdout.trim()
  expect(await house.wait(again)).toMatchObject({
    state: 'succeeded',
    start: { from: id },
    snapshot: null,
  })
  for (const name of ['made.txt', 'seen.txt']) {
    expect(readFileSync(join(house.worktree(again), name), 'utf8')).toBe(MADE)
  }
  // All that was done since the base, before the loss and after it, and nothing of the caller's.
  const changed = (await house.ok(['diff', again])).match(/^diff --git a\/(\S+)/gm)
  expect(changed).toEqual(
    ['made.txt', 'seen.txt', 'staged.txt'].map(name => `diff --git a/${name}`),
  )
  expect(house.fingerprint()).toBe(before)

  house.write('gate', '', house.scratch)
  const fresh = await house.run(['retry', id, '--fresh'])
  expect(fresh.stderr).not.toContain('starts from the files')
  expect(await house.wait(fresh.stdout.trim())).toMatchObject({ state: 'succeeded', start: null })
  expect(await house.ok(['diff', fresh.stdout.trim()])).not.toContain('seen.txt')
})
