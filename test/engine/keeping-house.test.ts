/** Putting the house in order, with the real store and real git, in this process. */
import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { onReach } from '../../src/domain/crash-points.ts'
import { makeTaskId, type TaskId, worktreeIdOf } from '../../src/domain/ids.ts'
import type { Result } from '../../src/domain/outcome.ts'
import type { WorktreeKind } from '../../src/domain/task.ts'
import { furnishSpares } from '../../src/engine/furnish-spares.ts'
import { keepHouse } from '../../src/engine/keep-house.ts'
import { type HousePolicy, planHouse } from '../../src/engine/plan-house.ts'
import { claimSpare, keepPool } from '../../src/engine/pool.ts'
import { putAway } from '../../src/engine/put-away.ts'
import { restoreWorktree } from '../../src/engine/restore.ts'
import { makeRequest, makeScene } from './scene.ts'

const never = new AbortController().signal
const DAY = 86_400_000

async function makeHouse() {
  const { holdfast, git, repo, ports } = await makeScene()
  const checkout = await ports.worktrees.openCheckout(repo)
  const all = {
    ...ports,
    clock: { ...ports.clock, now: () => Date.now() + ahead.ms },
    locks: await holdfast.locks(),
    processes: await holdfast.processes(),
    host: await holdfast.host(),
    confinement: await holdfast.confinement(),
    trust: await holdfast.trust(),
    environment: {},
    rights: 'agents' as const,
    tell: () => undefined,
    disk: await holdfast.disk(),
    rawOutput: await holdfast.rawOutput(),
    directory: '/',
  }
  /** How far the clock is set on. */
  const ahead = { ms: 0 }
  const { store, files, worktrees } = all
  const place = checkout.place
  const base = { commit: checkout.head, changes: null }

  /** A task at work in its worktree. */
  const begin = async (kind: WorktreeKind = 'managed') => {
    const id = makeTaskId(randomBytes(16))
    await files.create(id, place.commonDir)
    await store.submitTask({ ...makeRequest(id, place, base), createdAt: Date.now() })
    const claimed = await store.claimNext(Date.now(), () => 'fresh')
    if (claimed?.task.request.id !== id) throw new Error('another one was claimed')
    const { attempt } = claimed
    const [worktree, path] = [worktreeIdOf(id), files.worktreePath(id)]
    const { commonDir } = place
    await store.leaseWorktree(attempt, { id: worktree, kind, path, commonDir })
    const record = await worktrees.createWorktree(worktree, path, base, commonDir)
    await store.recordWorktree(attempt, record)
    const write = (name: string, content: string | Uint8Array) => {
      mkdirSync(dirname(join(path, name)), { recursive: true })
      writeFileSync(join(path, name), content)
    }
    const end = async () => {
      const collected = await worktrees.collectResult(record, base, id, files.directory(id))
      const result: Result = { answer: null, repositories: [], ...collected }
      const event = { kind: 'attempt_succeeded', result } as const
      await store.transition(id, attempt.fence, event, Date.now())
      return collected.commit
    }
    const ask = async () => {
      const question = { id: 'q', text: 'which?', options: [] }
      await store.transition(id, attempt.fence, { kind: 'agent_started' }, Date.now())
      await store.transition(id, attempt.fence, { kind: 'input_requested', question }, Date.now())
    }
    /** What its agent printed. */
    const print = (bytes: Uint8Array) => {
      const run = files.runDirectory(id, attempt.fence)
      mkdirSync(run, { recursive: true, mode: 0o700 })
      writeFileSync(join(run, 'stdout'), bytes)
      return run
    }
    return { id, worktree, path, write, end, ask, print }
  }
  const taken = (id: TaskId) =>
    store.recordTaken(id, { how: 'applied', at: 1, where: repo, number: 1 }, 'applied', 1)
  return { holdfast, git, repo, ports: all, begin, taken, ahead }
}

