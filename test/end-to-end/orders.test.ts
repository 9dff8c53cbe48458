/** The flags of `run` that say where, when and under which name; and handing in again. */
import { existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type TaskView, views } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { entry, House, PATIENCE } from './house.ts'
import { Points } from './points.ts'

test('--name is what it is called, and a name that could be mistaken is refused', async () => {
  const house = new House()
  const id = await house.submit(['--name', 'tidy-up', 'command', '--', 'true'])
  expect((await house.task('tidy-up')).id).toBe(id)
  for (const name of ['a/b', '-x', 'two words', 'abcdefghj1', 'x'.repeat(65)]) {
    const { code, stderr } = await house.run(['run', `--name=${name}`, 'command', '--', 'true'])
    expect([name, code]).toEqual([name, 2])
    expect(stderr).toContain('is no name')
  }
})

test('--base starts from that commit, --changes says what comes along', async () => {
  const house = new House()
  const first = house.git('rev-parse', 'HEAD').trim()
  house.write('kept.txt', 'second\n')
  house.git('commit', '--quiet', '--all', '--message=second')
  house.makeDirty()
  const ls = ['command', '--', 'sh', '-c', 'cat kept.txt; ls']
  const seen = async (...flags: string[]) => {
    const id = await house.submit([...flags, ...ls])
    await house.ok(['wait', id])
    return { task: await house.task(id), output: await house.ok(['logs', '--raw', id]) }
  }
  const old = await seen('--base', first)
  expect(old.task.base).toMatchObject({ commit: first, changes: null })
  expect(old.output).toContain('three')
  expect((await seen('--base', 'HEAD')).output).toBe('second\nkept.txt\n')
  expect((await seen('--changes', 'none')).output).toBe('second\nkept.txt\n')
  const tracked = (await seen('--changes', 'tracked')).output
  expect(tracked).toContain('TWO')
  expect(tracked).not.toContain('untracked')
  expect((await seen()).output).toContain('untracked')
  expect((await house.run(['run', '--base', 'nothing', ...ls])).code).toBe(5)
  expect((await house.run(['run', '--changes', 'some', ...ls])).code).toBe(2)
})

test('--after starts once the other has succeeded, and fails with it', async () => {
  const house = new House()
  const gate = join(house.scratch, 'gate')
  const first = await house.submitScript(`until [ -e '${gate}' ]; do sleep 0.05; done`)
  const second = await house.submit(['--after', first, 'command', '--', 'true'])
  expect(await house.task(second)).toMatchObject({
    state: 'waiting',
    reason: `waits for ${first}`,
    waitingUntil: null,
  })
  house.write('gate', '', house.scratch)
  await house.ok(['wait', second])

  const end = join(house.scratch, 'end')
  const failing = await house.submitScript(`until [ -e '${end}' ]; do sleep 0.05; done; exit 3`)
  const third = await house.submit(['--after', failing, 'command', '--', 'true'])
  house.write('end', '', house.scratch)
  expect((await house.run(['wait', third])).code).toBe(1)
  expect((await house.task(third)).error?.code).toBe('dependency_failed')
  const late = await house.run(['run', '--after', failing, 'command', '--', 'true'])
  expect(late.code).toBe(5)
  expect((await house.run(['run', '--after', 'nobody', 'command', '--', 'true'])).code).toBe(4)
})

test('resume ends a wait for others', async () => {
  const house = new House()
  const first = await house.submitScript('sleep 1000')
  const second = await house.submit(['--after', first, 'command', '--', 'true'])
  await house.ok(['resume', second])
  expect((await house.task(second)).state).not.toBe('waiting')
  await house.ok(['cancel', '--all'])
})

