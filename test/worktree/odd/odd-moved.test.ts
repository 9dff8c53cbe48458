/** Repositories that were moved while a task was under way. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { worktreeIdOf } from '../../../src/domain/ids.ts'
import { limits, makeRepository, makeScene, nextTask, Repository, unleased } from '../scene.ts'
import { type Carried, carry, patchOf } from './odd.ts'

async function makeWorked(): Promise<Carried> {
  const carried = await carry(makeRepository(makeScene()))
  carried.agent.write('edited.txt', 'by the agent\n')
  return carried
}

const collect = ({ scene, record, base, task, results }: Carried) =>
  scene.worktrees.collectResult(record, base, task, results)

it('is told as lost, and nothing of the work is', async () => {
  const carried = await makeWorked()
  const { scene, record, repository } = carried
  renameSync(repository.root, `${repository.root} moved`)
  expect(scene.worktrees.lookAtWorktree(record)).toBe('repository_lost')
  await expect(collect(carried)).rejects.toMatchObject({ code: 'capture_failed' })
  await expect(
    scene.worktrees.removeWorktree(unleased(record), null, scene.trash),
  ).rejects.toMatchObject({ code: 'refused_in_state' })
  expect(readFileSync(join(record.path, 'edited.txt'), 'utf8')).toBe('by the agent\n')
})

it('is found again after `git worktree repair`, and its work with it', async () => {
  const carried = await makeWorked()
  const { scene, record, repository } = carried
  const moved = new Repository(scene, `${repository.root} moved`)
  renameSync(repository.root, moved.root)
  moved.git('worktree', 'repair', record.path)
  expect(scene.worktrees.lookAtWorktree(record)).toBe('present')
  expect(scene.worktrees.locateWorktree(record)).toEqual({
    ...record,
    commonDir: join(moved.root, '.git'),
    gitDir: join(moved.root, '.git', 'worktrees', record.id),
  })
  const { commit, files } = await collect(carried)
  expect(files).toBe(1)
  expect(patchOf(carried)).toContain('+by the agent')
  expect(moved.git('show', `${commit}:edited.txt`)).toBe('by the agent')
  await scene.worktrees.removeWorktree(unleased(record), commit, scene.trash)
  expect(existsSync(record.path)).toBe(false)
  expect(moved.git('worktree', 'list').split('\n')).toHaveLength(1)
})

it('is not taken for another one that says it were it', async () => {
  const carried = await makeWorked()
  const { scene, record, repository } = carried
  // As an agent could: a copy to the byte, and a pointer to it.
  const forged = join(record.path, 'forged')
  cpSync(repository.root, forged, { recursive: true })
  renameSync(repository.root, `${repository.root} moved`)
  const gitDir = join(forged, '.git', 'worktrees', record.id)
  writeFileSync(join(record.path, '.git'), `gitdir: ${gitDir}\n`)
  expect(execFileSync('git', ['status', '--short'], { cwd: record.path }).toString()).toContain(
    'edited.txt',
  )
  expect(scene.worktrees.lookAtWorktree(record)).toBe('repository_lost')
  expect(scene.worktrees.locateWorktree(record)).toBe(record)
})

it('before its worktree was made is told, and how to go on', async () => {
  const repository = makeRepository(makeScene())
  const { scene } = repository
  const task = nextTask()
  const checkout = await repository.open()
  const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, limits)
  renameSync(repository.root, `${repository.root} moved`)
  mkdirSync(join(scene.top, 'worktrees'))
  const path = join(scene.top, 'worktrees', task)
  await expect(
    scene.worktrees.createWorktree(worktreeIdOf(task), path, base, checkout.place.commonDir),
  ).rejects.toMatchObject({
    code: 'not_a_repository',
    hint: expect.stringContaining('moved'),
  })
})
