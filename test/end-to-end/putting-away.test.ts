/** Worktrees that are put away, by name or because they are too many, and come back to the byte. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { House } from './house.ts'

/** A task that has ended, with work of every kind in its worktree. */
async function worked(house: House, script = 'echo agent > made.txt'): Promise<string> {
  const id = await house.submitScript(script)
  await house.wait(id)
  return id
}

function goOn(house: House, id: string): void {
  const tree = house.worktree(id)
  house.write('kept.txt', 'staged\n', tree)
  house.gitIn(tree, 'add', 'kept.txt')
  house.write('kept.txt', 'edited again\n', tree)
  house.write('dir/new.txt', 'untracked\n', tree)
  house.write('ignored.env', 'SECRET=1\n', tree)
}

const stateOf = (house: House, tree: string) => ({
  status: house.gitIn(tree, 'status', '--porcelain=v2', '--untracked-files=all', '--ignored'),
  index: house.gitIn(tree, 'ls-files', '--stage'),
  files: ['kept.txt', 'made.txt', 'dir/new.txt', 'ignored.env'].map(name =>
    existsSync(join(tree, name)) ? readFileSync(join(tree, name), 'utf8') : null,
  ),
})

const fates = async (house: House, ...flags: string[]) =>
  JSON.parse((await house.run(['gc', '--json', ...flags])).stdout).worktrees as {
    id: string
    fate: string
    why: string
  }[]

test('archive puts a task and its worktree away, and restore brings both back', async () => {
  const house = new House()
  const id = await worked(house)
  goOn(house, id)
  const before = stateOf(house, house.worktree(id))
  const source = house.fingerprint()
  await house.ok(['archive', id])
  expect(existsSync(house.worktree(id))).toBe(false)
  expect(house.git('worktree', 'list').trim().split('\n')).toHaveLength(1)
  expect(JSON.parse(await house.ok(['status', '--json'])).tasks).toEqual([])
  expect(JSON.parse(await house.ok(['status', '--all', '--json'])).tasks).toHaveLength(1)
  // What was collected does not depend on it.
  expect(await house.ok(['diff', id])).toContain('+agent')
  expect((await house.task(id)).worktree).toBeNull()
  await house.ok(['archive', id])
  const at = (await house.task(id)).putAway ?? ''
  expect(Date.now() - Date.parse(at)).toBeLessThan(600_000)
  expect(await house.ok(['status', id])).toMatch(
    new RegExp(`worktree +put away \\d+[sm] ago; .*holdfast restore ${id}`),
  )

  expect((await house.ok(['restore', id])).trim()).toBe(house.worktree(id))
  expect(stateOf(house, house.worktree(id))).toEqual(before)
  expect((await house.task(id)).putAway).toBeNull()
  expect(await house.ok(['status', id])).toContain(house.worktree(id))
  expect(house.fingerprint()).toBe(source)
  expect(JSON.parse(await house.ok(['status', '--json'])).tasks).toHaveLength(1)
  const again = await house.run(['restore', id])
  expect([again.code, again.stderr]).toEqual([5, expect.stringContaining('is there')])
})

test('restore goes elsewhere if it is told to, or if the place is taken', async () => {
  const house = new House()
  const id = await worked(house)
  goOn(house, id)
  const before = stateOf(house, house.worktree(id))
  await house.ok(['archive', id])
  mkdirSync(house.worktree(id))
  house.write('mine.txt', 'mine\n', house.worktree(id))
  const beside = (await house.ok(['restore', id])).trim()
  expect(beside).toBe(`${house.worktree(id)}-2`)
  expect(stateOf(house, beside)).toEqual(before)
  expect(readFileSync(join(house.worktree(id), 'mine.txt'), 'utf8')).toBe('mine\n')

  await house.ok(['archive', id])
  const taken = await house.run(['restore', id, '--to', house.repo])
  expect([taken.code, taken.stderr]).toEqual([5, expect.stringContaining('is there already')])
  const looked = join(house.scratch, 'look here')
  expect((await house.ok(['restore', id, '--to', looked])).trim()).toBe(looked)
  expect(stateOf(house, looked)).toEqual(before)
  // Nobody expects it to be taken away from there.
  expect(await house.task(id)).toMatchObject({ worktree: { path: looked, pinned: true } })
})