test('of queued tasks the one with the larger priority goes first', async () => {
  const house = new House({ HOLDFAST_SLOTS: '1' })
  const log = join(house.scratch, 'order')
  const say = (word: string) => ['command', '--', 'sh', '-c', `echo ${word} >>'${log}'`]
  const gate = join(house.scratch, 'gate')
  const blocker = await house.submitScript(`until [ -e '${gate}' ]; do sleep 0.05; done`)
  await house.untilState(blocker, 'running')
  const low = await house.submit(['--priority', '-5', ...say('low')])
  const high = await house.submit(['--priority', '7', ...say('high')])
  expect((await house.run(['run', '--priority', '101', ...say('no')])).code).toBe(2)
  house.write('gate', '', house.scratch)
  await house.ok(['wait', low, high])
  expect(readFileSync(log, 'utf8')).toBe('high\nlow\n')
})

test('--timeout ends a task that is at work for too long, and keeps its work', async () => {
  const points = new Points()
  const { house } = points
  // The worker follows it once it has done something, however long that took.
  points.stand('follow.running')
  const id = await house.submitScript('echo mine >mine.txt; exec sleep 1000', '--timeout', '1s')
  await eventually('it has worked', () => {
    const file = join(house.worktree(id), 'mine.txt')
    return existsSync(file) && readFileSync(file, 'utf8') === 'mine\n'
  })
  points.go('follow.running')
  expect((await house.run(['wait', id])).code).toBe(1)
  const ended = await house.task(id)
  expect(ended.error).toMatchObject({ code: 'timed_out' })
  expect(ended.result?.files).toBe(1)
  expect(await house.ok(['diff', id])).toContain('+mine')
})

test('twenty hand in under one idempotency key, and one task comes of it', async () => {
  const house = new House()
  const words = ['--idempotency-key', 'nightly', 'command', '--', 'sh', '-c', 'echo once >>once']
  const ids = await Promise.all(Array.from({ length: 20 }, () => house.submit(words)))
  expect(new Set(ids).size).toBe(1)
  await house.ok(['wait', ids[0] ?? ''])
  expect(await house.ok(['diff', ids[0] ?? ''])).toContain('+once')
  const { tasks } = JSON.parse(await house.ok(['status', '--all', '--json']))
  expect(tasks).toHaveLength(1)
  // Nothing is left of the nineteen others.
  const refs = house.git('for-each-ref', '--format=%(refname)', 'refs/holdfast/')
  expect(refs.split('\n').filter(ref => ref.endsWith('/base'))).toHaveLength(1)
  const other = await house.run(['run', '--idempotency-key', 'nightly', 'command', '--', 'true'])
  expect(other.code).toBe(5)
  const longer = await house.run(['run', '--timeout', '5m', ...words])
  expect(longer.code).toBe(5)
  // What speaks against it by now does not matter: it was handed in.
  const gone = join(house.scratch, 'no-tools')
  expect(
    (
      await house.submit(words, { environment: { PATH: `${house.environment.PATH}:${gone}` } })
    ).trim(),
  ).toBe(ids[0])
})

test('--in-place works in the checkout itself, alone, and leaves index and HEAD to the user', async () => {
  const house = new House()
  house.makeDirty()
  const index = () => readFileSync(join(house.repo, '.git', 'index'))
  const before = { index: index(), head: house.git('rev-parse', 'HEAD') }
  const gate = join(house.scratch, 'gate')
  const script = `echo mine >mine.txt; until [ -e '${gate}' ]; do sleep 0.05; done`
  const id = await house.submitScript(script, '--in-place')
  const second = await house.run(['run', '--in-place', 'command', '--', 'true'])
  expect(second.code).toBe(5)
  expect(second.stderr).toContain(id)
  await eventually('the agent has written', () => existsSync(join(house.repo, 'mine.txt')))
  expect((await house.task(id)).worktree).toEqual({
    path: house.repo,
    kind: 'borrowed',
    pinned: false,
    port: expect.any(Number),
  })
  house.write('gate', '', house.scratch)
  await house.ok(['wait', id])
  const patch = await house.ok(['diff', id])
  expect(patch).toContain('+mine')
  expect(patch).not.toContain('TWO')
  expect({ index: index(), head: house.git('rev-parse', 'HEAD') }).toEqual(before)
  // There is nothing to apply, and so nothing to take back; by hand there is.
  expect((await house.run(['apply', id])).stderr).toContain('already applied')
  const undone = await house.run(['apply', '--undo', id])
  expect(undone).toMatchObject({ code: 5, stdout: '' })
  expect(undone.stderr).toContain(`${id} worked in place, in ${house.repo}: there is nothing`)
  expect(undone.stderr).not.toContain('applies it')
  writeFileSync(join(house.scratch, 'patch'), patch)
  house.git('apply', '--reverse', join(house.scratch, 'patch'))
  expect(existsSync(join(house.repo, 'mine.txt'))).toBe(false)
  // Its end frees the checkout for the next one.
  await house.ok(['wait', await house.submit(['--in-place', 'command', '--', 'true'])])
})