/** Everything that a person could miss, but for times: each name with kind, mode and content. */
function stateOf(git: (...words: string[]) => string, tree: string): string {
  const lines: string[] = []
  const walk = (directory: string) => {
    for (const name of readdirSync(directory).sort()) {
      const path = join(directory, name)
      const stats = lstatSync(path)
      if (name === '.git') continue
      if (stats.isDirectory()) walk(path)
      else if (stats.isSymbolicLink()) lines.push(`${path} -> ${readlinkSync(path)}`)
      else {
        const hash = createHash('sha256').update(readFileSync(path)).digest('hex')
        lines.push(`${path} ${stats.mode & 0o111} ${hash}`)
      }
    }
  }
  walk(tree)
  const said = [
    git('-C', tree, 'rev-parse', 'HEAD'),
    git('-C', tree, 'ls-files', '--stage'),
    git('-C', tree, 'status', '--porcelain=v2', '--untracked-files=all', '--ignored'),
  ]
  return [...lines, ...said].join('\n')
}

const keeping = (keep: number): HousePolicy => ({
  retention: { keep, maxIdleMs: null },
  diskBytes: null,
})

test('of forty worktrees exactly the right ones go, and each comes back to the byte', async () => {
  const { holdfast, git, repo, ports, begin, taken } = await makeHouse()
  const { store, files } = ports
  type Task = Awaited<ReturnType<typeof begin>>
  const going: Task[] = []
  const staying: [Task, RegExp][] = []
  writeFileSync(join(repo, '.git', 'info', 'exclude'), '*.env\n')

  for (let n = 0; n < 40; n++) {
    const isPermanent = n === 32
    const task = await begin(isPermanent ? 'permanent' : 'managed')
    const { id, worktree, path, write } = task
    switch (n % 10) {
      case 0: // at work
        write('work', `${n}`)
        staying.push([task, /a task uses it/])
        continue
      case 1:
        await task.ask()
        staying.push([task, /a task uses it/])
        continue
      case 2:
        await task.end()
        if (!isPermanent) await store.pinWorktree(worktree, true)
        staying.push([task, isPermanent ? /permanent/ : /pinned/])
        break
      case 3: // dirty: its changes are nowhere else
        write('file', `edited ${n}\n`)
        await task.end()
        staying.push([task, /not taken yet/])
        break
      case 4: // unpushed commits of its own
        write(`own-${n}`, 'committed\n')
        git('-C', path, 'add', '.')
        git('-C', path, 'commit', '--quiet', `--message=own ${n}`)
        await task.end()
        staying.push([task, /not taken yet/])
        break
      case 5: // merged, with its own history
        write(`merged-${n}`, 'committed\n')
        git('-C', path, 'add', '.')
        git('-C', path, 'commit', '--quiet', `--message=own ${n}`)
        await task.end()
        git('merge', '--quiet', '--no-edit', git('-C', path, 'rev-parse', 'HEAD').trim())
        going.push(task)
        break
      case 6: {
        // squash-merged: no commit of its own is in the history
        write(`squashed-${n}`, 'one\n')
        const commit = await task.end()
        git('merge', '--squash', '--no-progress', commit)
        git('commit', '--quiet', `--message=squashed ${n}`)
        going.push(task)
        break
      }
      case 7: // applied, and gone on in by hand, in every way
        write('file', `applied ${n}\n`)
        await task.end()
        await taken(id)
        write('staged', 'staged\n')
        git('-C', path, 'add', 'staged')
        write('staged', 'and edited\n')
        write('deep/untracked', Buffer.from([0, 255, n]))
        write('secret.env', `TOKEN=${n}\n`)
        symlinkSync('/nowhere', join(path, 'link'))
        going.push(task)
        break
      case 8: // nothing was changed
        await task.end()
        going.push(task)
        break
      case 9: // taken, but holding what no snapshot can
        await task.end()
        git('init', '--quiet', join(path, 'inner'))
        write('inner/file', 'work\n')
        staying.push([task, /inner/])
        break
    }
  }
  const states = new Map(going.map(({ path }) => [path, stateOf(git, path)]))
  const plan = await planHouse(keeping(0), ports, never)
  expect(plan.fates).toHaveLength(40)
  expect(plan.fates.every(({ bytes }) => (bytes ?? 0) > 0)).toBe(true)
  // They are unlinked when there is time: another test's matter.
  const { worktrees } = await keepHouse(plan, ports, never, () => false)
  const gone = worktrees.filter(({ problem }) => problem === null).map(({ id }) => id)
  expect(gone).toEqual(going.map(({ worktree }) => worktree))
  for (const [{ worktree, path }, why] of staying) {
    expect(existsSync(path)).toBe(true)
    const said = plan.fates.find(({ id }) => id === worktree)?.why
    const problem = worktrees.find(({ id }) => id === worktree)?.problem
    expect(problem ?? said).toMatch(why)
  }
  expect(git('worktree', 'list').trim().split('\n')).toHaveLength(1 + staying.length)
  expect(ports.worktrees.listTrash(files.trash())).toHaveLength(going.length)

  // Whatever no ref holds is gone now.
  git('reflog', 'expire', '--all', '--expire=now')
  git('gc', '--quiet', '--prune=now')
  for (const { worktree, path } of going) {
    expect(existsSync(path)).toBe(false)
    expect((await restoreWorktree(worktree, null, ports)).problems).toEqual([])
    expect(stateOf(git, path)).toBe(states.get(path))
  }
  // What was brought back is the newest: it does not go again at once.
  const again = await planHouse(keeping(going.length), ports, never)
  const back = new Set(going.map(({ worktree }) => worktree))
  expect(again.fates.filter(({ id, goes }) => goes && back.has(id))).toEqual([])
  await holdfast.close()
}, 600_000)