test('of many worktrees exactly the right ones go, each for a reason that is said', async () => {
  const house = new House({ HOLDFAST_SLOTS: '2' })
  const [untaken, applied, merged, pinned, unchanged] = [
    await worked(house),
    await worked(house, 'echo applied > applied.txt'),
    await worked(house, 'echo merged > merged.txt'),
    await worked(house, 'true'),
    await worked(house, 'true'),
  ] as const
  const running = await house.submitScript('touch under-way; exec sleep 300')
  await house.underWay(running)
  await house.ok(['apply', applied])
  house.write('merged.txt', 'merged\n')
  house.git('add', 'merged.txt')
  house.git('commit', '--quiet', '--message=squashed by hand')
  await house.ok(['pin', pinned])
  const permanent = await house.submitScript('true', '--worktree', 'mine')
  await house.wait(permanent)
  const expected = {
    [untaken]: ['stays', 'its changes were not taken yet'],
    [applied]: ['would go', '0 newer ones stay'],
    [merged]: ['would go', '0 newer ones stay'],
    [pinned]: ['stays', 'it is pinned'],
    [unchanged]: ['would go', '0 newer ones stay'],
    [running]: ['stays', 'a task uses it'],
  }
  const told = await fates(house, '--dry-run', '--keep', '0')
  expect(Object.fromEntries(told.map(one => [one.id, [one.fate, one.why]]))).toMatchObject(expected)
  expect(told.filter(({ why }) => why === 'it is permanent')).toHaveLength(1)
  expect((await fates(house, '--dry-run')).filter(({ fate }) => fate === 'would go')).toEqual([])

  const done = await fates(house, '--keep', '0')
  expect(done.filter(({ fate }) => fate === 'put away').map(({ id }) => id)).toEqual([
    applied,
    merged,
    unchanged,
  ])
  for (const id of [untaken, pinned, running]) expect(existsSync(house.worktree(id))).toBe(true)
  for (const id of [applied, merged, unchanged]) {
    expect(existsSync(house.worktree(id))).toBe(false)
    await house.ok(['restore', id])
  }
  expect(readFileSync(join(house.worktree(merged), 'merged.txt'), 'utf8')).toBe('merged\n')
  await house.ok(['unpin', pinned])
  await house.run(['cancel', running])
})

test('a worktree in which somebody stands, or whose task goes on, stays', async () => {
  const house = new House()
  const id = await worked(house)
  const shell = spawn('sleep', ['300'], { cwd: house.worktree(id), stdio: 'ignore' })
  try {
    const { code, stderr } = await house.run(['archive', id])
    expect([code, stderr]).toEqual([5, expect.stringContaining(`sleep (${shell.pid})`)])
    expect(readFileSync(join(house.worktree(id), 'made.txt'), 'utf8')).toBe('agent\n')
  } finally {
    const gone = once(shell, 'exit')
    shell.kill('SIGKILL')
    await gone
  }
  // So does whoever gives the command.
  const inside = join(house.worktree(id), 'deep')
  mkdirSync(inside)
  const own = await house.run(['archive', id], { directory: inside })
  expect([own.code, own.stderr]).toEqual([5, expect.stringContaining('you stand in')])
  expect(existsSync(inside)).toBe(true)
  const going = await house.submitScript('touch under-way; exec sleep 300')
  await house.underWay(going)
  const refused = await house.run(['archive', going])
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('has not ended')])
  await house.run(['cancel', going])
})

test('what cannot be kept is named, and stays where it is', async () => {
  const house = new House()
  const id = await worked(house, 'git init --quiet inner && echo x > inner/file')
  const { code, stderr } = await house.run(['archive', id])
  expect([code, stderr]).toEqual([5, expect.stringContaining('inner/')])
  expect(readFileSync(join(house.worktree(id), 'inner', 'file'), 'utf8')).toBe('x\n')
  const [fate] = await fates(house, '--keep', '0')
  expect(fate).toMatchObject({ id, fate: 'stays' })
  // It is in nobody's way.
  const failing = await house.submitScript('test -e inner/file')
  await house.wait(failing)
  expect((await house.run(['resume', failing])).code).toBe(0)
})

test('a task whose worktree was put away goes on in it, as it was left', async () => {
  const house = new House()
  const id = await worked(house, 'echo once >> made.txt; test "$(wc -l < made.txt)" = 2')
  expect((await house.task(id)).state).toBe('failed')
  house.write('ignored.env', 'SECRET=1\n', house.worktree(id))
  await house.ok(['archive', id])
  expect(existsSync(house.worktree(id))).toBe(false)
  const next = (await house.ok(['resume', id])).trim()
  expect((await house.wait(next)).state).toBe('succeeded')
  expect(readFileSync(join(house.worktree(id), 'made.txt'), 'utf8')).toBe('once\nonce\n')
  expect(readFileSync(join(house.worktree(id), 'ignored.env'), 'utf8')).toBe('SECRET=1\n')
})