test('cancelling a task that works in place ends its processes and nobody else who stands there', async () => {
  const house = new House()
  const { spawn } = await import('node:child_process')
  const bystander = spawn('sleep', ['1000'], { cwd: house.repo, stdio: 'ignore' })
  try {
    const id = await house.submitScript('sleep 1000 & sleep 1001', '--in-place')
    await house.untilState(id, 'running')
    await house.ok(['cancel', id])
    expect(bystander.exitCode).toBeNull()
    expect(bystander.signalCode).toBeNull()
  } finally {
    bystander.kill('SIGKILL')
  }
})

test('--in-place is refused where another tool may delete the checkout', async () => {
  const house = new House()
  const tree = join(house.repo, '.claude', 'worktrees', 'agent-1')
  house.git('worktree', 'add', '--quiet', '--detach', tree)
  const { code, stderr } = await house.run(['run', '--in-place', 'command', '--', 'true'], {
    directory: tree,
  })
  expect(code).toBe(5)
  expect(stderr).toContain('Claude Code')
})

test('--worktree is one tree for one task after the other, each on what the last left', async () => {
  const house = new House()
  const add = (line: string) => ['command', '--', 'sh', '-c', `echo ${line} >>lines.txt`]
  const first = await house.submit(['--worktree', 'docs', ...add('one')])
  await house.ok(['wait', first])
  const second = await house.submit(['--worktree', 'docs', ...add('two')])
  await house.ok(['wait', second])
  const trees = [await house.task(first), await house.task(second)].map(task => task.worktree)
  expect(trees[0]).toEqual(trees[1])
  expect(trees[0]?.kind).toBe('permanent')
  expect(readFileSync(join(trees[0]?.path ?? '', 'lines.txt'), 'utf8')).toBe('one\ntwo\n')
  const patch = await house.ok(['diff', second])
  expect(patch).toContain('+two')
  expect(patch).not.toContain('+one')
  const sleeper = await house.submit(['--worktree', 'docs', 'command', '--', 'sleep', '1000'])
  const refused = await house.run(['run', '--worktree', 'docs', ...add('three')])
  expect(refused.code).toBe(5)
  expect(refused.stderr).toContain(sleeper)
  await house.ok(['cancel', sleeper])
})

test('retry does it anew on the same base, in a worktree of its own', async () => {
  const house = new House()
  house.makeDirty()
  const failed = await house.submitScript('echo x >x.txt; exit 3')
  expect((await house.run(['wait', failed])).code).toBe(1)
  house.write('kept.txt', 'moved on\n')
  house.git('commit', '--quiet', '--all', '--message=moved on')
  const again = (await house.ok(['retry', failed])).trim()
  expect(again).not.toBe(failed)
  expect((await house.run(['wait', again])).code).toBe(1)
  const [a, b] = [await house.task(failed), await house.task(again)]
  expect(b.base).toEqual(a.base)
  expect(b.worktree?.path).not.toBe(a.worktree?.path)
  expect(b.name).toBe(a.name)
  expect((await house.task(a.name)).id).toBe(again)
  const running = await house.submit(['command', '--', 'sleep', '1000'])
  expect((await house.run(['retry', running])).code).toBe(5)
  await house.ok(['cancel', running])
})