test('over budget, what can be had again goes first, then worktrees; work never', async () => {
  const { holdfast, git, repo, ports, begin, taken } = await makeHouse()
  const { store, files } = ports
  const exclude = 'node_modules\ndist\n.venv\n'
  writeFileSync(join(repo, '.git', 'info', 'exclude'), exclude)
  const big = Buffer.alloc(200_000, 'output\n')
  const [untaken, pinned, done, running] = [
    await begin(),
    await begin(),
    await begin(),
    await begin(),
  ]
  for (const { write, print } of [untaken, pinned, done, running]) {
    write('node_modules/left-pad/index.js', big)
    write('dist/notes.txt', 'months of work\n')
    print(big)
  }
  untaken.write('.venv/src/clone/.git/config', '')
  untaken.write('.venv/src/clone/mine.py', big)
  untaken.write('made', 'work\n')
  await untaken.end()
  await pinned.end()
  await store.pinWorktree(pinned.worktree, true)
  await done.end()
  await taken(done.id)

  const use = (await planHouse({ ...keeping(15), diskBytes: 1e12 }, ports, never)).measured.use
  const total = use.worktrees + use.tasks + use.rawOutput
  expect(use).toMatchObject({ isWhole: true, trash: 0, pool: 0, snapshots: 0 })
  expect(use.rawOutput).toBeGreaterThan(4 * 200_000)
  expect(use.worktrees).toBeGreaterThan(4 * 200_000)

  // A little over: the build output of the oldest is enough.
  const little = await planHouse({ ...keeping(15), diskBytes: total - 1000 }, ports, never)
  expect(little.buildOutput.map(({ of, output }) => [of.worktree.id, output.shown])).toEqual([
    [untaken.worktree, 'node_modules/'],
  ])
  expect([little.rawOutput, little.fates.filter(({ goes }) => goes)]).toEqual([[], []])

  // Nothing may be taken: all goes that may.
  const plan = await planHouse({ ...keeping(15), diskBytes: 0 }, ports, never)
  const kept = await keepHouse(plan, ports, never, () => true)
  expect(kept.reclaimed.map(({ problem }) => problem)).toEqual(kept.reclaimed.map(() => null))
  expect(plan.stillOver).toBeGreaterThan(0)
  expect(existsSync(join(untaken.path, 'node_modules'))).toBe(false)
  for (const name of ['dist/notes.txt', '.venv/src/clone/mine.py', 'made']) {
    expect(existsSync(join(untaken.path, name))).toBe(true)
  }
  for (const { path } of [pinned, running]) {
    expect(existsSync(join(path, 'node_modules/left-pad/index.js'))).toBe(true)
  }
  expect(existsSync(done.path)).toBe(false)
  expect(readdirSync(files.trash())).toEqual([])
  const [line] = await store.lastEvents(untaken.id, 1)
  expect(JSON.stringify(line?.body)).toContain('node_modules/ was taken out')
  const after = ports.disk.loadUse()
  expect(after?.use.worktrees).toBeLessThan(use.worktrees - 400_000)
  expect(after?.use.rawOutput).toBeLessThan(use.rawOutput - 500_000)
  expect(after?.use.snapshots).toBeGreaterThan('months of work\n'.length - 1)

  // The raw output of what goes on is left alone; of the others it is all there still.
  const raw = async (id: TaskId) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of ports.rawOutput.read(runOf(id), 0)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
  const runOf = (id: TaskId) => join(files.directory(id), 'runs', '1')
  expect(readdirSync(runOf(running.id))).toEqual(['stdout'])
  expect(readdirSync(runOf(untaken.id))).toEqual(['stdout.gz'])
  expect((await raw(untaken.id)).equals(big)).toBe(true)

  // What is left out of a snapshot is not in the worktree that comes back; all else is.
  await restoreWorktree(done.worktree, null, ports)
  expect(readFileSync(join(done.path, 'dist/notes.txt'), 'utf8')).toBe('months of work\n')
  expect(git('-C', done.path, 'status', '--porcelain')).toBe('')
  await holdfast.close()
})

