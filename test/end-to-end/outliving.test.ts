/** A task outlives its caller, its wrapper and the worker; tested with plain programs. */
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { House, PATIENCE, untilGo } from './house.ts'

test('a program runs in a worktree of its own, and its work comes home', async () => {
  const house = new House()
  house.makeDirty()
  const before = house.fingerprint()
  const run = await house.run([
    'run',
    'command',
    '--',
    'sh',
    '-c',
    'cat kept.txt staged.txt "untracked ü.txt"; echo new > added.txt',
  ])
  expect(run.stderr).toContain('+ 2 modified, 1 untracked')
  const id = run.stdout.trim()
  const task = await house.wait(id)
  expect(task.state).toBe('succeeded')
  expect(task.result).toMatchObject({
    answer: 'one\nTWO\nthree\nstaged, then edited\nmine',
    files: 1,
    insertions: 1,
    deletions: 0,
  })
  expect(await house.ok(['result', id], { directory: '/' })).toBe(task.result?.answer)
  const patch = await house.ok(['diff', id], { directory: '/' })
  expect(patch).toContain('+++ b/added.txt')
  expect(patch).not.toContain('kept.txt')
  expect(house.fingerprint()).toBe(before)
  expect(existsSync(join(house.worktree(id), 'ignored.env'))).toBe(false)
})

test('the caller’s process group is killed and its worktree removed; the task goes on', async () => {
  const house = new House()
  const caller = join(house.scratch, 'caller')
  house.git('worktree', 'add', '--quiet', '--detach', caller)
  house.makeDirty(caller)
  const before = house.fingerprint()
  const run = house.start(['run', 'command', '--wait', '--', 'sh', '-c', untilGo], {
    directory: caller,
  })
  let said = ''
  run.stderr?.on('data', chunk => {
    said += chunk
  })
  const id = await eventually('the task has an id', () => /^([a-z0-9]{10}) /m.exec(said)?.[1])
  await house.underWay(id)
  await house.untilState(id, 'running')
  process.kill(-(run.pid ?? 0), 'SIGKILL')
  await once(run, 'exit')
  house.git('worktree', 'remove', '--force', caller)
  expect((await house.task(id)).state).toBe('running')
  house.write('go', '', house.worktree(id))
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
  expect(house.fingerprint()).toBe(before)
})

test('an interrupt detaches `run --wait` and cancels nothing', async () => {
  const house = new House()
  const run = house.start(['run', 'command', '--wait', '--', 'sh', '-c', untilGo])
  let said = ''
  run.stderr?.on('data', chunk => {
    said += chunk
  })
  const id = await eventually('the task has an id', () => /^([a-z0-9]{10}) /m.exec(said)?.[1])
  await house.underWay(id)
  run.kill('SIGINT')
  expect(await once(run, 'close')).toEqual([130, null])
  expect(said).toContain(`holdfast wait ${id}`)
  house.write('go', '', house.worktree(id))
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
})

test('the worker is killed -9: its watchdog starts the next one, which adopts the attempt', async () => {
  const house = new House()
  const id = await house.submitScript(untilGo)
  await house.underWay(id)
  const first = await house.workerPid()
  process.kill(first, 'SIGKILL')
  // Without any further command: only the card is read.
  await eventually('another worker is up', () => {
    const card = join(house.home, 'worker.json')
    return existsSync(card) && JSON.parse(readFileSync(card, 'utf8')).identity.pid !== first
  })
  house.write('go', '', house.worktree(id))
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
})

test('two that ring at once do not disarm the watchdog', async () => {
  const house = new House()
  const ids = await Promise.all([house.submitScript(untilGo), house.submitScript('true')])
  const [id = ''] = ids
  await house.underWay(id)
  const workers = () => house.processes().filter(line => line.includes('worker run'))
  // The one that came second has left: a worker and its watchdog remain.
  await eventually('one worker remains', () => workers().length === 2)
  const first = await house.workerPid()
  process.kill(first, 'SIGKILL')
  await eventually('its watchdog has started another', () => {
    const card = join(house.home, 'worker.json')
    return existsSync(card) && JSON.parse(readFileSync(card, 'utf8')).identity.pid !== first
  })
  house.write('go', '', house.worktree(id))
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
})