test('resume goes on with a task that stopped, in its worktree, as one that follows it', async () => {
  const house = new House()
  const script =
    'if [ -e half.txt ]; then echo whole >whole.txt; else echo half >half.txt; exit 3; fi'
  const failed = await house.submitScript(script, '--name', 'finish')
  expect((await house.run(['wait', failed])).code).toBe(1)
  const id = (await house.ok(['resume', failed])).trim()
  await house.ok(['wait', id])
  const [before, after] = [await house.task(failed), await house.task(id)]
  expect(after).toMatchObject({ name: 'finish.2', follows: failed, state: 'succeeded' })
  expect(after.worktree?.path).toBe(before.worktree?.path)
  expect(realpathSync(after.worktree?.path ?? '')).toContain(failed)
  // The work of both, against where the first one started.
  const patch = await house.ok(['diff', 'finish'])
  expect(patch).toContain('+half')
  expect(patch).toContain('+whole')
  expect((await house.run(['resume', id])).code).toBe(5)
})

test('a task that delegates is recorded, outlived, and ended with its tree only if asked', async () => {
  const house = new House()
  const inner = `'${process.execPath}' '${entry}' run command --permissions full -- sleep 1000`
  const outer = await house.submitScript(`${inner}; ${inner}; sleep 1000`, '--name', 'outer')
  const children = async (): Promise<TaskView[]> => {
    const { tasks } = JSON.parse(await house.ok(['status', '--all', '--json']))
    return tasks.filter(({ caller }: TaskView) => caller.kind === 'task' && caller.id === outer)
  }
  await eventually('two are delegated', async () => (await children()).length === 2)
  const [child] = await children()
  expect(child?.delegation).toEqual({ parent: outer, root: outer, depth: 1 })

  await house.ok(['cancel', outer])
  for (const { id, state } of await children()) {
    expect([id, ['queued', 'starting', 'running'].includes(state)]).toEqual([id, true])
  }
  // The outer one has ended already; its tree is ended all the same.
  await house.ok(['cancel', '--tree', outer])
  for (const { state } of await children()) expect(state).toBe('cancelled')
})

test('delegation is bounded in depth', async () => {
  const house = new House()
  const run = (inner: string) =>
    `'${process.execPath}' '${entry}' run command --permissions full -- ${inner}`
  // Each level hands in the next one, and the last is refused.
  const script = join(house.scratch, 'deeper.sh')
  house.write(
    'deeper.sh',
    `${run(`sh '${script}'`)} || echo "refused: $?" >>'${script}.log'\n`,
    house.scratch,
  )
  const id = await house.submit(['command', '--', 'sh', script])
  await house.ok(['wait', id])
  await eventually(
    'the deepest is refused',
    () => existsSync(`${script}.log`) && readFileSync(`${script}.log`, 'utf8') === 'refused: 5\n',
  )
  const { tasks } = JSON.parse(await house.ok(['status', '--all', '--json']))
  expect(tasks).toHaveLength(4)
})

test('cancel --all ends everything that has not ended', async () => {
  const house = new House()
  const ids = await Promise.all([1, 2, 3].map(() => house.submitScript('sleep 1000')))
  await house.ok(['cancel', '--all'])
  for (const id of ids) expect((await house.task(id)).state).toBe('cancelled')
  expect((await house.run(['cancel', '--all', ids[0] ?? ''])).code).toBe(2)
  expect((await house.run(['cancel'])).code).toBe(2)
})

