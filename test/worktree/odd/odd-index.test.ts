/** Indexes that say more than a tree can: conflicts, intents to add, flags that hide edits. */
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeLinked, makeRepository, makeScene, Repository } from '../scene.ts'
import { carry, changesIn, collect, leftOutOf, patchOf, sightOf } from './odd.ts'

/** A merge, a rebase, … that stops at a conflict. */
function conflict(repository: Repository, ...words: string[]): void {
  repository.git('checkout', '-q', '-b', 'theirs')
  repository.write('edited.txt', 'one\ntheirs\nthree\n')
  repository.remove('removed.txt')
  repository.write('both.txt', 'theirs\n')
  repository.write('theirs.txt', 'theirs\n')
  repository.commit('theirs')
  repository.git('checkout', '-q', '-')
  repository.write('edited.txt', 'one\nours\nthree\n')
  repository.write('removed.txt', 'edited by us\n')
  repository.write('both.txt', 'ours\n')
  repository.commit('ours')
  expect(() => repository.git(...words, 'theirs')).toThrow()
}

const operations: [string, string[], string][] = [
  ['merge', ['merge'], 'a merge is in progress: not taken (MERGE_HEAD)'],
  ['cherry-pick', ['cherry-pick'], 'a cherry-pick is in progress: not taken (CHERRY_PICK_HEAD)'],
  ['rebase', ['rebase'], 'a rebase is in progress: not taken (rebase-merge)'],
  [
    'rebase of the older kind',
    ['rebase', '--apply'],
    'a rebase is in progress: not taken (rebase-apply)',
  ],
]

describe('a checkout in the middle of a', () => {
  it.each(operations)(
    '%s is carried with its conflicts, its state is not',
    async (_, words, said) => {
      const repository = makeRepository(makeScene())
      conflict(repository, ...words)
      repository.write('untracked.txt', 'mine\n')
      const carried = await carry(repository)
      const { agent } = carried
      expect(leftOutOf(carried)).toEqual([`${said}, only its files and conflicts`])
      expect(sightOf(agent)).toEqual(sightOf(repository))
      expect(existsSync(join(carried.record.gitDir, 'MERGE_HEAD'))).toBe(false)

      const unchanged = await collect(carried)
      expect(changesIn(carried, unchanged)).toEqual([])
      agent.write('edited.txt', 'one\nboth\nthree\n')
      agent.git('add', 'edited.txt')
      agent.git('rm', '-q', '--cached', 'removed.txt')
      agent.remove('removed.txt')
      const result = await collect(carried)
      expect(changesIn(carried, result)).toEqual(['M edited.txt', 'D removed.txt'])
      expect(repository.git('show', `${result.commit}:both.txt`)).toContain('<<<<<<<')
    },
  )

  it('merge has conflicts whose sides only the index holds, through the harshest gc', async () => {
    const repository = makeRepository(makeScene())
    conflict(repository, 'merge')
    const sight = sightOf(repository)
    const task = await carry(repository)
    repository.git('merge', '--abort')
    repository.git('branch', '-D', 'theirs')
    repository.git('reflog', 'expire', '--expire=now', '--all')
    repository.git('gc', '-q', '--prune=now')
    const again = await task.scene.worktrees.createWorktree(
      'w2' as never,
      join(task.scene.top, 'again'),
      task.base,
      task.record.commonDir,
    )
    task.agent.git('cat-file', '-e', ':3:edited.txt')
    expect(sightOf(new Repository(task.scene, again.path))).toEqual(sight)
  })

  it('bisect, with no change at all, is carried as its commit', async () => {
    const repository = makeRepository(makeScene())
    for (const n of [1, 2, 3, 4]) repository.commit(`${n}`)
    repository.git('bisect', 'start', 'HEAD', 'HEAD~4')
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([
      'a bisect is in progress: not taken (BISECT_LOG), only its files and conflicts',
    ])
    expect(carried.agent.head()).toBe(repository.head())
    expect(sightOf(carried.agent)).toEqual(sightOf(repository))
  })

  it('merge in a linked worktree is that one’s, and no other’s', async () => {
    const main = makeRepository(makeScene())
    const linked = makeLinked(main)
    linked.git('checkout', '-q', '-b', 'linked')
    conflict(linked, 'merge')
    expect(leftOutOf(await carry(main))).toEqual([])
    const carried = await carry(linked)
    expect(leftOutOf(carried)).toHaveLength(1)
    expect(sightOf(carried.agent)).toEqual(sightOf(linked))
  })
})

describe('conflicts between', () => {
  it('a file and a directory, and between kinds of files, are carried', async () => {
    const repository = makeRepository(makeScene())
    repository.git('checkout', '-q', '-b', 'theirs')
    repository.remove('directory')
    repository.write('directory', 'a file\n')
    repository.remove('kept.txt')
    symlinkSync('edited.txt', repository.at('kept.txt'))
    repository.write('odd\n"name"', 'theirs\n')
    repository.commit()
    repository.git('checkout', '-q', '-')
    repository.write('directory/a.txt', 'edited\n')
    repository.write('kept.txt', 'edited\n')
    repository.write('odd\n"name"', 'ours\n')
    repository.commit()
    expect(() => repository.git('merge', 'theirs')).toThrow()
    const carried = await carry(repository)
    expect(sightOf(carried.agent)).toEqual(sightOf(repository))
    expect(changesIn(carried, await collect(carried))).toEqual([])
  })

  it('files that are gone or changed again on disk are carried as they are', async () => {
    const repository = makeRepository(makeScene())
    conflict(repository, 'merge')
    repository.remove('edited.txt')
    repository.write('both.txt', 'resolved, and not yet added\n')
    const carried = await carry(repository)
    expect(sightOf(carried.agent)).toEqual(sightOf(repository))
  })
})

