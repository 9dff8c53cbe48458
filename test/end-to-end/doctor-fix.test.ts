/** `doctor --fix`: finds, says, mends, and finds nothing the second time. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { type DoctorView, views } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { House, untilGo } from './house.ts'

const storeOf = (house: House) => join(house.home, 'store.db')

async function examine(house: House, ...words: string[]): Promise<DoctorView> {
  const { stdout } = await house.run(['doctor', '--json', ...words], { directory: '/' })
  return views.doctor.parse(JSON.parse(stdout))
}

/** The findings with a repair, as `check: plan`. */
const plans = ({ findings }: DoctorView) =>
  findings.flatMap(({ check, repair }) => (repair === null ? [] : `${check}: ${repair.plan}`))

/** Finds just these; mends them; and finds none of them again. */
async function expectMended(house: House, expected: readonly unknown[]): Promise<DoctorView> {
  const before = await examine(house)
  expect(plans(before)).toEqual(expected)
  const after = await examine(house, '--fix')
  expect(plans(after)).toEqual(expected)
  expect(after.findings.flatMap(({ repair }) => repair?.problem ?? [])).toEqual([])
  expect(after.ok).toBe(true)
  const again = await examine(house, '--fix')
  expect(plans(again)).toEqual([])
  expect(again.findings.filter(({ status }) => status === 'error')).toEqual([])
  return after
}

function inStore(house: House, sql: string): void {
  const store = new DatabaseSync(storeOf(house), {
    enableForeignKeyConstraints: false,
    timeout: 30_000,
  })
  store.exec(sql)
  store.close()
}

const DAMAGE: Readonly<Record<string, (file: string) => void>> = {
  'its header overwritten': file => {
    const open = openSync(file, 'r+')
    writeSync(open, Buffer.alloc(100, 0xa5), 0, 100, 0)
    closeSync(open)
  },
  'all of it overwritten': file => writeFileSync(file, 'no database '.repeat(5000)),
  emptied: file => truncateSync(file),
  deleted: file => rmSync(file),
  'a directory in its place': file => {
    rmSync(file)
    mkdirSync(file)
  },
}

test('a store that is harmed in any way: every task is there again', async () => {
  const house = new House()
  const ended = await house.submitScript('echo answer; echo work > made.txt')
  expect((await house.wait(ended)).state).toBe('succeeded')
  const failed = await house.submitScript('exit 3')
  expect((await house.wait(failed)).state).toBe('failed')
  const running = await house.submitScript(untilGo)
  await house.underWay(running)
  const queued = await house.submitScript('echo later')
  const refs = house.git('for-each-ref')
  const listed = async () =>
    JSON.parse(await house.ok(['status', '--all', '--json'])).tasks.map(
      ({ id }: { id: string }) => id,
    )
  for (const [how, harm] of Object.entries(DAMAGE)) {
    await house.ok(['worker', 'stop'])
    for (const part of ['-wal', '-shm']) rmSync(`${storeOf(house)}${part}`, { force: true })
    harm(storeOf(house))

    for (const words of [['status'], ['run', 'command', '--', 'true'], ['result', ended]]) {
      const run = await house.run(words)
      expect([how, words, run.code, run.stdout]).toEqual([how, words, 7, ''])
    }
    // Nobody makes a new one in its place, nor takes the tasks for left by killed submissions.
    expect([how, (await house.run(['worker', 'start'])).code]).toEqual([how, 7])
    expect([how, (await examine(house)).ok]).toEqual([how, false])

    const fixed = await examine(house, '--fix')
    expect(fixed.findings.flatMap(({ repair }) => repair?.problem ?? [])).toEqual([])
    expect([how, fixed.ok]).toEqual([how, true])
    expect(await house.ok(['result', ended])).toBe('answer')
    expect(await house.ok(['diff', ended])).toContain('+work')
    expect(await house.task(failed)).toMatchObject({
      state: 'failed',
      error: { code: 'command_failed' },
    })
    expect([how, await listed()]).toEqual([how, [queued, running, failed, ended]])
    // It is attended to again: what was under way goes on as it was.
    await house.ok(['worker', 'start'])
    await house.untilState(running, 'running')
  }
  house.write('go', '', house.worktree(running))
  expect(await house.wait(running)).toMatchObject({
    state: 'succeeded',
    attempt: 1,
    result: { answer: 'done' },
  })
  expect((await house.wait(queued)).result?.answer).toBe('later')
  for (const ref of refs.trim().split('\n')) expect(house.git('for-each-ref')).toContain(ref)
  await house.ok(['worker', 'stop'])
  expect(plans(await examine(house, '--fix'))).toEqual([])
}, 600_000)

