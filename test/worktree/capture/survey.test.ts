/** What is seen of a checkout: whether it is as a task found it, and what there is to review. */
import { expect, it } from 'vitest'
import { defaultBounds } from '../../../src/domain/configuration.ts'
import { fingerprint, makeLinked, makeRepository, makeScene, nextTask } from '../scene.ts'

const order = { changes: 'all', revision: null, ...defaultBounds.capture } as const

it('tells whether a checkout is still as a task found it, and leaves no trace', async () => {
  const scene = makeScene()
  const repository = makeLinked(makeRepository(scene))
  repository.write('edited.txt', 'one\nTWO\nthree\n')
  repository.write('new.txt', 'mine\n')
  const task = nextTask()
  const base = await scene.worktrees.captureBase(
    await repository.open(),
    task,
    scene.scratch,
    order,
  )
  const isAsBase = async () =>
    await scene.worktrees.isAsBase(await repository.open(), task, base, scene.scratch)
  const before = fingerprint(repository)
  expect(await isAsBase()).toBe(true)
  expect(fingerprint(repository)).toEqual(before)
  // What is staged makes no other files.
  repository.git('add', 'new.txt')
  expect(await isAsBase()).toBe(true)
  repository.write('late.txt', '')
  expect(await isAsBase()).toBe(false)
  repository.remove('late.txt')
  // An edit that git's index hides.
  repository.git('update-index', '--assume-unchanged', 'kept.txt')
  repository.write('kept.txt', 'KEPT\n')
  expect(await isAsBase()).toBe(false)
  repository.write('kept.txt', 'kept\n')
  expect(await isAsBase()).toBe(true)
  repository.git('update-index', '--no-assume-unchanged', 'kept.txt')
  // The same files on another commit.
  repository.commit()
  expect(await isAsBase()).toBe(false)
})

it('counts what is changed, and finds the branch to compare with', async () => {
  const scene = makeScene()
  const repository = makeRepository(scene)
  const survey = async () => await scene.worktrees.surveyChanges(await repository.open())
  const clean = { staged: 0, unstaged: 0, untracked: 0 }
  // Its branch is called as nobody's main branch is.
  const none = { ...clean, files: new Map(), mainBranch: null }
  expect(await survey()).toEqual({ ...none, branch: 'trunk/odd-name' })
  repository.git('branch', 'master')
  expect(await survey()).toMatchObject({ mainBranch: 'master' })
  repository.git('update-ref', 'refs/remotes/origin/dev', 'HEAD')
  repository.git('symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/dev')
  expect(await survey()).toMatchObject({ mainBranch: 'origin/dev' })
  repository.git('branch', 'dev')
  repository.git('checkout', '-q', '--detach')
  repository.write('edited.txt', 'ONE\n')
  repository.git('add', 'edited.txt')
  repository.write('edited.txt', 'TWO\n')
  repository.remove('removed.txt')
  repository.write('some/new.txt', '')
  repository.write('some/other.txt', '')
  repository.write('an.ignored', '')
  const before = fingerprint(repository)
  const { files, ...counted } = await survey()
  expect(counted).toEqual({
    staged: 1,
    unstaged: 2,
    untracked: 2,
    branch: null,
    mainBranch: 'dev',
  })
  const names = ['edited.txt', 'removed.txt', 'some/new.txt', 'some/other.txt']
  expect([...files.keys()].sort()).toEqual(names)
  expect(fingerprint(repository)).toEqual(before)
  // What is edited again to the same length is another file all the same.
  repository.write('edited.txt', 'SIX\n')
  const { files: later } = await survey()
  expect(names.filter(name => later.get(name) !== files.get(name))).toEqual(['edited.txt'])
  const checkout = await repository.open()
  expect(await scene.worktrees.requireCommit(checkout, 'dev')).toBe(repository.head())
  await expect(scene.worktrees.requireCommit(checkout, '--all')).rejects.toMatchObject({
    code: 'no_commit',
  })
})