test('a damaged row of the newest snapshot is told, and no older one is taken for it', async () => {
  const house = new House()
  const id = await worked(house)
  await house.ok(['archive', id])
  await house.ok(['restore', id])
  goOn(house, id)
  await house.ok(['archive', id])
  const sql = (text: string) => {
    const store = new DatabaseSync(join(house.home, 'store.db'), { timeout: 60_000 })
    store.exec(text)
    store.close()
  }
  sql("UPDATE snapshots SET content_json = '{' WHERE number = 2")
  const { code, stderr } = await house.run(['restore', id])
  expect([code, stderr]).toEqual([7, expect.stringContaining(`snapshot 2 of ${id} is damaged`)])
  expect(existsSync(house.worktree(id))).toBe(false)
  expect(house.git('show', `refs/holdfast/${id}/snapshot/2:dir/new.txt`)).toBe('untracked\n')
  // A copy beside its ignored files says what it is: of a row that is damaged, or lost.
  const told = await house.run(['doctor'])
  expect([told.code, told.stdout]).toEqual([1, expect.stringContaining(`of ${id}, 2`)])
  await house.ok(['doctor', '--fix'])
  await house.ok(['restore', id])
  expect(readFileSync(join(house.worktree(id), 'dir/new.txt'), 'utf8')).toBe('untracked\n')
  await house.ok(['archive', id])
  sql('DELETE FROM snapshots')
  expect((await house.run(['restore', id])).stderr).toContain('no snapshot')
  const lost = await house.run(['doctor', '--fix'])
  expect([lost.code, lost.stdout]).toEqual([
    0,
    expect.stringContaining(`the store has lost snapshot 3 of ${id}`),
  ])
  await house.ok(['restore', id])
  expect(readFileSync(join(house.worktree(id), 'ignored.env'), 'utf8')).toBe('SECRET=1\n')
}, 600_000)

test('a dozen tasks in a row leave no more worktrees than are to stay, by themselves', {
  timeout: 600_000,
}, async () => {
  const house = new House({ HOLDFAST_KEEP_WORKTREES: '3', HOLDFAST_SLOTS: '4' })
  const ids: string[] = []
  for (let n = 0; n < 12; n++) ids.push(await house.submitScript('true'))
  await house.ok(['wait', ...ids, '--timeout', '180s'])
  const standing = () => readdirSync(join(house.home, 'worktrees'))
  const isOver = async () => (await fates(house, '--dry-run')).length === 3
  await eventually('the worker has put the others away', isOver)
  expect(standing()).toHaveLength(3)
  expect(house.git('worktree', 'list').trim().split('\n')).toHaveLength(4)
  await eventually('the trash is empty', () => readdirSync(join(house.home, 'trash')).length === 0)
  const stray = ids.filter(id => house.git('for-each-ref', `refs/holdfast/${id}/snapshot/`) === '')
  expect(stray).toHaveLength(3)
  expect(stray.sort()).toEqual(standing().sort())
})

test('what is kept goes with the rest at a purge', async () => {
  const house = new House()
  const refs = house.git('for-each-ref')
  const id = await worked(house, 'true')
  goOn(house, id)
  await house.ok(['archive', id])
  await house.ok(['uninstall', '--purge', '--discard'])
  expect(existsSync(house.home)).toBe(false)
  expect(house.git('for-each-ref')).toBe(refs)
})

test('status warns of the disk before it is full, and raw output can be read in every form', async () => {
  const house = new House()
  const id = await worked(house, 'seq 20000')
  const printed = await house.ok(['logs', id, '--raw'])
  expect(printed.length).toBeGreaterThan(100_000)
  expect((await house.run(['status'])).stderr).not.toContain('gc --dry-run')

  // Raw output is compressed at once where the disk is needed; then it is read as before.
  const { reclaim, disk } = JSON.parse(await house.ok(['gc', '--json', '--disk', '0']))
  expect(reclaim).toEqual([expect.objectContaining({ id, kind: 'raw_output', fate: 'compressed' })])
  expect(disk).toMatchObject({ budgetBytes: 0, isWhole: true })
  expect(readdirSync(join(house.home, 'tasks', id, 'runs', '1'))).toContain('stdout.gz')
  expect(await house.ok(['logs', id, '--raw'])).toBe(printed)
  // That was for once: what holds is as it was.
  expect((await house.run(['status'])).stderr).not.toContain('gc --dry-run')
  await house.ok(['worker', 'stop'])
  await house.ok(['gc'], { environment: { HOLDFAST_DISK_BYTES: '0' } })
  const warned = await house.run(['status'])
  expect(warned.stderr).toMatch(/of 0 B are used; .*gc --dry-run/)
  expect(JSON.parse(await house.ok(['status', '--json'])).disk).toMatchObject({
    budgetBytes: 0,
    warning: expect.stringContaining('are used'),
  })
  const odd = await house.run(['gc', '--disk', 'much'])
  expect([odd.code, odd.stderr]).toEqual([2, expect.stringContaining('500MB')])

  const store = new DatabaseSync(join(house.home, 'store.db'), { timeout: 60_000 })
  store.exec("UPDATE tasks SET ended_at = 1, state_json = json_set(state_json, '$.endedAt', 1)")
  store.close()
  await house.ok(['gc'])
  const dropped = await house.run(['logs', id, '--raw'])
  expect([dropped.code, dropped.stdout]).toEqual([0, ''])
  expect(dropped.stderr).toContain('the output of try 1 was dropped')
  expect(await house.ok(['logs', id, '--since', '0'])).toContain('20000')
})
