/** `apply` as people and programs use it: the built program on a real repository. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type ApplyView, views } from '../../src/surfaces/view.ts'
import { House } from './house.ts'

async function applied(house: House, ...words: string[]): Promise<ApplyView> {
  const { stdout } = await house.run(['apply', ...words, '--json'])
  return views.apply.parse(JSON.parse(stdout))
}

/** A task that has added a file and edited one. */
async function makeResult(house: House, script = 'echo new > new.txt; echo four >> kept.txt') {
  const id = await house.submitScript(script)
  await house.wait(id)
  return id
}

const read = (house: House, name: string) => readFileSync(join(house.repo, name), 'utf8')

test('a result is taken home, looked at, and given back', async () => {
  const house = new House()
  house.makeDirty()
  const id = await makeResult(house)
  const before = house.fingerprint()
  expect(await house.ok(['status', id])).toContain(`not yet (holdfast apply ${id})`)
  expect(await house.ok(['status'])).toContain('not taken yet')

  expect(await applied(house, id, '--check')).toMatchObject({
    id,
    state: 'would_apply',
    taken: null,
  })
  expect(house.fingerprint()).toBe(before)
  const index = readFileSync(join(house.repo, '.git/index'))
  const run = await house.run(['apply', id])
  expect(run).toMatchObject({ code: 0, stdout: 'modified  kept.txt\nadded     new.txt\n' })
  expect(run.stderr).toContain(`applying to ${house.repo}`)
  expect(run.stderr).toContain(`next: git diff · holdfast apply --undo ${id}`)
  expect(read(house, 'kept.txt')).toBe('one\nTWO\nthree\nfour\n')
  expect(readFileSync(join(house.repo, '.git/index'))).toEqual(index)

  const { taken } = await house.task(id)
  expect(new Date(taken ?? '').toISOString()).toBe(taken)
  expect(await house.ok(['status', id])).toMatch(/^taken +applied /m)
  expect(await house.ok(['status'])).not.toContain('not taken yet')
  expect(await house.ok(['logs', id])).toContain(`applied to ${house.repo}`)
  expect(await applied(house, id)).toMatchObject({ state: 'in_place', files: [], taken })

  expect(await applied(house, '--undo', id)).toMatchObject({ state: 'undone', taken: null })
  expect(read(house, 'kept.txt')).toBe('one\nTWO\nthree\n')
  expect(house.git('status', '--short')).not.toContain('new.txt')
  expect((await house.task(id)).taken).toBeNull()
  expect(await applied(house, id)).toMatchObject({ state: 'applied' })
})

test('a conflict writes nothing and exits with 5; with markers it can be undone', async () => {
  const house = new House()
  const id = await makeResult(
    house,
    'printf "one\\nAGENT\\nthree\\n" > kept.txt; echo new > new.txt',
  )
  house.write('kept.txt', 'one\nMINE\nthree\n')
  const before = house.fingerprint()
  for (const flag of [[], ['--check']]) {
    const run = await house.run(['apply', id, ...flag])
    expect(run).toMatchObject({
      code: 5,
      stdout: 'conflict  kept.txt: content: Merge conflict in kept.txt\n',
    })
    expect(run.stderr).toContain('1 conflict; nothing was written')
  }
  expect(house.fingerprint()).toBe(before)
  expect((await house.task(id)).taken).toBeNull()

  const written = await house.run(['apply', id, '--conflicts', '--json'])
  expect(written.code).toBe(0)
  expect(views.apply.parse(JSON.parse(written.stdout))).toMatchObject({
    state: 'applied',
    conflicts: [{ path: 'kept.txt' }],
    files: [{ path: 'kept.txt' }, { path: 'new.txt' }],
  })
  expect(read(house, 'kept.txt')).toBe(
    'one\n<<<<<<< YOURS\nMINE\n=======\nAGENT\n>>>>>>> AGENT\nthree\n',
  )
  expect(house.git('diff', '--cached', '--name-only')).toBe('')
  await house.ok(['apply', '--undo', id])
  expect(read(house, 'kept.txt')).toBe('one\nMINE\nthree\n')
  // Resolved by hand it counts as applied.
  await house.ok(['apply', id, '--conflicts'])
  house.write('kept.txt', 'one\nMINE AND AGENT\nthree\n')
  expect(await applied(house, id)).toMatchObject({ state: 'in_place' })
})

