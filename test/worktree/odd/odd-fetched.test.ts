/** Partial clones: what they lack is fetched when it is needed. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { worktreeIdOf } from '../../../src/domain/ids.ts'
import { eventually } from '../../eventually.ts'
import {
  limits,
  makeRepository,
  makeScene,
  nextTask,
  processes,
  Repository,
  type Scene,
} from '../scene.ts'
import { carry, changesIn, collect, leftOutOf, sightOf } from './odd.ts'

/** A clone without the contents of any commit but its HEAD. */
function makePartial(scene = makeScene()) {
  const origin = makeRepository(scene, { name: 'origin' })
  origin.write('kept.txt', 'second\n')
  origin.write('directory/a.txt', 'second\n')
  origin.commit('second')
  origin.git('config', 'uploadpack.allowFilter', 'true')
  const clone = new Repository(scene, join(scene.top, 'partial'))
  origin.git('clone', '-q', '--filter=blob:none', `file://${origin.root}`, clone.root)
  const lacks = () => clone.git('rev-list', '--objects', '--all', '--missing=print').match(/^\?/gm)
  expect(lacks()).toHaveLength(2)
  return { scene, origin, clone, lacks }
}

it('what is lacking is fetched for the worktree, and no more than that', async () => {
  const { clone, lacks } = makePartial()
  clone.write('edited.txt', 'edited\n')
  const carried = await carry(clone)
  expect(leftOutOf(carried)).toEqual([])
  expect(sightOf(carried.agent)).toEqual(sightOf(clone))
  expect(lacks()).toHaveLength(2)
  carried.agent.write('kept.txt', 'the agent’s\n')
  expect(changesIn(carried, await collect(carried))).toEqual(['M kept.txt'])

  const older = await carry(clone, { revision: 'HEAD~' })
  expect(readFileSync(older.agent.at('kept.txt'), 'utf8')).toBe('kept\n')
  expect(lacks()).toBeNull()
})

it('nothing is asked of the remote where nothing is lacking', async () => {
  const { origin, clone } = makePartial()
  renameSync(origin.root, `${origin.root}-away`)
  clone.write('new.txt', 'new\n')
  const carried = await carry(clone)
  carried.agent.write('new.txt', 'newer\n')
  expect(changesIn(carried, await collect(carried))).toEqual(['M new.txt'])
})

it('a remote that is gone is told as such, and nothing is left; once it is back, it works', async () => {
  const { scene, origin, clone } = makePartial()
  renameSync(origin.root, `${origin.root}-away`)
  const task = nextTask()
  const checkout = await clone.open()
  const order = { ...limits, revision: 'HEAD~' }
  const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, order)
  const path = join(scene.top, 'worktrees', task)
  const create = () =>
    scene.worktrees.createWorktree(worktreeIdOf(task), path, base, checkout.place.commonDir)
  await expect(create()).rejects.toMatchObject({
    code: 'refused_in_state',
    message: expect.stringMatching(/could not be made.*does not appear to be a git repository/s),
    hint: expect.stringContaining('partial clone'),
  })
  expect(clone.git('worktree', 'list').split('\n')).toHaveLength(1)
  renameSync(`${origin.root}-away`, origin.root)
  await create()
  expect(readFileSync(join(path, 'kept.txt'), 'utf8')).toBe('kept\n')
})

/** From now on its remote takes a call, and says nothing. Gives the file with the pid of the call. */
function silence({ scene, clone }: { scene: Scene; clone: Repository }): string {
  const ssh = join(scene.top, 'ssh')
  const pid = join(scene.top, 'ssh.pid')
  writeFileSync(ssh, `#!/bin/sh\necho $$ > '${pid}'\nexec sleep 600\n`, { mode: 0o755 })
  clone.git('config', 'core.sshCommand', ssh)
  clone.git('config', 'remote.origin.url', 'ssh://nowhere.invalid/repository')
  return pid
}

it('a remote that never answers is given up after the limit, and nobody waits for it', async () => {
  const scene = makeScene()
  const { clone } = makePartial({ ...scene, worktrees: scene.worktreesWithin(1_000) })
  const pid = silence({ scene, clone })
  await expect(carry(clone, { revision: 'HEAD~' })).rejects.toMatchObject({
    code: 'refused_in_state',
    message: expect.stringContaining('has not fetched what this partial clone lacks'),
  })
  // On a slow machine it may have been given up before anybody was asked.
  const asked = () => (existsSync(pid) ? Number(readFileSync(pid, 'utf8')) : Number.NaN)
  await eventually('what it started is gone', () => processes.find(asked()) === undefined)
  expect(clone.git('worktree', 'list').split('\n')).toHaveLength(1)
})

it('so is one that is needed to compare with what a sparse checkout lacks; nothing is lost', async () => {
  const { scene, origin, clone } = makePartial()
  clone.remove('directory')
  clone.git('checkout', '-q', '--detach', 'HEAD~')
  clone.git('sparse-checkout', 'set', '--no-cone', '/*', '!/directory/')
  origin.write('directory/a.txt', 'third\n')
  origin.commit('third')
  clone.git('fetch', '-q')
  clone.git('checkout', '-q', 'FETCH_HEAD')
  const carried = await carry(clone)
  const { record, base, task, results } = carried
  carried.agent.write('directory/a.txt', 'the agent’s\n')
  const url = clone.git('config', 'remote.origin.url')
  silence({ scene, clone })
  const collecting = (by = scene.worktrees) => by.collectResult(record, base, task, results)
  await expect(collecting(scene.worktreesWithin(1_000))).rejects.toMatchObject({
    message: expect.stringContaining('has not fetched what this partial clone lacks'),
  })
  expect(readFileSync(carried.agent.at('directory/a.txt'), 'utf8')).toBe('the agent’s\n')
  clone.git('config', 'remote.origin.url', url)
  expect(changesIn(carried, await collecting())).toEqual(['M directory/a.txt'])
})
