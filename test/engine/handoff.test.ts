/** A task, handed off to a checkout and back, with the real store and real git. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeTaskId, worktreeIdOf } from '../../src/domain/ids.ts'
import { applyTask } from '../../src/engine/apply.ts'
import { findStay } from '../../src/engine/find-stay.ts'
import { planSession } from '../../src/engine/move-session.ts'
import { putAway } from '../../src/engine/put-away.ts'
import { undoTask } from '../../src/engine/undo-apply.ts'
import type { Agent } from '../../src/ports/agent.ts'
import { exactly } from '../exactly.ts'
import { type Files, makeHandOffHouse, SESSION } from './handoff-house.ts'
import { makeRequest } from './scene.ts'

const mine: Files = {
  'staged.txt': 'staged\n',
  'both.txt': 'staged\n',
  'untracked.txt': 'mine\n',
  'own.env': 'SECRET=mine\n',
}

test('work and session come into a checkout with changes of every kind, and go again to the byte', async () => {
  const house = await makeHandOffHouse()
  const { run, handOff, undo, look, repo, write, read, git, sessions, index, everything } = house
  write({ '.gitignore': '*.env\nbuild/\n' })
  git('add', '.gitignore')
  git('commit', '--quiet', '--message=ignored')
  const task = await run()
  const { id } = task.request
  write({ 'left.env': 'of the agent\n', 'build/one': '1', 'build/two': '2' }, house.tree(task))
  write(mine)
  git('add', 'staged.txt', 'both.txt')
  write({ 'both.txt': 'staged, then edited\n' })
  const before = everything()
  const staged = index()

  const check = await handOff(task, 'check')
  expect(check).toMatchObject({
    applied: { kind: 'would_apply', files: [{ path: 'file' }, { path: 'new' }] },
    session: { kind: 'moves', directory: repo, argv: ['agent', 'resume', SESSION] },
    leftBehind: { paths: ['build/', 'left.env'], more: 0 },
  })
  expect(everything()).toEqual(before)
  expect([(await look(id)).taken, sessions.carried]).toEqual([null, []])

  const done = await handOff(task)
  expect(done).toMatchObject({ applied: { kind: 'applied' }, problem: null })
  expect([read('file'), read('new')]).toEqual(['one\nby the agent\n', 'new\n'])
  for (const name of ['staged.txt', 'untracked.txt', 'own.env']) {
    expect(read(name)).toBe(mine[name])
  }
  expect(index()).toBe(staged)
  expect(sessions.where).toBe(repo)
  expect((await look(id)).taken).toMatchObject({ how: 'handed_off', where: repo, number: 1 })
  expect(await findStay(await look(id), house.ports.store)).toMatchObject({ kind: 'handed_off' })
  expect(existsSync(house.tree(task))).toBe(true)

  // Session and files go back together, and only if nobody has gone on.
  const half = undoTask(await look(id), { named: null, standsIn: null }, house.ports)
  await expect(half).rejects.toMatchObject({ hint: expect.stringContaining('handoff') })
  write({ new: 'edited since\n' })
  await expect(undo(task)).rejects.toMatchObject({ code: 'changed_since' })
  expect([read('new'), sessions.where]).toEqual(['edited since\n', repo])
  write({ new: 'new\n' })
  await undo(task)
  expect(everything()).toEqual(before)
  expect([(await look(id)).taken, sessions.where]).toEqual([null, house.tree(task)])
  const ref = `refs/holdfast/${id}/handed`
  expect(git('for-each-ref', '--format=%(refname)', ref)).toBe('')
  await house.holdfast.close()
})

test('a conflict writes nothing and moves nothing, unless it is asked for', async () => {
  const house = await makeHandOffHouse()
  const { run, handOff, undo, look, write, read, sessions, everything } = house
  const task = await run()
  write({ file: 'one\nby the user\n' })
  const before = everything()
  for (const mode of ['check', 'clean'] as const) {
    expect(await handOff(task, mode)).toMatchObject({
      applied: { kind: 'conflicting', conflicts: [{ path: 'file' }] },
    })
  }
  expect(everything()).toEqual(before)
  expect([sessions.carried, (await look(task.request.id)).taken]).toEqual([[], null])
  await handOff(task, 'conflicts')
  expect(read('file')).toContain('<<<<<<< YOURS')
  expect(sessions.where).toBe(house.repo)
  await undo(task)
  expect(everything()).toEqual(before)
  // A file of the user's that git does not know is in the way, asked for or not.
  write({ file: 'one\n', new: 'not the agent’s\n' })
  await expect(handOff(task, 'conflicts')).rejects.toMatchObject({ code: 'in_the_way' })
  expect(read('new')).toBe('not the agent’s\n')
  await house.holdfast.close()
})

test('what the user has done since goes back into the worktree, on top of what is there', async () => {
  const house = await makeHandOffHouse()
  const { run, handOff, handBack, undo, look, write, read, git, sessions, everything } = house
  write({ 'long.txt': 'a\nb\nc\nd\ne\nf\ng\n' })
  git('add', 'long.txt')
  git('commit', '--quiet', '--message=long')
  const task = await run()
  const tree = house.tree(task)
  write({ 'before.txt': 'from before the hand-off\n' })
  await handOff(task)
  // Committed, staged, edited, untracked and deleted; and an edit of the worktree's own.
  write({ file: 'one\nby the agent\nand the user\n' })
  git('add', 'file', 'new')
  git('commit', '--quiet', '--message=taken')
  write({ 'long.txt': 'A\nb\nc\nd\ne\nf\ng\n', 'extra.txt': 'extra\n', new: null })
  write({ 'long.txt': 'a\nb\nc\nd\ne\nf\nG\n' }, tree)
  const before = everything()
  const inTree = [...exactly({ root: tree })]

  expect(await handBack(task, 'check')).toMatchObject({
    outcome: {
      kind: 'would_apply',
      files: [
        { path: 'extra.txt', change: 'added' },
        { path: 'file', change: 'modified' },
        { path: 'long.txt', change: 'modified' },
        { path: 'new', change: 'deleted' },
      ],
    },
  })
  expect([...exactly({ root: tree })]).toEqual(inTree)
  expect(await handBack(task)).toMatchObject({ outcome: { kind: 'applied' }, problems: [] })
  expect(everything()).toEqual(before)
  expect(read('file', tree)).toBe('one\nby the agent\nand the user\n')
  expect(read('long.txt', tree)).toBe('A\nb\nc\nd\ne\nf\nG\n')
  expect([read('extra.txt', tree), read('new', tree)]).toEqual(['extra\n', null])
  expect(read('before.txt', tree)).toBeNull()
  expect(sessions.where).toBe(tree)
  const { id } = task.request
  expect((await look(id)).taken).toMatchObject({ how: 'handed_back', where: house.repo })
  await expect(handBack(task)).rejects.toMatchObject({ code: 'refused_in_state' })

  await undo(task)
  expect([...exactly({ root: tree })]).toEqual(inTree)
  expect((await look(id)).taken).toMatchObject({ how: 'handed_off' })
  expect(sessions.where).toBe(house.repo)
  expect(everything()).toEqual(before)
  // And once more, with what the user did between.
  write({ 'extra.txt': 'extra, twice\n' })
  await handBack(task)
  expect(read('extra.txt', tree)).toBe('extra, twice\n')
  await handOff(task)
  write({ 'extra.txt': 'thrice\n' })
  await handBack(task)
  expect(read('extra.txt', tree)).toBe('thrice\n')
  await house.holdfast.close()
})

test('a hand-back that conflicts, that meets somebody at work, or a worktree that was put away', async () => {
  const house = await makeHandOffHouse()
  const { run, handOff, handBack, look, write, read, ports } = house
  const task = await run()
  const tree = house.tree(task)
  await handOff(task)
  write({ new: 'by the user\n' })
  write({ new: 'by somebody else\n' }, tree)
  expect(await handBack(task)).toMatchObject({
    outcome: { kind: 'conflicting', conflicts: [{ path: 'new' }] },
  })
  expect(read('new', tree)).toBe('by somebody else\n')
  expect((await look(task.request.id)).taken).toMatchObject({ how: 'handed_off' })

  write({ new: 'new\n' }, tree)
  const { holdfast } = house
  await putAway(worktreeIdOf(task.request.id), {
    ...ports,
    processes: await holdfast.processes(),
    directory: '/',
    host: await holdfast.host(),
    confinement: await holdfast.confinement(),
    trust: await holdfast.trust(),
    environment: {},
    rights: 'agents',
    tell: () => undefined,
  })
  await expect(handBack(task, 'check')).rejects.toMatchObject({
    hint: expect.stringContaining('restore'),
  })
  expect(existsSync(tree)).toBe(false)
  expect(await handBack(task)).toMatchObject({ outcome: { kind: 'applied' } })
  expect(read('new', tree)).toBe('by the user\n')
  expect(read('file', tree)).toBe('one\nby the agent\n')

  await handOff(task)
  const busy = makeTaskId(randomBytes(16))
  const { place } = await ports.worktrees.openCheckout(house.repo)
  const workplace = { ...(await look(task.request.id)).request.workplace, path: tree }
  const known = await ports.store.findWorktree(workplace.id)
  const seen = { record: known?.record ?? null, newestTask: task.request.id }
  await ports.store.submitTask({ ...makeRequest(busy, place), workplace }, seen)
  await expect(handBack(task)).rejects.toMatchObject({ code: 'leased' })
  await expect(handOff(task)).rejects.toMatchObject({ message: expect.stringContaining(busy) })
  await house.holdfast.close()
})

test('a session that cannot move stays, and so does whoever goes on with it', async () => {
  const house = await makeHandOffHouse()
  const { run, handOff, look, undo, sessions, ports, everything } = house
  const task = await run()
  const before = everything()
  sessions.canMove = false
  const directory = house.tree(task)
  expect((await handOff(task)).session).toMatchObject({ kind: 'stays', directory })
  const stay = await findStay(await look(task.request.id), ports.store)
  expect(stay).toMatchObject({ kind: 'handed_off', handOff: { withSession: false } })
  await undo(task)
  expect(everything()).toEqual(before)
  // An agent that says nothing of it can do nothing of it.
  const mute = { ...ports, agent: async () => ({ name: 'mute' }) as Agent }
  const end = { root: '/a', worktree: null }
  const fate = await planSession(task, { from: end, to: { ...end, root: '/b' } }, {}, mute)
  expect(fate).toMatchObject({ kind: 'stays', argv: null, why: expect.stringContaining('mute') })
  await house.holdfast.close()
})

test('where a task is handed off already, or to what is no checkout of the user’s', async () => {
  const house = await makeHandOffHouse()
  const { run, handOff, look, git, ports, repo } = house
  const [task, other] = [await run(), await run()]
  await expect(handOff(task, 'clean', house.tree(other))).rejects.toMatchObject({
    hint: expect.stringContaining('holdfast apply'),
  })
  const second = join(repo, '..', 'second')
  git('worktree', 'add', '--quiet', '--detach', second)
  await handOff(task)
  await expect(handOff(task, 'clean', second)).rejects.toMatchObject({
    message: expect.stringContaining(repo),
  })
  // Once more is no mistake; an apply beside it does not end it.
  expect(await handOff(task)).toMatchObject({ applied: { kind: 'in_place' } })
  const target = await ports.worktrees.openCheckout(second)
  const wish = { target, mode: 'clean', isStopped: () => false, onMended: () => undefined } as const
  await applyTask(await look(task.request.id), wish, ports)
  expect((await look(task.request.id)).taken).toMatchObject({ how: 'handed_off', where: repo })
  await undoTask(await look(task.request.id), { named: second, standsIn: null }, ports)
  expect((await look(task.request.id)).taken).toMatchObject({ how: 'handed_off', where: repo })
  await house.holdfast.close()
})