test('a worker whose post somebody looks at without an end comes again, and work does not wait for a command', async () => {
  const house = new House()
  await house.ok(['worker', 'start'])
  await house.ok(['worker', 'stop'])
  const looker = new DatabaseSync(join(house.home, 'locks', 'worker.lock'))
  looker.exec('BEGIN; SELECT 1 FROM sqlite_schema')
  const log = join(house.home, 'worker.log')
  // The first may still be saying that it leaves.
  await eventually('it has left', () => readFileSync(log, 'utf8').endsWith('worker leaves\n'))
  const before = readFileSync(log, 'utf8').length
  const id = await house.submitScript(untilGo)
  await eventually('it has given up', () => readFileSync(log, 'utf8').length > before)
  looker.close()
  // Without any further command.
  await house.underWay(id)
  house.write('go', '', house.worktree(id))
  expect((await house.wait(id)).state).toBe('succeeded')
})

test('a worker that died right after the launch: the adopted task is running, and has a start', async () => {
  const house = new House()
  const id = await house.submitScript(untilGo)
  await house.underWay(id)
  await house.killWorkers()
  // As the kill between launch and the next write leaves the row.
  const store = new DatabaseSync(join(house.home, 'store.db'), { timeout: 30_000 })
  store.exec(
    `UPDATE tasks SET state = 'starting', started_at = NULL, state_json = '{"name":"starting","fence":1}'`,
  )
  store.close()
  await house.ok(['worker', 'start'])
  expect((await house.untilState(id, 'running')).startedAt).not.toBeNull()
  house.write('go', '', house.worktree(id))
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
})