describe('an intent to add', () => {
  it('is set again, for odd names and ignored files too', async () => {
    const repository = makeRepository(makeScene())
    for (const name of ['plain.txt', ':(top)*', 'line\nbreak', 'forced.ignored', 'new/deep.txt']) {
      repository.write(name, 'not yet\n')
      repository.git('--literal-pathspecs', 'add', '--force', '--intent-to-add', name)
    }
    repository.write('forced.ignored', 'not yet\n')
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([])
    expect(sightOf(carried.agent)).toEqual(sightOf(repository))
    expect(changesIn(carried, await collect(carried))).toEqual([])
    carried.agent.write('plain.txt', 'edited by the agent\n')
    expect(changesIn(carried, await collect(carried))).toEqual(['M plain.txt'])
  })

  it('of a file that is gone is said; an empty file that is gone is a deletion', async () => {
    const repository = makeRepository(makeScene())
    repository.write('empty.txt', '')
    repository.commit()
    repository.write('intended.txt', '')
    repository.git('add', '--intent-to-add', 'intended.txt')
    repository.remove('intended.txt')
    repository.remove('empty.txt')
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual(['intended.txt: not taken: an intent to add no file'])
    expect(carried.base.changes).toMatchObject({ deleted: 1, modified: 0, untracked: 0 })
    expect(carried.agent.git('status', '--porcelain')).toBe(' D empty.txt')
  })
})

describe.each(['--skip-worktree', '--assume-unchanged'])('the flag %s', flag => {
  it('is set again, with the edit that it hides, which is not the agent’s', async () => {
    const repository = makeRepository(makeScene())
    repository.git('update-index', flag, 'edited.txt', 'kept.txt', 'removed.txt')
    repository.write('edited.txt', 'a hidden edit\n')
    repository.remove('removed.txt')
    const carried = await carry(repository)
    const { agent } = carried
    expect(sightOf(agent)).toEqual(sightOf(repository))
    expect(agent.git('status', '--porcelain')).toBe('')
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })

    agent.write('edited.txt', 'a hidden edit\nand the agent’s\n')
    agent.write('kept.txt', 'the agent’s\n')
    const result = await collect(carried)
    expect(changesIn(carried, result)).toEqual(['M edited.txt', 'M kept.txt'])
    expect(patchOf(carried)).not.toContain('+a hidden edit')
  })

  it('is set again where it hides nothing', async () => {
    const repository = makeRepository(makeScene())
    repository.git('update-index', flag, 'edited.txt')
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([])
    expect(sightOf(carried.agent)).toEqual(sightOf(repository))
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })
  })
})

it('both flags on one file, beside staged changes and a conflict, are set again', async () => {
  const repository = makeRepository(makeScene())
  conflict(repository, 'merge')
  repository.git('update-index', '--skip-worktree', 'kept.txt')
  repository.git('update-index', '--assume-unchanged', 'kept.txt')
  repository.write('kept.txt', 'twice hidden\n')
  repository.write('staged.txt', 'staged\n')
  repository.git('add', 'staged.txt')
  repository.write('intended.txt', 'not yet\n')
  repository.git('add', '--intent-to-add', 'intended.txt')
  const carried = await carry(repository)
  expect(sightOf(carried.agent)).toEqual(sightOf(repository))
  expect(await collect(carried)).toMatchObject({ files: 0 })
})

it('an index of version 4, split, with an untracked cache, is read as it is and left so', async () => {
  const repository = makeRepository(makeScene())
  repository.git('update-index', '--index-version', '4', '--split-index')
  repository.git('update-index', '--force-untracked-cache')
  repository.git('status')
  repository.git('update-index', '--assume-unchanged', 'kept.txt')
  repository.write('kept.txt', 'hidden\n')
  repository.write('staged.txt', 'staged\n')
  repository.git('add', 'staged.txt')
  const carried = await carry(repository)
  expect(leftOutOf(carried)).toEqual([])
  expect(sightOf(carried.agent)).toEqual(sightOf(repository))
})

it('an index that trusts a file system monitor: the files are looked at all the same', async () => {
  const repository = makeRepository(makeScene())
  const monitor = join(repository.scene.top, 'monitor')
  // It has never seen anything change.
  writeFileSync(monitor, "#!/bin/sh\nprintf 'token\\0'\n", { mode: 0o755 })
  repository.git('config', 'core.fsmonitor', monitor)
  repository.git('update-index', '--fsmonitor')
  repository.git('status')
  repository.write('edited.txt', 'edited\n')
  expect(repository.git('status', '--porcelain')).toBe('')
  const { base, agent } = await carry(repository)
  expect(base.changes).toMatchObject({ modified: 1, leftOut: [] })
  expect(readFileSync(agent.at('edited.txt'), 'utf8')).toBe('edited\n')
})
