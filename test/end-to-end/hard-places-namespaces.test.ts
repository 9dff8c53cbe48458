/**
 * PID namespaces of their own, other users, and a worker that stands still: nobody is judged by who
 * cannot see him.
 */
import { execFile, execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { NOBODY, otherUserTest } from '../other-users.ts'
import { entry, House, PATIENCE, type Ran, untilGo } from './house.ts'

const isRoot = process.getuid?.() === 0
const canUnshare =
  isRoot &&
  (() => {
    try {
      execFileSync('unshare', ['--pid', '--fork', '--mount-proc', 'true'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })()

const DAEMON = 1

/** A line of shell in a PID namespace of its own; `$H` is `holdfast`. All of it ends with the line. */
function inside(house: House, line: string): Promise<Ran> {
  return new Promise(resolve => {
    execFile(
      'unshare',
      ['--pid', '--fork', '--kill-child', '--mount-proc', '/bin/bash', '-c', line],
      { cwd: house.repo, env: { ...house.environment, H: `${process.execPath} ${entry}` } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ code, stdout, stderr })
      },
    )
  })
}

test.skipIf(!canUnshare)(
  'from inside, what runs outside is not judged, stopped or doubled',
  async () => {
    const house = new House()
    const id = await house.submitScript(untilGo)
    await house.underWay(id)
    await house.untilState(id, 'running')
    const worker = await house.workerPid()
    const looked = await inside(house, '$H status --json')
    expect(JSON.parse(looked.stdout)).toMatchObject({
      tasks: [{ id, state: 'running' }],
      worker: { state: 'running', pid: worker },
    })
    const stopped = await inside(house, '$H worker stop')
    expect(stopped.code).toBe(5)
    expect(stopped.stderr).toMatch(/another PID namespace/)
    // The worker's lock holds across.
    const second = await inside(house, '$H worker run --idle 100ms')
    expect([0, 5]).toContain(second.code)
    const doctor = await inside(house, '$H doctor --fix --json')
    const findings = JSON.parse(doctor.stdout).findings
    expect(findings.filter(({ repair }: { repair: unknown }) => repair !== null)).toEqual([])
    expect(await house.workerPid()).toBe(worker)
    house.write('go', '', house.worktree(id))
    expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
  },
)

test.skipIf(!canUnshare)(
  'without a worker outside, a look from inside says what it cannot see',
  async () => {
    const house = new House()
    const id = await house.submitScript(untilGo)
    await house.underWay(id)
    await house.untilState(id, 'running')
    await house.ok(['worker', 'stop'])
    const looked = await inside(house, '$H status --json')
    expect(JSON.parse(looked.stdout).tasks).toMatchObject([
      { id, state: 'running', reason: expect.stringContaining('cannot be seen from here') },
    ])
    house.write('go', '', house.worktree(id))
    expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
  },
)

otherUserTest(
  'two users of one machine: each has its own store, and sees nobody else’s',
  async () => {
    const house = new House()
    chmodSync(house.scratch, 0o755)
    house.write('.gitconfig', '[safe]\n\tdirectory = *\n', house.scratch)
    const homes = new Map<number, string>()
    const as = (user: number) => {
      const home = join(house.scratch, `of-${user}`)
      if (!homes.has(user)) {
        mkdirSync(home)
        execFileSync('chown', [`${user}:${user}`, home])
        homes.set(user, home)
      }
      const environment = {
        HOME: home,
        HOLDFAST_HOME: undefined,
        GIT_CONFIG_GLOBAL: join(house.scratch, '.gitconfig'),
      }
      return { user, environment, home }
    }
    const repositoryOf = (user: number) => {
      const { home } = as(user)
      const directory = join(home, 'repo')
      house.git('clone', '--quiet', house.repo, directory)
      execFileSync('chown', ['-R', `${user}:${user}`, directory])
      return directory
    }
    const ids: string[] = []
    for (const user of [NOBODY, DAEMON]) {
      const options = { ...as(user), directory: repositoryOf(user) }
      const words = ['command', '--permissions', 'full', '--', '/bin/sh', '-c', untilGo]
      ids.push(await house.submit(words, options))
    }
    const [first = '', second = ''] = ids
    const worktree = (user: number, id: string) => join(as(user).home, '.holdfast', 'worktrees', id)
    for (const [user, id] of [
      [NOBODY, first],
      [DAEMON, second],
    ] as const) {
      await eventually('it is under way', () => existsSync(join(worktree(user, id), 'under-way')))
    }
    // Each knows its own, and `doctor` finds nothing to end among the other's processes.
    const { tasks } = JSON.parse(await house.ok(['status', '--all', '--json'], as(NOBODY)))
    expect(tasks.map(({ id }: { id: string }) => id)).toEqual([first])
    expect((await house.run(['cancel', second], as(NOBODY))).code).toBe(4)
    const { findings } = JSON.parse(
      (await house.run(['doctor', '--fix', '--json'], as(NOBODY))).stdout,
    )
    expect(findings.filter(({ repair }: { repair: unknown }) => repair !== null)).toEqual([])
    await house.ok(['cancel', first], as(NOBODY))
    house.write('go', '', worktree(DAEMON, second))
    const waited = await house.run(['wait', second, '--timeout', PATIENCE, '--json'], as(DAEMON))
    expect(JSON.parse(waited.stdout).tasks[0]).toMatchObject({ state: 'succeeded', attempt: 1 })
    // What is the other's is refused by name.
    const theirs = { ...as(NOBODY).environment, HOLDFAST_HOME: join(as(DAEMON).home, '.holdfast') }
    const peeked = await house.run(['status'], { user: NOBODY, environment: theirs })
    expect(peeked.code).toBe(7)
    expect(peeked.stderr).toMatch(/not yours: it belongs to user 1|EACCES/)
    for (const user of [NOBODY, DAEMON]) await house.ok(['worker', 'stop'], as(user))
  },
)

otherUserTest('a repository of another user: git’s own words, and its hint', async () => {
  const house = new House()
  chmodSync(house.scratch, 0o755)
  const home = join(house.scratch, 'home-of-nobody')
  mkdirSync(home)
  execFileSync('chown', [`${NOBODY}:${NOBODY}`, home])
  const options = { user: NOBODY, environment: { HOME: home, HOLDFAST_HOME: undefined } }
  const run = await house.run(['run', 'command', '--permissions', 'full', '--', 'true'], options)
  expect(run).toMatchObject({ code: 5, stdout: '' })
  expect(run.stderr).toMatch(/dubious ownership[\s\S]*git config --global --add safe\.directory/)
  expect(house.git('for-each-ref', 'refs/holdfast')).toBe('')
})

test('a worker that stands still loses nothing, and goes on where it stood', async () => {
  const house = new House({ HOLDFAST_SLOTS: '2' })
  const first = await house.submitScript(untilGo)
  await house.underWay(first)
  const worker = await house.suspendWorker()
  // As on a laptop that sleeps, seen by those who wake before the worker does.
  const second = await house.submitScript('echo second')
  house.write('go', '', house.worktree(first))
  await eventually('the agent has ended', () =>
    existsSync(join(house.runDirectory(first), 'exit.json')),
  )
  const stuck = JSON.parse(await house.ok(['status', '--json']))
  expect(stuck.tasks.map(({ id }: { id: string }) => id).sort()).toEqual([first, second].sort())
  expect((await house.run(['wait', first, '--timeout', '500ms'])).code).toBe(3)
  expect((await house.run(['result', first])).code).toBe(3)
  process.kill(worker, 'SIGCONT')
  expect(await house.wait(first)).toMatchObject({ state: 'succeeded', attempt: 1 })
  expect(await house.wait(second)).toMatchObject({ state: 'succeeded', attempt: 1 })
  expect(await house.workerPid()).toBe(worker)
  const log = readFileSync(join(house.home, 'worker.log'), 'utf8')
  expect(log.match(/ up, pid /g)).toHaveLength(1)
})

test('a worker that stands still is stopped all the same', async () => {
  const house = new House()
  const id = await house.submitScript(untilGo)
  await house.underWay(id)
  await house.suspendWorker()
  await house.ok(['worker', 'stop'])
  house.write('go', '', house.worktree(id))
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
})

test('a whole house that is frozen, agent and all, thaws without a crash', async () => {
  const house = new House()
  const id = await house.submitScript(untilGo)
  await house.underWay(id)
  await house.untilState(id, 'running')
  // The worker in no write: `status` below waits for none.
  await house.suspendWorker()
  const pids = house.processes().map(line => Number.parseInt(line, 10))
  const signal = (name: 'SIGSTOP' | 'SIGCONT') => {
    for (const pid of pids) {
      try {
        process.kill(pid, name)
      } catch {
        // The `sleep` of the script, which had ended before it was to be stopped.
      }
    }
  }
  signal('SIGSTOP')
  house.write('go', '', house.worktree(id))
  expect((await house.task(id)).state).toBe('running')
  signal('SIGCONT')
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
})

test('worker stop ends the worker of a store that is damaged, and then says so', async () => {
  const house = new House()
  const id = await house.submitScript(untilGo)
  await house.underWay(id)
  const file = openSync(join(house.home, 'store.db'), 'r+')
  const header = readFileSync(join(house.home, 'store.db')).subarray(0, 100)
  writeSync(file, Buffer.alloc(100, 0xa5), 0, 100, 0)
  const stop = await house.run(['worker', 'stop'])
  writeSync(file, header, 0, 100, 0)
  closeSync(file)
  expect(stop.code).toBe(7)
  expect(stop.stderr).toMatch(/damaged[\s\S]*doctor --fix/)
  await eventually('it has left', () =>
    house.processes().every(line => !line.includes('worker run')),
  )
  house.write('go', '', house.worktree(id))
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded' })
})