test('a task that stays with the tasks that it delegates does not wait for its own slot', async () => {
  const house = new House()
  const worker = house.start(['worker', 'run', '--slots', '1'])
  try {
    await eventually('the worker is up', () => existsSync(join(house.home, 'worker.json')))
    const run = (inner: string) =>
      `'${process.execPath}' '${entry}' run command --wait --permissions full -- ${inner}`
    const script = join(house.scratch, 'level')
    house.write('level-2', `${run('echo deepest')}\n`, house.scratch)
    house.write('level-1', `${run(`sh '${script}-2'`)}\n`, house.scratch)
    const id = await house.submit(['command', '--', 'sh', `${script}-1`])
    await house.ok(['wait', id, '--timeout', PATIENCE])
    const { tasks } = JSON.parse(await house.ok(['status', '--all', '--json']))
    expect(tasks.map(({ state }: TaskView) => state)).toEqual(Array(3).fill('succeeded'))
  } finally {
    worker.kill('SIGTERM')
  }
})

test('--worktree: what another task did there while this one was taken is noticed', async () => {
  const house = new House()
  const at = (name: string) => join(house.scratch, name)
  const slowly = `touch '${at('taken')}'; while [ ! -e '${at('go')}' ]; do sleep 0.02; done; cat`
  house.git('config', 'filter.slow.clean', slowly)
  house.write('.gitattributes', '*.slow filter=slow\n')
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=slow')
  const write = (name: string) => ['command', '--', 'sh', '-c', `echo ${name} > ${name}`]
  house.write('f.slow', 'mine\n')
  const slow = house.run(['run', '--worktree', 'race', ...write('Y')])
  await eventually('the files are being taken', () => existsSync(at('taken')))
  // Handed in while the other is being taken, and over before that.
  const quick = await house.submit(['--worktree', 'race', '--changes', 'none', ...write('X')])
  await house.wait(quick)
  house.write('go', '', house.scratch)
  const refused = await slow
  expect(refused.code).toBe(5)
  expect(refused.stderr).toContain(quick)
})

test('secrets of a task that fails with the one that it waits for do not stay', async () => {
  const house = new House()
  const first = await house.submit(['command', '--', 'sleep', '1000'])
  const second = await house.submit(['--after', first, 'command', '--', 'true'])
  const secrets = join(house.home, 'tasks', second, 'environment.json')
  expect(existsSync(secrets)).toBe(true)
  await house.ok(['cancel', first])
  expect((await house.task(second)).error?.code).toBe('dependency_failed')
  await house.untilForgotten(second)
})

test('cancel ends what waits for another before that other, and counts no end of its own as refusal', async () => {
  const house = new House()
  const first = await house.submit(['command', '--', 'sleep', '1000'])
  const second = await house.submit(['--after', first, 'command', '--', 'true'])
  await house.ok(['cancel', first, second])
  expect((await house.task(second)).state).toBe('cancelled')
  expect((await house.run(['cancel', '--all'])).stderr).toContain('nothing is under way')
})

test('an agent that would stay with a task that waits for its own is told so', async () => {
  const house = new House()
  const log = join(house.scratch, 'log')
  const script = join(house.scratch, 'circle')
  const run = `'${process.execPath}' '${entry}' run command --permissions full`
  house.write(
    'circle',
    `id=$(basename "$PWD"); ${run} --after $id --wait -- true 2>'${log}'; echo $? >>'${log}'`,
    house.scratch,
  )
  const id = await house.submit(['command', '--', 'sh', script])
  await house.ok(['wait', id, '--timeout', PATIENCE])
  expect(readFileSync(log, 'utf8')).toMatch(/would wait for a task that waits for it.*5\n$/s)
})

test('a task whose worktree another went on with is not resumed over its head', async () => {
  const house = new House()
  const first = await house.submit([
    '--worktree',
    'docs',
    'command',
    '--',
    'sh',
    '-c',
    'echo a >a; exit 3',
  ])
  await house.wait(first)
  const second = await house.submit([
    '--worktree',
    'docs',
    'command',
    '--',
    'sh',
    '-c',
    'echo b >b',
  ])
  await house.wait(second)
  const { code, stderr } = await house.run(['resume', first])
  expect(code).toBe(5)
  expect(stderr).toContain(second)
})

