/** The contract that other programs build on: documents, streams, what a command loads. */
import { execFileSync, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { views } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { entry, House, PATIENCE, unconfined, untilGo } from './house.ts'
import { terminal, tmux } from './terminal.ts'

test('every document is as its schema says', async () => {
  const house = new House()
  house.makeDirty()
  const run = await house.ok(['run', 'command', '--json', '--', 'sh', '-c', 'echo hi; echo x > y'])
  const { id } = views.task.parse(JSON.parse(run))
  await house.wait(id)
  views.status.parse(JSON.parse(await house.ok(['status', '--json'])))
  const task = views.task.parse(JSON.parse(await house.ok(['status', id, '--json'])))
  expect(task).toMatchObject({ state: 'succeeded', attempt: 1, error: null, waitingUntil: null })
  expect(task.base.changes).toMatchObject({ modified: 2, untracked: 1, deleted: 0 })
  for (const time of [task.createdAt, task.startedAt, task.endedAt, task.stateAsOf]) {
    expect(new Date(time ?? '').toISOString()).toBe(time)
  }
  views.tasks.parse(JSON.parse(await house.ok(['wait', id, '--json'])))
  views.result.parse(JSON.parse(await house.ok(['result', id, '--json'])))
  views.diff.parse(JSON.parse(await house.ok(['diff', id, '--json'])))
  views.worker.parse(JSON.parse(await house.ok(['worker', 'status', '--json'])))
  const doctor = views.doctor.parse(JSON.parse(await house.ok(['doctor', '--json'])))
  expect(doctor.ok).toBe(true)
  const lines = (await house.ok(['logs', id, '--json'])).trim().split('\n')
  const events = lines.map(line => views.event.parse(JSON.parse(line)))
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
})

test('result, logs --raw and diff put nothing but data on stdout', async () => {
  const house = new House()
  const id = await house.submitScript('printf "a\\n\\nb"; echo change > kept.txt')
  await house.wait(id)
  expect(await house.ok(['result', id])).toBe('a\n\nb')
  expect(await house.ok(['logs', id, '--raw'])).toBe('a\n\nb')
  const patch = await house.ok(['diff', id])
  execFileSync('git', ['apply', '--check', '-'], { cwd: house.repo, input: patch })
  expect(await house.ok(['diff', id, '--stat'])).toBe(
    '1 files changed, 1 insertions, 3 deletions\n',
  )
})

test('people are told who does a task, what to do about its failure, and where the others are', async () => {
  const house = new House()
  const run = await house.run(['run', 'command', '--', 'false'])
  const id = run.stdout.trim()
  expect(run.stderr).toMatch(/^false: command; base /m)
  await house.wait(id)
  const { stderr } = await house.run(['result', id])
  expect(stderr).toContain(`next: holdfast logs ${id} · holdfast retry ${id}\n`)
  const active = await house.run(['status', '--active'])
  expect(active.stderr).toMatch(/there are tasks.*holdfast status --all/)
})

test.skipIf(tmux === undefined)('at a terminal, wait and cancel say what comes next', async () => {
  const house = new House()
  const done = await house.submitScript('true')
  const { type, until, shown } = terminal(house)
  type(`'${process.execPath}' '${entry}' wait ${done}`, 'Enter')
  await until('wait says it', `next: holdfast result ${done}`)
  const going = await house.submitScript(untilGo)
  type(`'${process.execPath}' '${entry}' wait ${going} --timeout 1ms; echo exit $?`, 'Enter')
  await until('the time is up', 'exit 3')
  expect(shown()).not.toContain(`next: holdfast result ${going}`)
  // Behind the one that goes on, it ends with the asking.
  const queued = await house.submitScript('true')
  type(`'${process.execPath}' '${entry}' cancel ${queued}`, 'Enter')
  await until('cancel says it', `next: holdfast retry ${queued}`)
  type('exit', 'Enter')
  await house.underWay(going)
  house.write('go', '', house.worktree(going))
  await house.wait(going)
})

test('without a name the newest of this repository is meant, and stderr says which', async () => {
  const house = new House()
  const id = await house.submitScript('echo newest')
  await house.wait(id)
  const run = await house.run(['result'])
  expect(run).toMatchObject({ code: 0, stdout: 'newest' })
  expect(run.stderr).toContain(id)
})

test('logs -f follows to the end, and since goes on where it stopped', async () => {
  const house = new House()
  const id = await house.submitScript('echo one; while [ ! -e go ]; do sleep 0.05; done; echo two')
  const follow = house.start(['logs', id, '-f', '--json'])
  let said = ''
  follow.stdout?.on('data', chunk => {
    said += chunk
  })
  await eventually('one is followed', () => said.includes('"one"'))
  house.write('go', '', house.worktree(id))
  expect(await once(follow, 'close')).toEqual([0, null])
  const events = said
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  expect(events.at(-1)).toMatchObject({ kind: 'task_changed', text: 'succeeded' })
  const middle = events[2].seq
  const rest = await house.ok(['logs', id, '--since', String(middle), '--json'])
  expect(
    rest
      .trim()
      .split('\n')
      .map(line => JSON.parse(line)),
  ).toEqual(events.slice(3))
})

test('a reader that goes away ends a command quietly', async () => {
  const house = new House()
  const id = await house.submitScript('seq 1 200000')
  await house.wait(id)
  const logs = spawn(process.execPath, [entry, 'logs', id, '--raw'], { env: house.environment })
  let said = ''
  logs.stderr.on('data', chunk => {
    said += chunk
  })
  await once(logs.stdout, 'data')
  logs.stdout.destroy()
  expect(await once(logs, 'close')).toEqual([141, null])
  expect(said).toBe('')
})

test('a reader that leaves a socket with something unread in it is gone like any other', async () => {
  const file = join(import.meta.dirname, '../../src/surfaces/cli/output.ts')
  const script = `import { makeOutput } from ${JSON.stringify(file)}
const output = makeOutput({})
try { for (;;) output.write('x'.repeat(8192)) } catch (error) { output.tell(error.name) }`
  const writer = spawn(process.execPath, ['--input-type=module', '-e', script])
  await once(writer.stdout, 'readable')
  writer.stdout.destroy()
  const [said] = await once(writer.stderr, 'data')
  expect(String(said)).toBe('ReaderGone\n')
})

test('a status without a worker is judged from what can be seen', async () => {
  const house = new House()
  const id = await house.submitScript('touch under-way; exec sleep 300')
  await house.underWay(id)
  await house.killWorkers()
  process.kill(house.pid(id, 'wrapper'), 'SIGKILL')
  process.kill(house.pid(id), 'SIGKILL')
  await eventually('they are gone', () => house.processes().length === 0)
  const [first] = JSON.parse(await house.ok(['status', '--json'], { directory: '/' })).tasks
  expect(['waiting', 'failed']).toContain(first.state)
  expect((await house.wait(id)).state).toBe('failed')
})

test('everything under the state directory is private, whatever the umask', async () => {
  const house = new House({ TOP_SECRET: 'hunter2' })
  const program = entry
  const script = 'umask 000; exec "$@"'
  const words = [
    process.execPath,
    program,
    ...unconfined(['run', 'command', '--', 'sh', '-c', 'umask; echo x > f']),
  ]
  const stdio: StdioOptions = ['ignore', 'pipe', 'ignore']
  const options = { cwd: house.repo, env: house.environment, encoding: 'utf8', stdio } as const
  const id = execFileSync('/bin/sh', ['-c', script, 'sh', ...words], options).trim()
  const task = await house.wait(id)
  await house.untilForgotten(id)
  expect(statSync(house.home).mode & 0o777).toBe(0o700)
  const open: string[] = []
  for (const name of readdirSync(house.home, { recursive: true, encoding: 'utf8' })) {
    if (name.startsWith('worktrees/')) continue
    // The worker is up: what it writes beside its place goes there as we look.
    const stats = statSync(join(house.home, name), { throwIfNoEntry: false })
    if (stats?.isFile() === true && (stats.mode & 0o077) !== 0) open.push(name)
  }
  expect(open).toEqual([])
  const kept = readdirSync(join(house.home, 'tasks', id), { recursive: true, encoding: 'utf8' })
  for (const name of kept) {
    const path = join(house.home, 'tasks', id, name)
    if (statSync(path).isFile()) expect(readFileSync(path, 'utf8')).not.toContain('hunter2')
  }
  expect(task.state).toBe('succeeded')
})

/** Runs the sources themselves, and lists which of them a command loads. */
function loadedBy(house: House, words: readonly string[], input = ''): string[] {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const program = `
    const { registerHooks } = await import('node:module')
    registerHooks({ load(url, context, next) { console.error('LOADED ' + url); return next(url, context) } })
    const { main } = await import(${JSON.stringify(`${root}src/surfaces/cli/main.ts`)})
    process.exit(await main(process, ${JSON.stringify(entry)}))
  `
  const child = execFileSync(
    '/bin/sh',
    [
      '-c',
      '"$@" 2>&1 >/dev/null',
      'sh',
      process.execPath,
      '--input-type=module',
      '-e',
      program,
      'x',
      ...words,
    ],
    { cwd: house.repo, env: house.environment, encoding: 'utf8', input },
  )
  return [...child.matchAll(/LOADED file:\/\/(\S+)/g)].map(match =>
    (match[1] ?? '').replace(root, ''),
  )
}

test('a command loads itself and nothing else', async () => {
  const house = new House()
  const id = await house.submitScript('true')
  await house.wait(id)
  const status = loadedBy(house, ['status', '--json'])
  expect(status).toContain('src/store/sqlite-store.ts')
  const heavy =
    /src\/(?:agents|worktree|demo|process\/(?!worker-presence))|node_modules\/(?:zod|smol-toml)/
  expect(status.filter(path => heavy.test(path))).toEqual([])
  // Claude Code gives all hooks of a session's end a second and a half together.
  const end = JSON.stringify({ session_id: 's', cwd: house.repo, reason: 'other' })
  const hook = loadedBy(house, ['hook', 'SessionEnd'], end)
  expect(hook).toContain('src/store/caller-tokens.ts')
  expect(hook.filter(path => heavy.test(path) || path.startsWith('src/engine/'))).toEqual([])
  for (const words of [['result', id], ['logs', id], ['wait', id], ['result']]) {
    const loaded = loadedBy(house, words)
    expect([words[0], loaded.filter(path => /src\/(?:agents|worktree|demo)/.test(path))]).toEqual([
      words[0],
      [],
    ])
  }
  const run = loadedBy(house, unconfined(['run', 'command', '--', 'true']))
  expect(run.filter(path => /src\/(?:demo|agents\/codex)|commands\/(?!run)/.test(path))).toEqual([])
  await house.ok(['wait', '--timeout', PATIENCE])
})

test('wait exits by the worst outcome, by the first with --any, and with 3 when time is up', async () => {
  const house = new House()
  const good = await house.submitScript('true')
  const bad = await house.submitScript('false')
  await house.run(['wait', good, bad])
  const long = await house.submitScript('exec sleep 300')
  expect((await house.run(['wait', good])).code).toBe(0)
  expect((await house.run(['wait', good, bad])).code).toBe(1)
  expect((await house.run(['wait', long, '--timeout', '100ms'])).code).toBe(3)
  expect((await house.run(['wait', '--any', long, good])).code).toBe(0)
  await house.ok(['cancel', long])
  expect((await house.run(['wait', good, long])).code).toBe(8)
  expect((await house.run(['wait', bad, long])).code).toBe(1)
  expect((await house.run(['status', bad])).code).toBe(0)
})

test('several are cancelled although one has ended, which is said', async () => {
  const house = new House()
  const over = await house.submitScript('true')
  await house.wait(over)
  const long = await house.submitScript('touch under-way; exec sleep 300')
  await house.underWay(long)
  const run = await house.run(['cancel', long, over, long])
  expect(run).toMatchObject({ code: 5, stdout: `${long} cancelled, 1 file +0 -0\n` })
  expect(run.stderr).toContain(`${over} has already ended: it is succeeded`)
  expect((await house.run(['cancel', over])).code).toBe(5)
})

test('a signal during the submission leaves a whole task, whose id is told', async () => {
  const house = new House()
  const bin = join(house.scratch, 'bin')
  const git = execFileSync('/bin/sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim()
  const tasks = join(house.home, 'tasks')
  // Once there is a task directory, git waits until the signal was sent.
  const until = `until [ -z "$(ls '${tasks}' 2>/dev/null)" ] || [ -e '${bin}/go' ]; do sleep 0.05; done`
  house.write('git', `#!/bin/sh\n${until}\nexec ${git} "$@"\n`, bin)
  chmodSync(join(bin, 'git'), 0o755)
  house.makeDirty()
  const environment = { PATH: `${bin}:${house.environment.PATH}` }
  const run = house.start(['run', 'command', '--', 'true'], { environment })
  let said = ''
  run.stdout?.on('data', chunk => {
    said += chunk
  })
  await eventually(
    'it is being submitted',
    () => existsSync(tasks) && readdirSync(tasks).length > 0,
  )
  run.kill('SIGTERM')
  house.write('go', '', bin)
  expect(await once(run, 'close')).toEqual([143, null])
  expect(readdirSync(tasks)).toEqual([said.trim()])
  expect((await house.wait(said.trim())).state).toBe('succeeded')
})

test('logs --raw -f follows the bytes, half lines too, to the end of the task', async () => {
  const house = new House()
  const id = await house.submitScript(
    'printf "one"; while [ ! -e go ]; do sleep 0.05; done; printf "\\ntwo"',
  )
  const follow = house.start(['logs', id, '-f', '--raw'])
  let said = ''
  follow.stdout?.on('data', chunk => {
    said += chunk
  })
  await eventually('half a line is followed', () => said === 'one')
  house.write('go', '', house.worktree(id))
  expect(await once(follow, 'close')).toEqual([0, null])
  expect(said).toBe('one\ntwo')
  for (const flag of ['-n5', '--since=1', '--json']) {
    expect((await house.run(['logs', id, '--raw', flag])).code).toBe(2)
  }
})

test('logs -n takes its number with and without a space, and --since gives all that follows', async () => {
  const house = new House()
  const id = await house.submitScript('seq 1 700')
  await house.wait(id)
  const lines = async (...flags: string[]) =>
    (await house.ok(['logs', id, '--json', ...flags])).trim().split('\n').length
  expect(await lines('-n5')).toBe(5)
  expect(await lines('-n', '5')).toBe(5)
  expect(await lines('--since', '2', '-n', '7')).toBe(7)
  expect(await lines('--since', '2')).toBeGreaterThan(700)
})

test('a full disk behind stdout is one line, and no bug', async () => {
  const house = new House()
  const id = await house.submitScript('echo answer')
  await house.wait(id)
  const full = openSync('/dev/full', 'w')
  const run = spawn(process.execPath, [entry, 'result', id], {
    env: house.environment,
    stdio: ['ignore', full, 'pipe'],
  })
  closeSync(full)
  let said = ''
  run.stderr?.on('data', chunk => {
    said += chunk
  })
  expect(await once(run, 'close')).toEqual([5, null])
  expect(said).toMatch(/^holdfast: stdout cannot be written: ENOSPC.*\n$/)
})

test('the tasks of this repository come first, from a linked worktree of it too', async () => {
  const house = new House()
  const linked = join(house.scratch, 'linked')
  house.git('worktree', 'add', '--quiet', '--detach', linked)
  const other = join(house.scratch, 'other')
  mkdirSync(other)
  house.gitIn(other, 'init', '--quiet')
  house.gitIn(other, 'commit', '--quiet', '--allow-empty', '--message=first')
  const words = ['run', 'command', '--', 'true']
  const here = (await house.ok(words)).trim()
  await house.wait(here)
  const there = (await house.ok(words, { directory: other })).trim()
  await house.wait(there)
  const shown = async (directory: string) =>
    JSON.parse(await house.ok(['status', '--json'], { directory })).tasks.map(
      ({ id }: { id: string }) => id,
    )
  expect(await shown('/')).toEqual([there, here])
  expect(await shown(linked)).toEqual([here, there])
  expect((await house.run(['result'], { directory: linked })).stderr).toContain(here)
  const none = JSON.parse(await house.ok(['status', '--json', '--agent', 'codex'])).tasks
  expect(none).toEqual([])
})

test('a relative state directory reaches the agent as an absolute one', async () => {
  const house = new House()
  const environment = { HOLDFAST_HOME: join('..', 'home') }
  const id = await house.submit(['command', '--', 'sh', '-c', 'echo "$HOLDFAST_HOME"'], {
    environment,
  })
  expect((await house.wait(id)).result?.answer).toBe(house.home)
})

test('a worker starts although its variable is wrong, and says so in its log', async () => {
  const house = new House()
  const environment = { HOLDFAST_WORKER_IDLE: '' }
  await house.ok(['worker', 'start'], { environment })
  expect(readFileSync(join(house.home, 'worker.log'), 'utf8')).toContain(
    'HOLDFAST_WORKER_IDLE is ignored',
  )
})

const ownCodeCache = { HOLDFAST_CODE_CACHE: '' }

test('the code that an older bundle left in the cache goes', async () => {
  const house = new House(ownCodeCache)
  await house.ok(['status'])
  const shelf = join(house.home, 'cache', 'code')
  const [kept = ''] = readdirSync(shelf)
  rmSync(join(shelf, kept))
  house.write('v1-x64-1-1-status', '', shelf)
  house.write('v1-x64-1-1-status.77', '', shelf)
  house.write('v1-x64-1-1-run', '', shelf)
  await house.ok(['status'])
  expect(readdirSync(shelf).sort()).toEqual(['v1-x64-1-1-run', kept].sort())
})

test('the code is kept where its variable says, if that is ours alone and no relative path', async () => {
  const house = new House(ownCodeCache)
  const own = join(house.home, 'cache')
  const named = join(house.scratch, 'code', 'cache')
  const look = (HOLDFAST_CODE_CACHE: string) =>
    house.ok(['status'], { environment: { HOLDFAST_CODE_CACHE } })
  await look(named)
  expect(readdirSync(named)).toEqual([expect.stringMatching(/-status$/)])
  expect(statSync(named).mode & 0o777).toBe(0o700)
  expect(existsSync(own)).toBe(false)

  const shared = join(house.scratch, 'shared')
  mkdirSync(shared)
  chmodSync(shared, 0o777)
  await look(shared)
  expect(readdirSync(shared)).toEqual([])

  mkdirSync(join(house.repo, 'code'))
  await look('code')
  expect(readdirSync(join(house.repo, 'code'))).toEqual([])
  expect(existsSync(own)).toBe(true)
})

test('a task that waits shows until when, and one without its worktree that nothing came home', async () => {
  const house = new House()
  const id = await house.submitScript('kill -9 $$', '--retry-on-crash')
  await eventually('it waits', async () =>
    / {2}until \d\d:\d\d {2}/.test(await house.ok(['status'])),
  )
  await house.ok(['cancel', id])
  const script = ['sh', '-c', 'rm -rf "$PWD"; exec sleep 300']
  const lost = await house.run(['run', 'command', '--wait', '--', ...script])
  expect(lost.code).toBe(1)
  expect(lost.stderr).toMatch(/worktree_lost[\s\S]*nothing was collected\n$/)
})

test('doctor reports what was half made, and finds the unknown through a linked state directory', async () => {
  const house = new House()
  mkdirSync(join(house.scratch, 'real'))
  symlinkSync('real', house.home)
  const half = await house.submitScript('true')
  const unknown = await house.submitScript('true')
  await house.ok(['wait', half, unknown])
  const findings = async () => {
    const { findings } = views.doctor.parse(
      JSON.parse((await house.run(['doctor', '--json'])).stdout),
    )
    return findings.filter(({ check }) => check === 'worktrees').map(({ message }) => message)
  }
  expect(await findings()).toEqual(['2 known, all as recorded'])
  const store = new DatabaseSync(join(house.home, 'store.db'), {
    enableForeignKeyConstraints: false,
    timeout: 60_000,
  })
  store.prepare('UPDATE worktrees SET record_json = NULL WHERE path LIKE ?').run(`%${half}`)
  store.prepare('DELETE FROM worktrees WHERE path LIKE ?').run(`%${unknown}`)
  store.close()
  expect(await findings()).toEqual([
    `${house.worktree(half)} stands, and was not written down as what`,
    expect.stringMatching(`real/worktrees/${unknown} is registered in .*, and of no task`),
  ])
})