test('where it goes: the caller’s checkout, else where it was asked, else as told', async () => {
  const house = new House()
  const id = await makeResult(house)
  const linked = join(house.scratch, 'linked')
  house.git('worktree', 'add', '--quiet', '--detach', linked)
  const below = join(linked, 'below')
  house.write('file', '', below)
  const run = await house.run(['apply', id], { directory: below })
  expect(run.stderr).toContain(`applying to ${linked}\n`)
  expect(readFileSync(join(linked, 'new.txt'), 'utf8')).toBe('new\n')
  const other = await house.run(['apply', id, '--check'], { directory: '/' })
  expect(other.stderr).toContain(`looking at ${house.repo}\n`)
  // Its own worktree is not where anybody wants it.
  const inside = await house.run(['apply', id, '--check'], { directory: house.worktree(id) })
  expect(inside.stderr).toContain(`looking at ${house.repo}\n`)
  expect(await house.run(['apply', id, '--to', house.worktree(id)])).toMatchObject({ code: 5 })

  expect(await house.run(['apply', id])).toMatchObject({ code: 0 })
  const unclear = await house.run(['apply', '--undo', id], { directory: '/' })
  expect(unclear.code).toBe(5)
  expect(unclear.stderr).toContain('--to DIR')
  await house.ok(['apply', '--undo', id, '--to', below], { directory: '/' })
  // It is still taken: the other checkout has it.
  expect((await house.task(id)).taken).not.toBeNull()
  await house.ok(['apply', '--undo', id], { directory: '/' })
  expect((await house.task(id)).taken).toBeNull()
  const none = await house.run(['apply', '--undo', id, '--json'])
  expect(none.code).toBe(5)
  expect(JSON.parse(none.stdout)).toMatchObject({ error: { code: 'not_applied' } })
})

test('the repository is gone: another clone takes it, from the bundle', async () => {
  const house = new House()
  house.makeDirty()
  const id = await makeResult(house)
  const clone = join(house.scratch, 'clone')
  house.gitIn(house.scratch, 'clone', '--quiet', house.repo, clone)
  rmSync(house.repo, { recursive: true })
  const directory = clone
  const lost = await house.run(['apply', id, '--json'], { directory })
  expect(JSON.parse(lost.stdout)).toMatchObject({ error: { code: 'refused_in_state' } })
  expect(lost.stderr).toContain('--to DIR')
  await house.ok(['apply', id, '--to', '.'], { directory })
  expect(readFileSync(join(clone, 'kept.txt'), 'utf8')).toBe('one\ntwo\nthree\nfour\n')
  expect(house.gitIn(clone, 'for-each-ref', '--format=%(refname)', 'refs/holdfast')).toBe(
    `refs/holdfast/${id}/undo/1\n`,
  )
  await house.ok(['apply', '--undo', id], { directory })
  expect(house.gitIn(clone, 'status', '--short')).toBe('')
})

test('what cannot be applied is refused by name', async () => {
  const house = new House()
  const code = async (...words: string[]) => {
    const { code: exit, stdout } = await house.run(['apply', ...words, '--json'])
    return [exit, JSON.parse(stdout).error.code]
  }
  const going = await house.submitScript('while [ ! -e go ]; do sleep 0.05; done')
  await house.untilState(going, 'running')
  expect(await code(going)).toEqual([3, 'not_finished'])
  house.write('go', '', house.worktree(going))
  await house.wait(going)
  expect(await code()).toEqual([2, 'bad_usage'])
  expect(await code('nobody')).toEqual([4, 'no_such_task'])
  expect(await code(going, '--undo', '--check')).toEqual([2, 'bad_usage'])
  const stranger = join(house.scratch, 'stranger')
  house.gitIn(house.scratch, 'init', '--quiet', stranger)
  expect(await code(going, '--to', stranger)).toEqual([5, 'no_commit'])
  house.gitIn(stranger, 'commit', '--quiet', '--allow-empty', '--message=x')
  expect(await code(going, '--to', stranger)).toEqual([5, 'unrelated_repository'])
  expect(await code(going, '--to', join(house.scratch, 'nowhere'))).toEqual([5, 'refused_in_state'])
  expect(await code(going, '--to', '/')).toEqual([5, 'not_a_repository'])
  house.gitIn(house.repo, 'bisect', 'start')
  expect(await code(going)).toEqual([5, 'operation_in_progress'])
  house.gitIn(house.repo, 'bisect', 'reset')
  const gone = await house.submitScript('exec sleep 300')
  await house.untilState(gone, 'running')
  rmSync(house.worktree(gone), { recursive: true })
  await house.wait(gone)
  expect(await code(gone)).toEqual([5, 'no_result'])
  const idle = await makeResult(house, 'true')
  expect(await applied(house, idle)).toMatchObject({ state: 'nothing', to: null, taken: null })
})