test('raw output is compressed after a day and dropped after thirty, if its task has ended', async () => {
  const { holdfast, ports, begin, ahead } = await makeHouse()
  const [ended, running] = [await begin(), await begin()]
  const runs = [ended, running].map(({ print }) => print(Buffer.alloc(100_000, 'word\n')))
  await ended.end()
  const round = async () => {
    const plan = await planHouse(keeping(15), ports, never)
    await keepHouse(plan, ports, never, () => true)
    return runs.map(run => readdirSync(run).sort())
  }
  expect(await round()).toEqual([['stdout'], ['stdout']])
  ahead.ms = DAY
  expect(await round()).toEqual([['stdout.gz'], ['stdout']])
  ahead.ms = 30 * DAY
  expect(await round()).toEqual([['output-dropped'], ['stdout']])
  expect(await round()).toEqual([['output-dropped'], ['stdout']])
  // It is not even looked at any more.
  const { measured } = await planHouse(keeping(15), ports, never)
  expect(measured.runs.map(({ task }) => task)).toEqual([running.id])
  await holdfast.close()
})

test('what cannot be measured in time is left to the next round, and said to be missing', async () => {
  const { holdfast, ports, begin, ahead } = await makeHouse()
  const task = await begin()
  await task.end()
  const ended = AbortSignal.abort()
  const plan = await planHouse({ ...keeping(15), diskBytes: 0 }, ports, ended)
  expect(plan.measured.use.isWhole).toBe(false)
  // Of whose size nothing is known, nothing is taken for the budget's sake.
  expect(plan.fates).toEqual([expect.objectContaining({ goes: false, bytes: null })])
  const whole = await planHouse({ ...keeping(15), diskBytes: 1e12 }, ports, never)
  expect(whole.measured.use.isWhole).toBe(true)
  // What was measured is believed while it stands still, and for a day at most.
  task.write('by-hand', Buffer.alloc(500_000, 'x'))
  const bytes = async () => (await planHouse(keeping(15), ports, never)).measured.use.worktrees
  expect(await bytes()).toBe(whole.measured.use.worktrees)
  ahead.ms = DAY
  expect(await bytes()).toBeGreaterThan(whole.measured.use.worktrees + 400_000)
  await expect(putAway(task.worktree, ports)).resolves.toBeDefined()
  await holdfast.close()
})

