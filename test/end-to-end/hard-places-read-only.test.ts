/** Where nothing can be written, what there is can be read; what would write says so, with exit 7. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { NOBODY, otherUserTest } from '../other-users.ts'
import { makeOlderStore } from '../store/older-store.ts'
import { House, PATIENCE } from './house.ts'

const isRoot = process.getuid?.() === 0
const untilGo =
  'echo begun; echo work > made.txt; touch under-way; while [ ! -e go ]; do sleep 0.05; done; echo done'

/** The same state directory, as a sandbox shows it: bound, and read-only. */
function bindReadOnly(house: House): string {
  const view = join(house.scratch, 'view')
  mkdirSync(view)
  execFileSync('mount', ['--bind', house.home, view])
  house.atTheEnd.push(() => execFileSync('umount', ['-l', view]))
  execFileSync('mount', ['-o', 'remount,ro,bind', view])
  return view
}

async function expectWritersRefused(house: House, id: string, home: string, user?: number) {
  const options = { environment: { HOLDFAST_HOME: home }, ...(user === undefined ? {} : { user }) }
  for (const words of [
    ['run', 'command', '--', 'true'],
    ['cancel', id],
    ['worker', 'start'],
    ['worker', 'run'],
  ]) {
    const run = await house.run(words, options)
    expect([words, run.code, run.stdout]).toEqual([words, 7, ''])
    expect(run.stderr).toMatch(/^holdfast: .*(?:cannot be written).*\n {2}.*\n$/)
  }
  expect(house.git('for-each-ref', 'refs/holdfast').match(/base/g)).toHaveLength(1)
}

const leftInTemporary = () =>
  readdirSync(tmpdir()).filter(name => /^holdfast-(?:read|diff)-/.test(name))

test.skipIf(!isRoot)('beside a live worker outside, what it writes is seen', async () => {
  const house = new House()
  const id = await house.submitScript(untilGo)
  await house.underWay(id)
  await house.untilState(id, 'running')
  const home = bindReadOnly(house)
  const environment = { HOLDFAST_HOME: home }
  const { tasks, worker } = JSON.parse(await house.ok(['status', '--json'], { environment }))
  expect(tasks).toMatchObject([{ id, state: 'running', reason: null }])
  expect(worker).toMatchObject({ state: 'running', pid: await house.workerPid() })
  expect(await house.ok(['diff', id], { environment })).toContain('+work')
  await expectWritersRefused(house, id, home)

  const waited = house.run(['wait', id, '--timeout', PATIENCE], { environment })
  house.write('go', '', house.worktree(id))
  expect((await waited).code).toBe(0)
  expect(await house.ok(['result', id], { environment })).toBe('begun\ndone')
  expect(await house.ok(['logs', id], { environment })).toContain('succeeded')
  expect(leftInTemporary()).toEqual([])
})

test.skipIf(!isRoot)(
  'without a worker: ended tasks, and one that is judged from here',
  async () => {
    const house = new House()
    const ended = await house.submitScript('echo answer; echo work > made.txt')
    await house.wait(ended)
    const id = await house.submitScript(untilGo)
    await house.underWay(id)
    // What it has said so far is in the store, too.
    await house.untilState(id, 'running')
    await house.ok(['worker', 'stop'])
    // The last one to close the store has taken its log away.
    await eventually('the store is closed', () => !existsSync(join(house.home, 'store.db-wal')))
    const home = bindReadOnly(house)
    const environment = { HOLDFAST_HOME: home }
    const before = readdirSync(home)
    expect(await house.ok(['result', ended], { environment })).toBe('answer')
    expect(await house.ok(['diff', ended], { environment })).toContain('+work')
    const { stdout, stderr, code } = await house.run(['status', '--json'], { environment })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      tasks: [
        { id, state: 'running' },
        { id: ended, state: 'succeeded' },
      ],
      worker: { state: 'stopped' },
    })
    expect(await house.ok(['diff', id], { environment })).toContain('+work')
    expect(await house.ok(['logs', id, '--raw'], { environment })).toBe('begun\n')
    expect(readdirSync(home)).toEqual(before)
    expect(leftInTemporary()).toEqual([])
    house.write('go', '', house.worktree(id))
  },
)

test.skipIf(!isRoot)('a log that a killed worker left is read as well', async () => {
  const house = new House()
  const id = await house.submitScript('echo answer')
  await house.wait(id)
  await house.ok(['worker', 'stop'])
  // What was committed stands in the log alone, and whoever wrote it is gone without closing.
  const program = `
    const store = new (require('node:sqlite').DatabaseSync)(process.argv[1])
    store.exec("PRAGMA wal_autocheckpoint = 0; UPDATE tasks SET name = 'in-the-log'")
    process.kill(process.pid, 'SIGKILL')
  `
  expect(() =>
    execFileSync(process.execPath, ['-e', program, join(house.home, 'store.db')]),
  ).toThrow()
  expect(existsSync(join(house.home, 'store.db-wal'))).toBe(true)
  const environment = { HOLDFAST_HOME: bindReadOnly(house) }
  expect(await house.ok(['result', 'in-the-log'], { environment })).toBe('answer')
})

test.skipIf(!isRoot)('an older store where nothing can be written is read too', async () => {
  const house = new House()
  const id = await makeOlderStore(house.home, 1)
  const environment = { HOLDFAST_HOME: bindReadOnly(house) }
  expect(await house.ok(['result', id], { environment })).toBe('answer')
  expect(await house.ok(['result', id])).toBe('answer')
})

otherUserTest('a directory that its owner may not write to', async () => {
  const house = new House()
  chmodSync(house.scratch, 0o755)
  execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, house.repo])
  mkdirSync(house.home)
  execFileSync('chown', [`${NOBODY}:${NOBODY}`, house.home])
  house.write('.gitconfig', '[safe]\n\tdirectory = *\n', house.scratch)
  const options = { user: NOBODY }
  const id = await house.submit(['command', '--', 'echo', 'answer'], options)
  expect((await house.run(['wait', id, '--timeout', PATIENCE], options)).code).toBe(0)
  await house.ok(['worker', 'stop'], options)
  chmodSync(house.home, 0o500)
  expect(await house.ok(['result', id], options)).toBe('answer')
  expect(await house.ok(['status'], options)).toContain('succeeded')
  await expectWritersRefused(house, id, house.home, NOBODY)
  chmodSync(house.home, 0o700)
})
