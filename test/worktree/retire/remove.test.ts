import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { onReach } from '../../../src/domain/crash-points.ts'
import type { CommitId } from '../../../src/domain/ids.ts'
import { plainUserTest } from '../../other-users.ts'
import { runAsNobody } from '../as-nobody.ts'
import {
  filesOf,
  type Made,
  makeLinked,
  makeMade as makeMadeOf,
  makeRepository,
  makeScene,
  Repository,
  unleased,
} from '../scene.ts'

const makeMade = () => makeMadeOf(repository => repository.write('callers.txt', 'untracked\n'))

const collect = async ({ scene, record, base, task }: Made): Promise<CommitId> =>
  (await scene.worktrees.collectResult(record, base, task, scene.scratch)).commit

const remove = ({ scene, record }: Made, collected: CommitId | null) =>
  scene.worktrees.removeWorktree(unleased(record), collected, scene.trash)

/** Gone: directory, registration and trash. */
async function expectGone(made: Made): Promise<void> {
  const { scene, record, repository } = made
  expect(existsSync(record.path)).toBe(false)
  expect(readdirSync(scene.trash)).toEqual([])
  expect(existsSync(record.gitDir)).toBe(false)
  const paths = (await scene.worktrees.listRegistered(record.commonDir)).map(({ path }) => path)
  expect(paths).not.toContain(record.path)
  repository.git('fsck', '--strict', '--no-dangling')
}

describe('a worktree', () => {
  it('whose work was collected is removed, and nothing else is', async () => {
    const made = await makeMade()
    const sibling = makeLinked(made.repository, 'sibling')
    const away = makeLinked(made.repository, 'away')
    renameSync(away.root, `${away.root} on another disk`)
    made.agent.write('new.txt', 'new\n')
    const commit = await collect(made)
    const before = filesOf(made.repository)
    await remove(made, commit)
    await expectGone(made)
    expect(filesOf(made.repository)).toEqual(before)
    expect(sibling.git('status', '--porcelain')).toBe('')
    const registered = await made.scene.worktrees.listRegistered(made.record.commonDir)
    expect(registered.map(({ path }) => path)).toContain(away.root)
    expect(made.repository.git('show', `refs/holdfast/${made.task}/result:new.txt`)).toBe('new')
    await remove(made, commit)
  })

  it('of which nothing was collected is removed if it is as it was made', async () => {
    const made = await makeMade()
    made.agent.write('new.txt', 'new\n')
    await expect(remove(made, null)).rejects.toMatchObject({ code: 'work_left' })
    made.agent.remove('new.txt')
    await remove(made, null)
    await expectGone(made)
  })

  it.each<[string, string, (agent: Repository) => void]>([
    ['a new file', 'late.txt', agent => agent.write('late.txt', 'late\n')],
    ['an ignored file', 'cache.ignored', agent => agent.write('cache.ignored', 'late\n')],
    ['an edit', 'kept.txt', agent => agent.write('kept.txt', 'late\n')],
    ['a deletion', 'kept.txt', agent => agent.remove('kept.txt')],
    ['an exec bit', 'kept.txt', agent => chmodSync(agent.at('kept.txt'), 0o755)],
    [
      'an edit of the same size and time',
      'kept.txt',
      agent => {
        agent.git('update-index', '--assume-unchanged', 'kept.txt')
        agent.write('kept.txt', 'KEPT\n')
      },
    ],
    [
      'a nested repository',
      'nested/',
      agent => {
        mkdirSync(agent.at('nested'))
        new Repository(agent.scene, agent.at('nested').toString()).git('init', '-q')
      },
    ],
    [
      'a commit',
      'commit ',
      agent => {
        agent.git('commit', '-q', '--allow-empty', '-m', 'late')
      },
    ],
  ])('with %s that came after is refused and kept', async (_, named, work) => {
    const made = await makeMade()
    made.agent.write('new.txt', 'new\n')
    const commit = await collect(made)
    work(made.agent)
    const before = filesOf(made.agent)
    await expect(remove(made, commit)).rejects.toMatchObject({
      code: 'work_left',
      message: expect.stringContaining(named),
    })
    expect(made.scene.worktrees.lookAtWorktree(made.record)).toBe('present')
    expect(filesOf(made.agent)).toEqual(before)
    expect(readdirSync(made.scene.trash)).toEqual([])
  })

  it('with a submodule that is filled is refused and kept', async () => {
    const made = await makeMade()
    const other = makeRepository(made.scene, { name: 'other' })
    const allow = ['-c', 'protocol.file.allow=always']
    made.agent.git(...allow, 'submodule', '-q', 'add', other.root, 'sub')
    made.agent.commit()
    const commit = await collect(made)
    await expect(remove(made, commit)).rejects.toMatchObject({ code: 'work_left' })
    expect(existsSync(made.agent.at('sub/kept.txt'))).toBe(true)
  })

  it('that is another one by now is refused and kept', async () => {
    const made = await makeMade()
    const commit = await collect(made)
    renameSync(made.record.path, `${made.record.path}-away`)
    mkdirSync(made.record.path)
    writeFileSync(join(made.record.path, 'precious.txt'), 'not ours\n')
    await expect(remove(made, commit)).rejects.toMatchObject({ code: 'refused_in_state' })
    expect(readdirSync(made.record.path)).toEqual(['precious.txt'])
    expect(existsSync(made.record.gitDir)).toBe(true)
  })

  it('of a repository that is gone is refused and kept', async () => {
    const made = await makeMade()
    const commit = await collect(made)
    rmSync(made.repository.root, { recursive: true })
    await expect(remove(made, commit)).rejects.toMatchObject({ code: 'refused_in_state' })
    expect(existsSync(made.agent.at('kept.txt'))).toBe(true)
  })

  it('written to between the proof and the rename is put back', async () => {
    const made = await makeMade()
    const commit = await collect(made)
    let proofs = 0
    // Whoever has a file open writes to it now.
    onReach(point => {
      if (point === 'retire.proven' && ++proofs === 1) made.agent.write('kept.txt', 'too late\n')
    })
    onTestFinished(() => onReach(() => undefined))
    await expect(remove(made, commit)).rejects.toMatchObject({ code: 'work_left' })
    expect(proofs).toBe(1)
    expect(made.scene.worktrees.lookAtWorktree(made.record)).toBe('present')
    expect(filesOf(made.agent).get('kept.txt')).toBe('file too late\n')
  })
})