test('a worktree that cannot be taken away, however often that is tried, has one snapshot', async () => {
  const { holdfast, ports, begin } = await makeHouse()
  const task = await begin()
  task.write('made', 'work\n')
  await task.end()
  let tries = 0
  onReach(point => {
    if (point === 'snapshot.recorded') task.write('made', `work of try ${++tries}\n`)
  })
  for (let n = 0; n < 3; n++) {
    await expect(putAway(task.worktree, ports)).rejects.toMatchObject({ code: 'work_left' })
  }
  onReach(() => undefined)
  expect(tries).toBe(3)
  const numbers = async () =>
    (await ports.store.listSnapshots(task.worktree)).map(({ number }) => number)
  expect(await numbers()).toEqual([3])
  expect(readdirSync(ports.files.snapshots())).toEqual([`${task.worktree}-3`])
  await putAway(task.worktree, ports)
  expect(await numbers()).toEqual([4])
  await restoreWorktree(task.worktree, null, ports)
  expect(readFileSync(join(task.path, 'made'), 'utf8')).toBe('work of try 3\n')
  await holdfast.close()
})

test('build output of what was put away goes into a spare before it is unlinked, and to who may run it', async () => {
  const { holdfast, git, repo, ports, begin } = await makeHouse()
  const { store, files, worktrees } = ports
  writeFileSync(join(repo, '.git', 'info', 'exclude'), 'node_modules\n')
  const made = 'node_modules/left-pad/index.js'
  const tasks = [await begin(), await begin()]
  for (const task of tasks) {
    task.write(made, 'pad\n')
    task.write('new.txt', 'by the agent\n')
    await task.end()
  }
  const policy = { size: 1, fewestFiles: 0, keepsOutput: true }
  const always = () => true
  const before = tasks.map(({ path }) => stateOf(git, path))
  // There is no spare yet: it goes with the tree.
  const [first, second] = tasks as [(typeof tasks)[number], (typeof tasks)[number]]
  await putAway(first.worktree, ports)
  expect(await furnishSpares(ports, always)).toEqual([])
  await keepPool(policy, true, ports, always)
  const isThere = async () => (await store.listSpares()).map(({ spare }) => spare?.output ?? [])
  expect(await isThere()).toEqual([[]])
  expect(await furnishSpares(ports, () => false)).toEqual([])
  const plan = await planHouse(keeping(15), ports, never)
  const furnish = () => furnishSpares(ports, always)
  const kept = await keepHouse(plan, ports, never, always, furnish)
  expect(kept.furnished).toEqual([expect.stringContaining(`node_modules/ of ${first.id}`)])
  expect(kept.purged).toEqual([{ path: expect.any(String), problem: null }])
  expect(await isThere()).toEqual([['node_modules/']])
  expect(readdirSync(files.trash())).toEqual([])
  // One that has some gets no more.
  await putAway(second.worktree, ports)
  expect(await furnishSpares(ports, always)).toEqual([])

  // The agents of both might do anything; whoever follows may run what they left.
  const { request } = (await store.findTask(first.id)) ?? {}
  if (request === undefined) throw new Error('there is no such task')
  const id = makeTaskId(randomBytes(16))
  const place = {
    id: worktreeIdOf(id),
    path: files.worktreePath(id),
    commonDir: join(repo, '.git'),
  }
  const { worktree } = await claimSpare({ request: { ...request, id } }, place, ports)
  expect(readFileSync(join(worktree?.path ?? '', made), 'utf8')).toBe('pad\n')
  expect(git('-C', place.path, 'status', '--porcelain')).toBe('')

  // Nobody wants it any more: it is dropped like any other.
  await keepPool(policy, true, ports, always)
  expect(await furnishSpares(ports, always)).toHaveLength(1)
  await keepPool({ size: 1, fewestFiles: 0 }, true, ports, always)
  expect((await isThere()).flat()).toEqual([])
  // All that was work is where it was; build output that programs make anew is not.
  for (const [n, task] of tasks.entries()) {
    await restoreWorktree(task.worktree, null, ports)
    mkdirSync(join(task.path, dirname(made)), { recursive: true })
    writeFileSync(join(task.path, made), 'pad\n')
    expect(stateOf(git, task.path)).toBe(before[n])
  }
  expect(worktrees.listTrash(files.trash())).toHaveLength(1)
  await holdfast.close()
})