test('a damaged store is kept, and it is said what was read of it', async () => {
  const house = new House()
  const id = await house.submitScript('echo answer')
  await house.wait(id)
  await house.ok(['worker', 'stop'])
  DAMAGE['its header overwritten']?.(storeOf(house))
  const bytes = readFileSync(storeOf(house))
  const text = await house.ok(['doctor', '--fix'])
  expect(text).toMatch(/the damaged store is kept in .*damaged/)
  expect(text).toMatch(/tasks: 1 rows were read/)
  const [time = ''] = readdirSync(join(house.home, 'damaged'))
  expect(readFileSync(join(house.home, 'damaged', time, 'store.db'))).toEqual(bytes)
  expect(await house.ok(['result', id])).toBe('answer')
})

test('beside a worker a store is not made anew', async () => {
  const house = new House()
  const id = await house.submitScript(untilGo)
  await house.underWay(id)
  // A page of a table that nobody reads just now.
  const store = new DatabaseSync(storeOf(house), { timeout: 30_000 })
  const { page } = store
    .prepare("SELECT rootpage AS page FROM sqlite_schema WHERE name = 'deliveries'")
    .get() as { page: number }
  store.exec('PRAGMA wal_checkpoint = TRUNCATE')
  store.close()
  const file = openSync(storeOf(house), 'r+')
  writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, (page - 1) * 4096)
  closeSync(file)
  const { findings, ok } = await examine(house, '--fix')
  expect(ok).toBe(false)
  expect(findings.find(({ check }) => check === 'store')?.repair).toMatchObject({
    state: 'failed',
    problem: expect.stringContaining('holdfast worker stop'),
  })
  // `worker stop` ends the worker first, whatever it says of the store.
  const stop = await house.run(['worker', 'stop'])
  expect([0, 7]).toContain(stop.code)
  await eventually('it has left', () =>
    house.processes().every(line => !line.includes('worker run')),
  )
  expect((await examine(house, '--fix')).ok).toBe(true)
  house.write('go', '', house.worktree(id))
  expect((await house.wait(id)).state).toBe('succeeded')
})

test('damaged rows are made anew, each from what is left of it', async () => {
  const house = new House()
  const ended = await house.submitScript('echo answer; echo work > made.txt')
  await house.wait(ended)
  const running = await house.submitScript(untilGo)
  await house.underWay(running)
  const queued = await house.submitScript('echo later')
  await house.ok(['worker', 'stop'])
  inStore(
    house,
    `UPDATE tasks SET state_json = '{', usage_json = '{';
     UPDATE tasks SET request_json = 'null' WHERE id = '${ended}';
     UPDATE worktrees SET record_json = '{' WHERE id = '${running}';
     UPDATE events SET body_json = '{' WHERE task = '${ended}' AND seq = 1`,
  )
  await expectMended(house, [
    ...[ended, ended, running, queued].map(id => expect.stringContaining(`row of ${id} anew`)),
    'store: write it down',
    'store: say in their place that they are not known',
  ])
  expect(await house.ok(['result', ended])).toBe('answer')
  house.write('go', '', house.worktree(running))
  expect(await house.wait(running)).toMatchObject({ state: 'succeeded', attempt: 1 })
  expect((await house.wait(queued)).result?.answer).toBe('later')
})