test('an attempt of another PID namespace is not judged, takes no slot, and holds nobody up', async () => {
  const house = new House()
  const id = await house.submitScript(untilGo)
  await house.underWay(id)
  await house.untilState(id, 'running')
  await house.ok(['worker', 'stop'])
  const launch = join(house.runDirectory(id), 'launch.json')
  const record = readFileSync(launch, 'utf8')
  writeFileSync(launch, record.replace(/"pidNamespace":"[^"]*"/, '"pidNamespace":"pid:[1]"'))
  const other = await house.submitScript('echo free')
  expect((await house.wait(other)).state).toBe('succeeded')
  expect((await house.task(id)).state).toBe('running')
  await house.ok(['worker', 'stop'])
  writeFileSync(launch, record)
  house.write('go', '', house.worktree(id))
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
})

test('a task whose agent this version does not know fails alone', async () => {
  const house = new House({ HOLDFAST_WORKER_IDLE: '1s' })
  const id = await house.submitScript('true')
  await house.wait(id)
  await house.ok(['worker', 'stop'])
  const store = new DatabaseSync(join(house.home, 'store.db'), { timeout: 30_000 })
  store.exec(`UPDATE tasks SET state = 'queued', state_json = '{"name":"queued"}', ended_at = NULL,
    agent = 'later', request_json = replace(request_json, '"agent":"command"', '"agent":"later"')`)
  store.close()
  const good = await house.submitScript('true')
  expect((await house.wait(good)).state).toBe('succeeded')
  const task = await house.wait(id)
  expect(task).toMatchObject({ state: 'failed', error: { code: 'internal_error' } })
  expect(task.error?.message).toContain('no agent "later"')
})

test('an agent that writes faster than its lines are kept is cancelled all the same', async () => {
  const house = new House()
  const burst = 'head -c 2000000 /dev/zero | tr "\\0" "\\n"; i=$((i+1)); sleep 0.1'
  const id = await house.submitScript(
    `touch under-way; i=0; while [ $i -lt 60 ]; do ${burst}; done; exec sleep 1000`,
  )
  await house.underWay(id)
  await eventually('much has been written', async () => {
    return statSync(join(house.runDirectory(id), 'stdout')).size > 10_000_000
  })
  // It would not end by itself. Whatever of its lines is still to be read by then, it is ended.
  expect([0, 3]).toContain((await house.run(['cancel', id])).code)
  expect(house.processes().filter(line => line.includes('head -c'))).toEqual([])
  expect((await house.wait(id)).state).toBe('cancelled')
  expect(statSync(join(house.home, 'store.db')).size).toBeLessThan(30_000_000)
})

test('what cannot be collected is said, and never called no changes', async () => {
  const house = new House()
  const id = await house.submitScript('echo work > work.txt; touch under-way; exec sleep 300')
  await house.underWay(id)
  house.write(`.git/refs/holdfast/${id}/result.lock`, '')
  const said = await house.ok(['cancel', id])
  expect(said).not.toContain('no changes')
  const task = await house.task(id)
  expect(task.result?.commit).toBeNull()
  expect(task.result?.leftOut.join()).toContain('nothing was collected')
  expect(await house.ok(['logs', id])).toContain('nothing was collected')
  expect(readFileSync(join(house.worktree(id), 'work.txt'), 'utf8')).toBe('work\n')
})

test('the worker and its watchdog are gone: the next look judges, and starts a worker', async () => {
  const house = new House()
  const id = await house.submitScript(untilGo)
  await house.underWay(id)
  await house.untilState(id, 'running')
  await house.killWorkers()
  expect(await house.task(id)).toMatchObject({ state: 'running', attempt: 1 })
  house.write('go', '', house.worktree(id))
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
})

test('the wrapper is killed -9: the agent goes on, and without an exit status is no success', async () => {
  const house = new House()
  const id = await house.submitScript(untilGo)
  await house.underWay(id)
  process.kill(house.pid(id, 'wrapper'), 'SIGKILL')
  house.write('go', '', house.worktree(id))
  const task = await house.wait(id)
  expect(task).toMatchObject({ state: 'failed', attempt: 1, error: { code: 'exit_unknown' } })
  expect(task.result?.answer).toBe('done')
})

test('a program that is killed is not run again, unless that was asked for', async () => {
  const house = new House()
  const script = 'echo x >> count; [ $(wc -l < count) -ge 2 ] || kill -9 $$'
  const once_ = await house.submitScript(script)
  expect(await house.wait(once_)).toMatchObject({
    state: 'failed',
    attempt: 1,
    error: { code: 'agent_crashed' },
  })
  const twice = await house.submitScript(script, '--retry-on-crash')
  expect(await house.wait(twice)).toMatchObject({ state: 'succeeded', attempt: 2 })
})

test('a program that is killed with its wrapper, as by a power cut, is run again if asked for', async () => {
  const house = new House()
  const id = await house.submitScript(
    'if [ -e under-way ]; then exit 0; fi; touch under-way; exec sleep 300',
    '--retry-on-crash',
  )
  await house.underWay(id)
  process.kill(house.pid(id, 'wrapper'), 'SIGKILL')
  process.kill(house.pid(id), 'SIGKILL')
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 2 })
})

test('a failing program is a failed task, with its exit code and its work', async () => {
  const house = new House()
  const id = await house.submitScript('echo half > half.txt; exit 3')
  const { code } = await house.run(['wait', id])
  expect(code).toBe(1)
  const task = await house.task(id)
  expect(task).toMatchObject({ state: 'failed', error: { code: 'command_failed' } })
  expect(task.error?.message).toContain('3')
  expect(await house.ok(['diff', id])).toContain('+half')
})

test('twenty at once on a new state directory: twenty tasks, all visible, each ended once', async () => {
  const house = new House()
  const ids = await Promise.all(
    Array.from({ length: 20 }, (_, i) => house.submitScript(`echo ${i}; echo ${i} > made.txt`)),
  )
  expect(new Set(ids).size).toBe(20)
  const { tasks } = JSON.parse(await house.ok(['status', '--all', '--json'], { directory: '/' }))
  expect(new Set(tasks.map(({ id }: { id: string }) => id))).toEqual(new Set(ids))
  const { code, stdout } = await house.run(['wait', ...ids, '--timeout', PATIENCE, '--json'])
  expect(code).toBe(0)
  for (const [i, task] of JSON.parse(stdout).tasks.entries()) {
    expect(task).toMatchObject({ state: 'succeeded', attempt: 1, result: { answer: `${i}` } })
  }
  const ends = await Promise.all(ids.map(async id => (await house.evidence(id)).timeline))
  for (const timeline of ends) {
    expect(timeline.filter(({ text }) => text === 'succeeded')).toHaveLength(1)
  }
})

