/** Odd repositories, as people meet them: the built program from `run` to the result. */
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { House } from './house.ts'

test('a merge in progress: its conflicts come along, and what does not is said at once', async () => {
  const house = new House()
  house.git('checkout', '--quiet', '-b', 'other')
  house.write('kept.txt', 'theirs\n')
  house.git('commit', '--quiet', '--all', '--message=theirs')
  house.git('checkout', '--quiet', 'trunk')
  house.write('kept.txt', 'ours\n')
  house.git('commit', '--quiet', '--all', '--message=ours')
  expect(() => house.git('merge', '--quiet', 'other')).toThrow()
  const before = house.fingerprint()
  const script = 'git status --porcelain && cat kept.txt'
  const words = ['run', 'command', '--', '/bin/sh', '-c', script]
  const { code, stdout, stderr } = await house.run(words)
  expect(code).toBe(0)
  expect(stderr).toContain('left out: a merge is in progress: not taken (MERGE_HEAD)')
  const id = stdout.trim()
  const { state, base, result } = await house.wait(id)
  expect(state).toBe('succeeded')
  expect(base.changes?.leftOut).toHaveLength(1)
  expect(result).toMatchObject({ files: 0, leftOut: [] })
  expect(result?.answer).toMatch(/^UU kept\.txt\n<<<<<<< HEAD\nours\n/)
  expect(house.fingerprint()).toBe(before)
})

/** With a submodule `lib`, populated, with an untracked file in it. */
function addSubmodule(house: House): string {
  const origin = join(house.scratch, 'origin')
  house.git('clone', '--quiet', house.repo, origin)
  const allowed = ['-c', 'protocol.file.allow=always']
  house.git(...allowed, 'submodule', '--quiet', 'add', origin, 'lib')
  house.git('commit', '--quiet', '--message=with a submodule')
  const lib = join(house.repo, 'lib')
  house.write('mine.txt', 'mine\n', lib)
  return lib
}

test('a populated submodule comes along with its changes; what the agent does in it is kept', async () => {
  const house = new House()
  const lib = addSubmodule(house)
  const before = [house.fingerprint(), house.fingerprint(lib)]
  const id = await house.submitScript(
    'cat lib/mine.txt && cd lib && echo edited > kept.txt && git commit -qam inside && echo more >> kept.txt',
  )
  const { state, base, result } = await house.wait(id)
  expect(state).toBe('succeeded')
  expect(base.changes?.leftOut ?? []).toEqual([])
  expect(result).toMatchObject({ answer: 'mine', files: 0 })
  const kept = join(house.home, 'tasks', id, 'repositories', '0')
  const said = `lib: not in the patch, a repository of its own: 1 file +2 -3, 1 commit, kept in ${kept}`
  expect(result?.leftOut).toContainEqual(said)
  expect(result?.repositories).toMatchObject([{ path: 'lib', files: 1, commits: 1 }])
  expect((await house.run(['diff', id])).stderr).toContain(`left out: ${said}`)
  const uninstall = await house.run(['uninstall', '--purge'])
  expect(uninstall.code).toBe(5)
  expect(uninstall.stderr).toContain(id)
  expect(readFileSync(join(kept, 'result.patch'), 'utf8')).toContain('+more')
  house.gitIn(lib, 'bundle', 'verify', '--quiet', join(kept, 'result.bundle'))
  expect([house.fingerprint(), house.fingerprint(lib)]).toEqual(before)
})

test('a base that can only be held in a submodule leaves nothing there', async () => {
  const house = new House()
  addSubmodule(house)
  house.write('kept.txt', 'mine\n')
  const id = await house.submitScript('true')
  await house.wait(id)
  // The changes that it started from are let go of, and swept away.
  house.git('update-ref', '-d', `refs/holdfast/${id}/base`)
  house.git('update-ref', '-d', `refs/holdfast/${id}/result`)
  house.git('gc', '--quiet', '--prune=now')
  const refs = () => house.gitIn(join(house.repo, 'lib'), 'for-each-ref', 'refs/holdfast')
  const before = refs()
  expect(before).toContain(id)
  const refused = await house.run(['retry', id])
  expect(refused.stderr).toContain('what the task started from is no longer in')
  expect(refs()).toBe(before)
  expect(readdirSync(join(house.home, 'tasks'))).toEqual([id])
})

test('apply says what it leaves behind in a submodule, and that does not count as taken', async () => {
  const house = new House()
  addSubmodule(house)
  const id = await house.submitScript('echo outside > new.txt; echo inside > lib/kept.txt')
  await house.wait(id)
  const applied = await house.run(['apply', id])
  expect(applied).toMatchObject({ code: 0, stdout: 'added     new.txt\n' })
  expect(applied.stderr).toContain('left out: lib: not in the patch, a repository of its own')
  expect(readFileSync(join(house.repo, 'new.txt'), 'utf8')).toBe('outside\n')
  expect(await house.ok(['status', id])).toMatch(
    /^taken .*but for the work in repositories inside$/m,
  )
  const uninstall = await house.run(['uninstall', '--purge'])
  expect(uninstall.code).toBe(5)
  expect(uninstall.stderr).toContain(id)
  const again = await house.run(['apply', id])
  expect(again).toMatchObject({ code: 0, stdout: '' })
  expect(again.stderr).toContain('already applied')
})

test('a repository that is moved under a running task: it is said how to go on, and that works', async () => {
  const house = new House()
  const flag = join(house.scratch, 'go')
  const script = `echo work > kept.txt; while [ ! -e '${flag}' ]; do sleep 0.1; done`
  const id = await house.submitScript(script)
  const worktree = house.worktree(id)
  await eventually('it has worked', () => {
    const file = join(worktree, 'kept.txt')
    return existsSync(file) && readFileSync(file, 'utf8') === 'work\n'
  })
  const moved = join(house.scratch, 'moved')
  renameSync(house.repo, moved)
  const { state, error } = await house.wait(id)
  expect([state, error?.code]).toEqual(['failed', 'repository_lost'])
  expect(error?.hint).toContain(`git worktree repair '${worktree}'`)
  expect(readFileSync(join(worktree, 'kept.txt'), 'utf8')).toBe('work\n')

  house.gitIn(moved, 'worktree', 'repair', worktree)
  house.write('go', '', house.scratch)
  const next = (await house.ok(['resume', id], { directory: moved })).trim()
  const ended = await house.wait(next)
  expect(ended).toMatchObject({ state: 'succeeded', result: { files: 1, insertions: 1 } })
  expect(await house.ok(['diff', next], { directory: '/' })).toContain('+work')
  renameSync(moved, house.repo)
})