test('a damaged row without any copy is named, and everything of it kept', async () => {
  const house = new House()
  const id = await house.submitScript('echo answer; echo work > made.txt')
  await house.wait(id)
  await house.ok(['worker', 'stop'])
  for (const copy of ['request.json', 'ended.json']) rmSync(join(house.home, 'tasks', id, copy))
  inStore(house, "UPDATE tasks SET request_json = '{'")
  const { ok, findings } = await examine(house, '--fix')
  expect(ok).toBe(false)
  expect(findings).toContainEqual(
    expect.objectContaining({
      check: 'store',
      status: 'error',
      repair: null,
      hint: expect.stringContaining(join(house.home, 'tasks', id)),
    }),
  )
  expect(await house.ok(['diff', id])).toContain('+work')
})

test('leases, worktrees and registrations that are out of step', async () => {
  const house = new House()
  const made = async (script = 'true') => {
    const id = await house.submitScript(script)
    await house.wait(id)
    return id
  }
  const [leased, unmade, gone, unknown, lost] = [
    await made(),
    await made(),
    await made(
      'echo x > staged; git add staged; git -c user.name=A -c user.email=a@b commit -qm own',
    ),
    await made(),
    await made(),
  ]
  const own = house.gitIn(house.worktree(gone), 'rev-parse', 'HEAD').trim()
  house.write('later', 'work that was staged later\n', house.worktree(gone))
  house.gitIn(house.worktree(gone), 'add', 'later')
  const users = join(house.scratch, 'users-own')
  house.git('worktree', 'add', '--quiet', '--lock', '--reason', 'mine', users)
  await house.ok(['worker', 'stop'])

  inStore(
    house,
    `INSERT INTO leases (worktree, task, fence, taken_at) VALUES ('${leased}', '${leased}', 1, 0);
     UPDATE worktrees SET record_json = NULL WHERE id = '${unmade}';
     DELETE FROM worktrees WHERE id IN ('${unknown}', '${lost}')`,
  )
  for (const id of [unmade, gone, lost]) rmSync(house.worktree(id), { recursive: true })
  house.git('worktree', 'unlock', house.worktree(unmade))
  house.git('worktree', 'prune')

  await expectMended(house, [
    'worktrees: free the worktree',
    expect.stringMatching('worktrees: forget it'),
    expect.stringMatching('worktrees: forget it'),
    ...[unknown, lost]
      .sort()
      .map(id =>
        id === unknown ? 'worktrees: write it down' : expect.stringMatching('worktrees: forget it'),
      ),
  ])
  // What only the registration still had is held: the agent's commit, and what was staged after it.
  expect(house.git('log', '--format=%H', `refs/holdfast/${gone}/left`)).toContain(own)
  expect(house.git('show', `refs/holdfast/${gone}/left:later`)).toContain('staged later')
  expect(house.git('for-each-ref', `refs/holdfast/${unmade}/left`)).toBe('')
  const list = house.git('worktree', 'list', '--porcelain')
  for (const id of [unmade, gone, lost]) expect(list).not.toContain(house.worktree(id))
  expect(list).toContain(house.worktree(unknown))
  expect(existsSync(house.worktree(unknown))).toBe(true)
  expect(list).toContain(`${users}\n`)
  expect(list).toContain('locked mine')
})

test('a worktree whose disk is not there, and one that was replaced, are left alone', async () => {
  const house = new House()
  const id = await house.submitScript('true')
  await house.wait(id)
  await house.ok(['worker', 'stop'])
  renameSync(join(house.home, 'worktrees'), join(house.scratch, 'unmounted'))
  expect(plans(await examine(house, '--fix'))).toEqual([])
  renameSync(join(house.scratch, 'unmounted'), join(house.home, 'worktrees'))
  renameSync(house.worktree(id), join(house.scratch, 'moved'))
  mkdirSync(house.worktree(id))
  house.write('of-somebody', '', house.worktree(id))
  const { findings } = await examine(house, '--fix')
  expect(findings).toContainEqual(
    expect.objectContaining({ check: 'worktrees', status: 'warning', repair: null }),
  )
  expect(readdirSync(house.worktree(id))).toEqual(['of-somebody'])
  expect(house.git('worktree', 'list')).toContain(id)
})

