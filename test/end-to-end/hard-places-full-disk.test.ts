/**
 * A full disk: what was handed in is whole or refused, and what is under way goes on by itself once
 * there is room. On a file system of its own, so only where the tests may mount one.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { mountSmallDisk } from '../small-disk.ts'
import { House } from './house.ts'

const isRoot = process.getuid?.() === 0
/** A small disk at a place; what fills it to the last byte, and what gives the room back. */
function mountSmall(house: House, place: string) {
  mkdirSync(place, { recursive: true })
  const disk = mountSmallDisk(place, '40m')
  house.atTheEnd.push(disk.unmount)
  return disk
}

const untilGo =
  'echo begun; echo work > made.txt; touch under-way; while [ ! -e $0 ]; do sleep 0.05; done'

/** The agent waits for a file that lies elsewhere: on a full disk none could be made. */
function submitWaiting(house: House, go: string): Promise<string> {
  return house.submit(['command', '--permissions', 'full', '--', '/bin/sh', '-c', untilGo, go])
}

test.skipIf(!isRoot)('the state directory is full when a task is handed in', async () => {
  const house = new House()
  const disk = mountSmall(house, house.home)
  await house.wait(await house.submitScript('true'))
  const before = house.git('for-each-ref')
  disk.fill()
  const run = await house.run(['run', 'command', '--permissions', 'full', '--', 'true'])
  expect(run).toMatchObject({ code: 7, stdout: '' })
  expect(run.stderr).toMatch(/^holdfast: .*(?:ENOSPC|full).*\n {2}.*free space.*\n$/)
  expect(house.git('for-each-ref')).toBe(before)
  // What there is can be looked at.
  expect(JSON.parse(await house.ok(['status', '--all', '--json'])).tasks).toHaveLength(1)
  disk.free()
  expect((await house.wait(await house.submitScript('true'))).state).toBe('succeeded')
})

test.skipIf(!isRoot)('the repository’s disk is full when a task is handed in', async () => {
  const house = new House()
  const place = join(house.scratch, 'disk')
  const disk = mountSmall(house, place)
  house.git('clone', '--quiet', house.repo, join(place, 'repo'))
  const directory = join(place, 'repo')
  house.write('kept.txt', 'changed\n', directory)
  disk.fill()
  const run = await house.run(['run', 'command', '--permissions', 'full', '--', 'true'], {
    directory,
  })
  expect(run).toMatchObject({ code: 5, stdout: '' })
  expect(run.stderr).toMatch(/space|full/)
  disk.free()
  expect(house.gitIn(directory, 'for-each-ref', 'refs/holdfast')).toBe('')
  expect(JSON.parse(await house.ok(['status', '--all', '--json'])).tasks).toEqual([])
})

test.skipIf(!isRoot)(
  'the state directory is full while an agent works, and when it ends',
  async () => {
    const house = new House()
    const disk = mountSmall(house, house.home)
    const go = join(house.scratch, 'go')
    const id = await submitWaiting(house, go)
    await house.underWay(id)
    disk.fill()
    writeFileSync(go, '')
    const log = join(house.home, 'worker.log')
    // Nothing can be written down: not how it ended, nor that the worker has trouble.
    await eventually('the agent has ended', () => !existsSync(`/proc/${house.pid(id)}`))
    const size = readFileSync(log).length
    expect((await house.run(['result', id])).code).toBe(3)
    disk.free()
    const task = await house.wait(id)
    expect(task).toMatchObject({ state: 'succeeded', attempt: 1 })
    expect(await house.ok(['diff', id])).toContain('+work')
    expect(readFileSync(log).length).toBeGreaterThanOrEqual(size)
  },
)

test.skipIf(!isRoot)('the repository’s disk is full when the work is collected', async () => {
  const house = new House()
  const place = join(house.scratch, 'disk')
  const disk = mountSmall(house, place)
  const directory = join(place, 'repo')
  house.git('clone', '--quiet', house.repo, directory)
  const go = join(house.scratch, 'go')
  const id = await house.submit(
    ['command', '--permissions', 'full', '--', '/bin/sh', '-c', untilGo, go],
    { directory },
  )
  await house.underWay(id)
  disk.fill()
  writeFileSync(go, '')
  await eventually('it is said why it is not over', async () =>
    (await house.ok(['logs', id])).includes('its work waits to be collected'),
  )
  // Nobody else has to wait for that.
  const other = await house.submitScript('echo beside')
  expect(await house.task(id)).toMatchObject({ state: 'running' })
  disk.free()
  expect(await house.wait(id)).toMatchObject({
    state: 'succeeded',
    attempt: 1,
    result: { files: 2 },
  })
  expect((await house.wait(other)).result?.answer).toBe('beside')
})

test.skipIf(!isRoot)('there is no room for a worktree, and then there is', async () => {
  const house = new House()
  const disk = mountSmall(house, join(house.home, 'worktrees'))
  execFileSync('chmod', ['700', house.home])
  house.write('large.bin', 'x'.repeat(5_000_000))
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=large')
  disk.fill()
  const id = await house.submitScript('echo made')
  const waiting = await house.untilState(id, 'waiting')
  expect(waiting.reason).toMatch(/space|full|ENOSPC/i)
  disk.free()
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', result: { answer: 'made' } })
})
