/** FIFOs under names that git opens without a look: they may not hold anything up for ever. */
import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { makeGit } from '../../../src/worktree/git/git.ts'
import { unblocked } from '../../../src/worktree/git/unblock.ts'
import { limits, makeRepository, makeScene, nextTask, type Repository } from '../scene.ts'
import { carry, changesIn, collect } from './odd.ts'

function makeFifos(repository: Repository, ...names: string[]): void {
  const paths = names.map(name => repository.at(name).toString())
  for (const path of paths) {
    execFileSync('mkdir', ['-p', path.slice(0, path.lastIndexOf('/'))])
    execFileSync('rm', ['-f', path])
  }
  execFileSync('mkfifo', paths)
}

it('of an agent are said in its result, which has all the rest', async () => {
  const carried = await carry(makeRepository(makeScene()))
  const { agent } = carried
  makeFifos(agent, '.gitignore', '.gitattributes', 'directory/.gitignore', 'new/.gitattributes')
  makeFifos(agent, 'nested/.git/HEAD', 'nested/.git/config', 'nested/.git/packed-refs')
  for (const name of ['edited.txt', 'new/made.txt', 'nested/made.txt']) agent.write(name, 'made\n')
  const result = await collect(carried)
  expect(result.leftOut).toContain('.gitignore: not taken: it is a FIFO')
  expect(changesIn(carried, result)).toEqual([
    'D .gitignore',
    'M edited.txt',
    'A nested/made.txt',
    'A new/made.txt',
  ])
})

it('of the caller do not keep a task from being handed in', async () => {
  const repository = makeRepository(makeScene())
  makeFifos(repository, '.gitattributes', 'new/.gitignore', 'nested/.git/HEAD')
  repository.write('new/made.txt', 'made\n')
  const { worktrees, scratch } = repository.scene
  const checkout = await repository.open()
  const { changes } = await worktrees.captureBase(checkout, nextTask(), scratch, limits)
  expect(repository.git('show', `${changes?.snapshot}:new/made.txt`)).toBe('made')
})

it('and whatever else a git waits for end it at the limit', async () => {
  const repository = makeRepository(makeScene())
  const reader = unblocked(makeGit(repository.scene.environment), repository.root, 100)
  const place = { gitDir: repository.at('.git').toString() }
  // It waits for an input that does not end.
  const waiting = reader.start(['hash-object', '--stdin'], { place })
  await expect(waiting.ended).rejects.toMatchObject({
    code: 'capture_failed',
    message: expect.stringContaining('git hash-object did not end'),
    hint: expect.stringContaining(repository.root),
  })
})