test('what lives on of an attempt that is over is ended, and nothing else', async () => {
  const house = new House()
  const running = await house.submitScript(untilGo)
  await house.underWay(running)
  const id = await house.submitScript('true', '--verify', 'true')
  const markIn = (directory: string): string =>
    JSON.parse(readFileSync(join(directory, 'launch.json'), 'utf8')).mark
  const mark = markIn(house.runDirectory(running))
  const sleepUnder = (HOLDFAST_ATTEMPT: string, detached = false) =>
    spawn('sleep', ['300'], { env: { PATH: process.env.PATH, HOLDFAST_ATTEMPT }, detached })
  const other = sleepUnder(mark.replace(/.$/, last => (last === 'x' ? 'y' : 'x')))
  house.write('go', '', house.worktree(running))
  await house.wait(running)
  await house.wait(id)
  const left = sleepUnder(mark, true)
  const verifying = sleepUnder(markIn(join(house.home, 'tasks', id, 'verify', '1.1')), true)
  const ended = Promise.all([left, verifying].map(one => once(one, 'exit')))
  const found = await examine(house)
  for (const { pid, exitCode } of [left, verifying]) {
    expect(found.findings).toContainEqual(
      expect.objectContaining({
        check: 'processes',
        message: expect.stringContaining(`these live on: ${pid} sleep 300`),
      }),
    )
    expect(exitCode).toBeNull()
  }
  const repairs = [running, id].map(of => `processes: end what is left of try 1 of ${of}`)
  await expectMended(house, expect.arrayContaining(repairs))
  expect(await ended).toEqual([
    [null, 'SIGKILL'],
    [null, 'SIGKILL'],
  ])
  // The mark of another store's attempt is nobody's here.
  expect(other.exitCode).toBeNull()
  other.kill()
  await once(other, 'exit')
})

test('environments, abandoned submissions, scratch, broken locks, a left card, an open directory', async () => {
  const house = new House()
  const id = await house.submitScript('true')
  await house.wait(id)
  const task = join(house.home, 'tasks', id)
  await house.untilForgotten(id)
  await house.killWorkers()
  await eventually('nothing runs', () => house.processes().length === 0)
  const old = new Date(Date.now() - 3_600_000)
  const leave = (path: string, make: (path: string) => void) => {
    make(path)
    utimesSync(path, old, old)
  }
  const file = (path: string) => writeFileSync(path, '')
  const directory = (path: string) => {
    mkdirSync(path)
    writeFileSync(join(path, 'x'), '')
  }
  file(join(task, 'environment.json'))
  leave(join(task, 'index-aB3dE6'), directory)
  leave(join(task, '.result.patch.4711'), file)
  leave(join(task, 'runs', '1', 'exit.json.new'), file)
  leave(join(house.home, 'worktrees', `${id}.discarded-0`), directory)
  leave(join(house.home, 'tasks', 'zzzzzzzzzz'), directory)
  writeFileSync(join(house.home, 'locks', 'worker.lock'), 'no lock')
  chmodSync(house.home, 0o755)
  // Not ours by their names, or too young.
  leave(join(task, 'index-of-my-own'), directory)
  leave(join(house.home, 'notes'), file)
  file(join(task, 'runs', '1', 'launch.json.new'))

  // The broken lock comes first: until it is mended, nobody can say whether a worker is up.
  const before = await examine(house)
  expect(plans(before)).toEqual([
    'state directory: make it private',
    'locks: empty that file',
    'tasks: remove its environment',
    'tasks: remove its directory and its ref',
    ...[
      join(house.home, 'worktrees', `${id}.discarded-0`),
      join(task, 'index-aB3dE6'),
      join(task, '.result.patch.4711'),
      join(task, 'runs', '1', 'exit.json.new'),
    ].map(path => `leftovers: remove ${path}`),
  ])
  expect((await examine(house, '--fix')).ok).toBe(true)
  expect(plans(await examine(house, '--fix'))).toEqual(['worker: remove its card'])
  expect(plans(await examine(house, '--fix'))).toEqual([])
  expect(statSync(house.home).mode & 0o777).toBe(0o700)
  expect(readdirSync(task)).toContain('index-of-my-own')
  expect(readdirSync(task)).not.toContain('environment.json')
  expect(existsSync(join(house.home, 'notes'))).toBe(true)
  expect(existsSync(join(task, 'runs', '1', 'launch.json.new'))).toBe(true)
  await house.wait(await house.submitScript('true'))
})