test('cancel ends a tool in a process session of its own, and keeps the work so far', async () => {
  const house = new House()
  const id = await house.submitScript(
    'echo work > so-far.txt; setsid sh -c "touch under-way; exec sleep 300" & wait',
  )
  await house.underWay(id)
  expect(await house.ok(['cancel', id])).toContain('cancelled, ')
  expect(house.processes().filter(line => line.includes('sleep 300'))).toEqual([])
  expect(await house.ok(['diff', id])).toContain('+work')
  expect(await house.task(id)).toMatchObject({ state: 'cancelled', attempt: 1 })
  expect((await house.run(['cancel', id])).code).toBe(5)
})

test('a queued task is cancelled without ever having run', async () => {
  const house = new House()
  const first = await house.submitScript(untilGo)
  await house.underWay(first)
  const second = await house.submitScript('echo never')
  expect(await house.ok(['cancel', second])).toBe(`${second} cancelled\n`)
  expect(existsSync(house.worktree(second))).toBe(false)
  expect(existsSync(join(house.home, 'tasks', second, 'environment.json'))).toBe(false)
  expect((await house.run(['diff', second])).code).toBe(5)
  await house.ok(['cancel', first])
})

test('the worktree is deleted under the agent: that is noticed while it works, and never success', async () => {
  const house = new House()
  const go = join(house.scratch, 'go')
  const lost = { state: 'failed', error: { code: 'worktree_lost' } }
  for (const ends of ['exec sleep 1000', `until [ -e '${go}' ]; do sleep 0.05; done; exit 0`]) {
    const id = await house.submitScript(`touch under-way; ${ends}`)
    await house.underWay(id)
    rmSync(house.worktree(id), { recursive: true })
    writeFileSync(go, '')
    expect(await house.wait(id)).toMatchObject(lost)
  }
})

test('the repository is deleted under the agent: repository_lost, and result still answers', async () => {
  const house = new House()
  const ended = await house.submitScript('echo home > home.txt; echo answer')
  await house.wait(ended)
  const id = await house.submitScript('echo so far; touch under-way; exec sleep 300')
  await house.underWay(id)
  rmSync(house.repo, { recursive: true })
  const options = { directory: '/' }
  const waited = await house.run(['wait', id, '--timeout', PATIENCE, '--json'], options)
  expect(JSON.parse(waited.stdout).tasks[0]).toMatchObject({
    state: 'failed',
    error: { code: 'repository_lost' },
  })
  expect(await house.ok(['result', id], options)).toBe('so far')
  expect(await house.ok(['result', ended], options)).toBe('answer')
  expect(await house.ok(['diff', ended], options)).toContain('+home')
})

test('the last edit, made in the same second as run, is in the base', async () => {
  const house = new House()
  for (let i = 0; i < 3; i++) {
    house.write('kept.txt', `same length ${i}\n`)
    house.git('add', '.')
    house.write('kept.txt', `same LENGTH ${i}\n`)
    const id = await house.submitScript('cat kept.txt')
    await house.wait(id)
    expect(await house.ok(['result', id])).toBe(`same LENGTH ${i}`)
  }
})

test('a task of a subdirectory runs there, and a worker leaves when it is idle', async () => {
  const house = new House({ HOLDFAST_WORKER_IDLE: '100ms' })
  house.write('deep/er/file.txt', 'x\n')
  const id = await house.submit(['command', '--', 'sh', '-c', 'pwd; ls'], {
    directory: join(house.repo, 'deep/er'),
  })
  await house.wait(id)
  expect(await house.ok(['result', id])).toBe(`${house.worktree(id)}/deep/er\nfile.txt`)
  await eventually('the worker has left', () => house.processes().length === 0)
})

test('a task that delegates does not take the inner one along', async () => {
  const house = new House()
  const outer = await house.submitScript(
    `node ${JSON.stringify(new URL('../../bin/holdfast.cjs', import.meta.url).pathname)} run command --permissions full -- sh -c 'touch under-way; sleep 2; echo inner' > inner-id; touch under-way; exec sleep 300`,
  )
  await house.underWay(outer)
  const id = readFileSync(join(house.worktree(outer), 'inner-id'), 'utf8').trim()
  await house.ok(['cancel', outer])
  const task = await house.wait(id)
  expect(task).toMatchObject({ state: 'succeeded', caller: { kind: 'task', id: outer } })
})