test('a program with a relative path is tried again from any directory', async () => {
  const house = new House()
  house.write('t.sh', '#!/bin/sh\necho x >x\n')
  house.git('add', '.')
  house.git('update-index', '--chmod=+x', 't.sh')
  house.git('commit', '--quiet', '--message=script')
  const { chmodSync } = await import('node:fs')
  chmodSync(join(house.repo, 't.sh'), 0o755)
  const id = await house.submit(['command', '--', './t.sh'])
  expect((await house.wait(id)).state).toBe('succeeded')
  const again = (await house.ok(['retry', id], { directory: '/' })).trim()
  expect((await house.wait(again)).state).toBe('succeeded')
})

test('a --worktree that was deleted is made anew; doctor names it, and nothing of it is lost', async () => {
  const house = new House()
  const add = (script: string) => ['--worktree', 'docs', 'command', '--', 'sh', '-c', script]
  const first = await house.submit(add('echo one >lines.txt'))
  await house.ok(['wait', first])
  const { path = '' } = (await house.task(first)).worktree ?? {}
  const findings = async (...words: string[]) => {
    const { stdout } = await house.run(['doctor', '--json', ...words])
    return views.doctor
      .parse(JSON.parse(stdout))
      .findings.filter(({ check, status }) => check === 'worktrees' && status !== 'ok')
  }
  // Since then its user has committed there, and then deleted it.
  house.write('mine.txt', 'mine\n', path)
  house.gitIn(path, 'add', 'mine.txt')
  house.gitIn(path, 'commit', '--quiet', '--message=mine')
  const mine = house.gitIn(path, 'rev-parse', 'HEAD').trim()
  rmSync(path, { recursive: true })
  expect(await findings()).toEqual([
    expect.objectContaining({ message: expect.stringContaining(`${path} was deleted`) }),
  ])
  const second = await house.submit(add('echo two >>lines.txt'))
  expect((await house.wait(second)).state).toBe('succeeded')
  expect(readFileSync(join(path, 'lines.txt'), 'utf8')).toBe('two\n')
  expect(await findings()).toEqual([])
  expect(house.git('for-each-ref', '--contains', mine, 'refs/holdfast')).toContain('/left')
  const third = await house.submit(add('echo three >>lines.txt'))
  expect((await house.wait(third)).state).toBe('succeeded')
  expect(readFileSync(join(path, 'lines.txt'), 'utf8')).toBe('two\nthree\n')

  rmSync(path, { recursive: true })
  await house.run(['doctor', '--fix'])
  expect(await findings()).toEqual([])
  expect(house.git('worktree', 'list')).not.toContain(path)
  expect((await house.run(['uninstall', '--purge', '--discard'])).code).toBe(0)
  expect(house.git('for-each-ref', 'refs/holdfast')).toBe('')
})

test('a --worktree whose first task was cancelled before it began is nothing to warn of', async () => {
  const house = new House({ HOLDFAST_SLOTS: '1' })
  const busy = await house.submitScript('exec sleep 300')
  await house.untilState(busy, 'running')
  const first = await house.submit(['--worktree', 'w1', 'command', '--', 'true'])
  await house.ok(['cancel', first])
  const { stdout } = await house.run(['doctor', '--json'])
  const { findings } = views.doctor.parse(JSON.parse(stdout))
  expect(findings.filter(({ check }) => check === 'worktrees')).toEqual([
    expect.objectContaining({ status: 'ok' }),
  ])
  await house.ok(['cancel', busy])
  const next = await house.submit(['--worktree', 'w1', 'command', '--', 'true'])
  expect((await house.wait(next)).state).toBe('succeeded')
})
