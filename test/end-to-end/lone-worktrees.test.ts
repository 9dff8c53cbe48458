/** Worktrees that no task has asked for: by the command line, and as the plugin for Claude Code asks. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { views, type WorktreeView } from '../../src/surfaces/view.ts'
import { House } from './house.ts'

const launcher = fileURLToPath(new URL('../../plugin/holdfast-worktrees/hook.cjs', import.meta.url))

async function list(house: House): Promise<readonly WorktreeView[]> {
  return views.worktrees.parse(JSON.parse(await house.ok(['worktree', 'ls', '--json']))).worktrees
}

test('one is made once, is worked in by its name, goes with all that is in it, and comes back', async () => {
  const house = new House()
  expect(await list(house)).toEqual([])
  house.makeDirty()
  house.write('.worktreeinclude', 'ignored.env\n')
  const before = house.fingerprint()
  const added = await house.run(['worktree', 'add', 'desk'])
  const path = added.stdout.trim()
  expect([added.code, added.stderr]).toEqual([0, expect.stringContaining('run --worktree desk')])
  expect(house.fingerprint()).toBe(before)
  // What is committed, and what is ignored and named; nothing else of the caller's.
  expect(readdirSync(path).sort()).toEqual(['.git', '.gitignore', 'ignored.env', 'kept.txt'])
  expect(house.gitIn(path, 'status', '--porcelain')).toBe('')
  const again = await house.ok(['worktree', 'add', 'desk', '--json'])
  expect(JSON.parse(again)).toMatchObject({ path, how: 'there' })
  expect(await house.ok(['worktree', 'path', 'desk'])).toBe(`${path}\n`)
  const words = ['command', '--worktree', 'desk', '--', 'sh', '-c', 'echo work >work.txt']
  const id = await house.submit(words)
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', worktree: { path } })
  expect(await list(house)).toMatchObject([{ path, kind: 'permanent', leasedTo: null }])
  house.write('staged.txt', 'mine\n', path)
  house.gitIn(path, 'add', 'staged.txt')
  const [{ id: worktree = '' } = {}] = await list(house)
  await house.ok(['worktree', 'rm', 'desk'])
  expect([existsSync(path), await list(house)]).toEqual([false, []])
  // Made anew, it would take the place of what is kept of it.
  const refused = await house.run(['run', ...words])
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('holdfast restore')])
  expect(JSON.parse(await house.ok(['worktree', 'add', 'desk', '--json'])).how).toBe('back')
  expect(readFileSync(join(path, 'work.txt'), 'utf8')).toBe('work\n')
  expect(house.gitIn(path, 'status', '--porcelain')).toMatch(/^A {2}staged\.txt\n\?\? work\.txt\n$/)
  expect(worktree).toMatch(/^desk-/)
  for (const [wrong, code] of [
    [['path', 'nothing'], 4],
    [['add', '-x'], 2],
    [['add', 'desk', 'more'], 2],
    [['turn'], 2],
    [[], 2],
  ] as const) {
    expect([wrong, (await house.run(['worktree', ...wrong])).code]).toEqual([wrong, code])
  }
})

test('one that Claude Code asks for stays while its session lives, and what is in it is kept', async () => {
  const house = new House()
  const hook = (event: string, more: object) =>
    new Promise<string>(resolve => {
      const said = { session_id: 's', cwd: house.repo, hook_event_name: event, ...more }
      // The walk up its parents ends at the process that is said to be the session: this one.
      const own = { CLAUDECODE: '1', CLAUDE_PID: String(process.pid) }
      const environment = { ...house.environment, ...own }
      const child = execFile(
        process.execPath,
        [launcher, event, 'holdfast-worktrees'],
        { cwd: house.repo, env: environment },
        (error, stdout, stderr) => resolve(error === null ? stdout : `${error.code}: ${stderr}`),
      )
      child.stdin?.end(JSON.stringify(said))
    })
  const create = (name: string) => hook('WorktreeCreate', { name })
  const path = (await create('agent-a1 b/2')).trim()
  expect(realpathSync(path)).toBe(path)
  expect(await list(house)).toMatchObject([{ path, kind: 'managed', standing: true, task: null }])
  expect(await create('agent-a1 b/2')).toBe(`${path}\n`)
  house.write('work.txt', 'unsaved\n', path)
  const refused = await house.run(['worktree', 'rm', path])
  expect([refused.code, refused.stderr]).toEqual([
    5,
    expect.stringContaining(`in use by whoever asked for it (pid ${process.pid})`),
  ])
  expect((await house.run(['gc', '--keep', '0'])).code).toBe(5)
  expect(existsSync(path)).toBe(true)
  // It is given back by the session itself.
  expect(await hook('WorktreeRemove', { worktree_path: path })).toBe('')
  expect([existsSync(path), readdirSync(join(house.home, 'holders'))]).toEqual([false, []])
  expect(await create('agent-a1 b/2')).toBe(`${path}\n`)
  expect(readFileSync(join(path, 'work.txt'), 'utf8')).toBe('unsaved\n')
  // Claude Code says what it finds there.
  const nowhere = await hook('WorktreeCreate', { name: 'b', cwd: house.scratch })
  expect(nowhere).toMatch(
    /^1: Holdfast: .* is not in a git repository[\s\S]*\n {2}run it in a checkout/,
  )
  // Nobody's but ours is touched.
  await hook('WorktreeRemove', { worktree_path: house.repo })
  expect(existsSync(join(house.repo, '.git'))).toBe(true)
  // Once its session is gone it goes like any other.
  const [holder = ''] = readdirSync(join(house.home, 'holders'))
  const file = join(house.home, 'holders', holder)
  const known = JSON.parse(readFileSync(file, 'utf8'))
  expect(known.pid).toBe(process.pid)
  writeFileSync(file, JSON.stringify({ ...known, startTime: known.startTime + 1 }))
  await house.ok(['gc', '--keep', '0'])
  expect(existsSync(path)).toBe(false)
  // What is in it is nowhere else: it is not given up unasked, and then there is no trace of it.
  const purge = await house.run(['uninstall', '--purge'])
  expect([purge.code, purge.stderr]).toEqual([5, expect.stringContaining(`${path} was put away`)])
  const [id = ''] = /claude-agent-\S+(?=\))/.exec(purge.stderr) ?? []
  expect(await house.ok(['restore', id])).toBe(`${path}\n`)
  expect(readFileSync(join(path, 'work.txt'), 'utf8')).toBe('unsaved\n')
  await house.ok(['uninstall', '--purge', '--discard'])
  expect([existsSync(house.home), house.git('for-each-ref', 'refs/holdfast')]).toEqual([false, ''])
})