test('lock files of killed gits go, where nobody is at work', async () => {
  const house = new House()
  const id = await house.submitScript('true')
  await house.wait(id)
  await house.untilForgotten(id)
  const registration = join(house.repo, '.git', 'worktrees', id)
  const old = new Date(Date.now() - 3_600_000)
  const leave = (path: string, time = old) => {
    writeFileSync(path, '')
    utimesSync(path, time, time)
    return path
  }
  const index = leave(join(registration, 'index.lock'))
  const ref = leave(join(house.repo, '.git', 'refs', 'holdfast', id, 'result.lock'))
  // The user's own, and one that may be in use.
  const users = leave(join(house.repo, '.git', 'index.lock'))
  const young = leave(join(registration, 'HEAD.lock'), new Date())

  const shell = spawn('sleep', ['300'], { cwd: house.worktree(id) })
  expect(plans(await examine(house))).toEqual([])
  shell.kill()
  await once(shell, 'exit')
  await expectMended(house, ['worktrees: remove it', 'worktrees: remove it'])
  expect([index, ref, users, young].map(path => existsSync(path))).toEqual([
    false,
    false,
    true,
    true,
  ])
  rmSync(users)
})

test('a worker that stands still is named, and how to wake it', async () => {
  const house = new House()
  const id = await house.submitScript(untilGo)
  await house.underWay(id)
  const worker = await house.suspendWorker()
  const { ok, findings } = await examine(house)
  process.kill(worker, 'SIGCONT')
  expect(ok).toBe(false)
  expect(findings).toContainEqual(
    expect.objectContaining({
      check: 'worker',
      message: `it stands still, suspended: pid ${worker}`,
      hint: expect.stringContaining(`kill -CONT ${worker}`),
    }),
  )
  house.write('go', '', house.worktree(id))
  expect((await house.wait(id)).state).toBe('succeeded')
  expect((await examine(house)).ok).toBe(true)
})

test('a log that is damaged loses its part without a word; the task directories know better', async () => {
  const house = new House()
  const before = await house.submitScript('echo before')
  await house.wait(before)
  await house.ok(['worker', 'stop'])
  const id = await house.submitScript('echo answer')
  await house.wait(id)
  // What it wrote stands in the log alone: nobody has closed the store since.
  await house.killWorkers()
  await eventually('nobody has it open', () => house.processes().length === 0)
  const log = openSync(join(house.home, 'store.db-wal'), 'r+')
  writeSync(log, Buffer.alloc(4096, 0xa5), 0, 4096, 40)
  closeSync(log)
  rmSync(join(house.home, 'store.db-shm'), { force: true })

  // The row is from before, or there is none.
  expect([3, 4]).toContain((await house.run(['result', id])).code)
  const found = await examine(house)
  expect(plans(found)).toContain(`tasks: write the row of ${id} anew, from its task directory`)
  expect((await examine(house, '--fix')).ok).toBe(true)
  expect(await house.ok(['result', id])).toBe('answer')
  expect(await house.ok(['result', before])).toBe('before')
  await house.ok(['worker', 'stop'])
  expect(plans(await examine(house, '--fix'))).toEqual([])
})