describe('a removal that was killed is finished by the next', () => {
  it('after the rename', async () => {
    const made = await makeMade()
    const commit = await collect(made)
    renameSync(made.record.path, join(made.scene.trash, made.record.id))
    await remove(made, commit)
    await expectGone(made)
  })

  it('after the rename, unless it was written to since', async () => {
    const made = await makeMade()
    const commit = await collect(made)
    const trashed = join(made.scene.trash, made.record.id)
    renameSync(made.record.path, trashed)
    writeFileSync(join(trashed, 'late.txt'), 'late\n')
    await expect(remove(made, commit)).rejects.toMatchObject({ code: 'work_left' })
    expect(existsSync(join(trashed, 'late.txt'))).toBe(true)
    expect(existsSync(made.record.gitDir)).toBe(true)
  })

  it('after it was unregistered', async () => {
    const made = await makeMade()
    const commit = await collect(made)
    renameSync(made.record.path, join(made.scene.trash, made.record.id))
    made.repository.git('worktree', 'remove', '-f', '-f', made.record.path)
    await remove(made, commit)
    await expectGone(made)
  })
})

plainUserTest('unlinks read-only directories, and nothing behind a link', async () => {
  const scene = makeScene()
  const tree = join(scene.top, 'tree')
  mkdirSync(join(tree, 'cache', 'deep'), { recursive: true })
  writeFileSync(join(tree, 'cache', 'deep', 'file'), '')
  mkdirSync(join(scene.top, 'outside'))
  writeFileSync(join(scene.top, 'outside', 'file'), '')
  const { symlinkSync } = await import('node:fs')
  symlinkSync('../outside', join(tree, 'link'))
  chmodSync(join(tree, 'cache', 'deep'), 0o555)
  chmodSync(join(tree, 'cache'), 0o555)
  expect(await runAsNobody(scene, ['discard', tree])).toBe('discarded')
  expect(existsSync(tree)).toBe(false)
  expect(readdirSync(join(scene.top, 'outside'))).toEqual(['file'])
})