test('a killed worker loses no line of output, and reads none twice', async () => {
  const house = new House()
  const id = await house.submitScript(
    'i=0; while [ ! -e go ]; do i=$((i+1)); echo $i; [ $((i % 50)) -ne 0 ] || sleep 0.1; done',
  )
  let worker: number | undefined
  for (let kills = 0; kills < 3; kills++) {
    const killed = worker
    // The next one may hold the post for a moment before the card is its own.
    worker = await eventually('another worker is up', async () => {
      const pid = await house.workerPid().catch(() => undefined)
      return pid !== killed && pid
    })
    await eventually('it has read something', async () => {
      const { stdout } = await house.run(['logs', id, '-n', '1', '--json'])
      return stdout.includes('output_given')
    })
    process.kill(worker, 'SIGKILL')
  }
  const written = join(house.runDirectory(id), 'stdout')
  await eventually('much was written', () => statSync(written).size > 1_000)
  house.write('go', '', house.worktree(id))
  expect((await house.wait(id)).state).toBe('succeeded')
  const lines = (await house.ok(['logs', id, '--since', '0', '--json'])).trim().split('\n')
  const said = lines.map(line => JSON.parse(line)).filter(({ kind }) => kind === 'output_given')
  const raw = (await house.ok(['logs', id, '--raw'])).trim().split('\n')
  expect(said.map(({ text }) => text)).toEqual(raw)
  expect(raw.length).toBeGreaterThan(100)
})

test('a repository that is gone before its queued task starts: repository_lost', async () => {
  const house = new House()
  const first = await house.submitScript(untilGo)
  await house.underWay(first)
  const other = join(house.scratch, 'other')
  house.git('clone', '--quiet', house.repo, other)
  const second = await house.submit(['command', '--', 'true'], { directory: other })
  rmSync(other, { recursive: true })
  house.write('go', '', house.worktree(first))
  expect(await house.wait(second)).toMatchObject({
    state: 'failed',
    error: { code: 'repository_lost' },
  })
})

test('an agent that is gone before its queued task starts fails it by name, and keeps no worktree', async () => {
  const house = new House()
  const first = await house.submitScript(untilGo)
  await house.underWay(first)
  const program = join(house.scratch, 'program')
  house.write('program', '#!/bin/sh\n', house.scratch)
  chmodSync(program, 0o755)
  const second = await house.submit(['command', '--', program])
  rmSync(program)
  house.write('go', '', house.worktree(first))
  expect(await house.wait(second)).toMatchObject({
    state: 'failed',
    error: { code: 'agent_missing' },
  })
  await eventually('its worktree is gone', () => !existsSync(house.worktree(second)))
  await eventually('git has forgotten it', () => !house.git('worktree', 'list').includes(second))
})

test.each(['worker.begun', 'worker.post-taken', 'worker.card-renamed'])(
  'a worker that is told to stop while it comes up, at %s, is stopped',
  async point => {
    const house = new House()
    const armed = join(house.scratch, 'points')
    mkdirSync(armed)
    writeFileSync(join(armed, point), 'stand')
    const environment = { HOLDFAST_CRASH_POINTS: armed }
    const id = await house.submit(['command', '--', 'true'], { environment })
    await eventually('it comes up', () => existsSync(join(armed, `${point}.pid`)))
    const go = () => writeFileSync(join(armed, `${point}.go`), '')
    const stopping = house.run(['worker', 'stop'])
    // On its way to the post it is not waited for: it finds itself dismissed, whenever it gets there.
    if (point === 'worker.begun') await stopping
    go()
    expect(await stopping).toMatchObject({ code: 0, stdout: expect.stringContaining('stopped') })
    await eventually('neither worker nor watchdog is left', () => house.processes().length === 0)
    expect(await house.ok(['worker', 'status'])).toContain('stopped')
    expect((await house.wait(id)).state).toBe('succeeded')
  },
)
