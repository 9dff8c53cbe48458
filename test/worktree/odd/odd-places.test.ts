import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeLinked, makeRepository, makeScene, Repository, type Scene } from '../scene.ts'
import { carry, changesIn, collect, leftOutOf, patchOf, sightOf } from './odd.ts'

/** A staged, an unstaged, a deleted and an untracked change. */
function makeDirty(repository: Repository): void {
  repository.write('edited.txt', 'one\nstaged\nthree\n')
  repository.git('add', 'edited.txt')
  repository.write('kept.txt', 'edited\n')
  repository.remove('removed.txt')
  repository.write('untracked.txt', 'mine\n')
}

interface Place {
  readonly name: string
  /** The checkout that a caller stands in. */
  readonly make: (scene: Scene) => Repository
  /** Done last: git can do no more for the test after it. */
  readonly spoil?: (repository: Repository) => void
}

const inside = (scene: Scene, name: string) => new Repository(scene, join(scene.top, name))

const places: readonly Place[] = [
  {
    name: 'a shallow clone',
    make: scene => {
      const origin = makeRepository(scene)
      for (const n of [1, 2, 3]) origin.commit(`${n}`)
      const clone = inside(scene, 'shallow')
      origin.git('clone', '-q', '--depth=1', `file://${origin.root}`, clone.root)
      expect(clone.git('rev-parse', '--is-shallow-repository')).toBe('true')
      return clone
    },
  },
  {
    name: 'a worktree of a bare repository',
    make: scene => {
      const origin = makeRepository(scene)
      const bare = join(scene.top, 'bare.git')
      origin.git('clone', '-q', '--bare', origin.root, bare)
      const tree = inside(scene, 'tree')
      origin.git(`--git-dir=${bare}`, 'worktree', 'add', '-q', '--detach', tree.root)
      return tree
    },
  },
  {
    name: 'a worktree of a bare repository that keeps `core.bare` per worktree',
    make: scene => {
      const origin = makeRepository(scene)
      mkdirSync(join(scene.top, 'project'))
      const bare = join(scene.top, 'project', '.bare')
      origin.git('clone', '-q', '--bare', origin.root, bare)
      const inBare = (...words: string[]) => origin.git(`--git-dir=${bare}`, ...words)
      inBare('config', 'extensions.worktreeConfig', 'true')
      inBare('config', '--unset', 'core.bare')
      inBare('config', '--worktree', 'core.bare', 'true')
      const tree = inside(scene, 'project/tree')
      inBare('worktree', 'add', '-q', '--detach', tree.root)
      return tree
    },
  },
  {
    name: 'a separate git directory',
    make: scene => {
      const repository = makeRepository(scene)
      repository.git('init', '-q', `--separate-git-dir=${scene.top}/git dir`)
      return repository
    },
  },
  {
    name: 'a work tree named by `core.worktree`',
    make: scene => {
      const repository = makeRepository(scene)
      const files = inside(scene, 'files')
      renameSync(repository.root, files.root)
      mkdirSync(repository.root)
      renameSync(join(files.root, '.git'), join(scene.top, 'apart.git'))
      files.write('.git', `gitdir: ${scene.top}/apart.git\n`)
      files.git('config', 'core.worktree', files.root)
      return files
    },
  },
  {
    name: 'a submodule',
    make: scene => {
      const origin = makeRepository(scene, { name: 'origin' })
      const main = makeRepository(scene)
      main.git('-c', 'protocol.file.allow=always', 'submodule', '-q', 'add', origin.root, 'sub')
      return inside(scene, 'repo/sub')
    },
  },
  {
    name: 'a clone that borrows its objects',
    make: scene => {
      const origin = makeRepository(scene)
      origin.git('clone', '-q', '--shared', origin.root, join(scene.top, 'borrower'))
      return inside(scene, 'borrower')
    },
  },
  { name: 'SHA-256', make: scene => makeRepository(scene, { format: 'sha256' }) },
  {
    name: 'a detached HEAD on an annotated tag',
    make: scene => {
      const repository = makeRepository(scene)
      repository.git('tag', '-a', '-m', 'tagged', 'v1')
      repository.commit('after')
      repository.git('checkout', '-q', 'v1')
      return repository
    },
  },
  {
    name: 'replaced objects and a graft',
    make: scene => {
      const repository = makeRepository(scene)
      const first = repository.head()
      repository.write('kept.txt', 'replaced\n')
      const replacement = repository.commit('the replacement')
      repository.git('reset', '-q', '--hard', first)
      repository.git('replace', first, replacement)
      repository.git('reset', '-q', '--hard')
      const second = repository.commit('second')
      writeFileSync(join(repository.root, '.git/info/grafts'), `${second}\n`)
      return repository
    },
  },
  {
    name: 'hooks that all fail',
    make: makeRepository,
    spoil: repository => {
      const hooks = 'post-checkout reference-transaction pre-auto-gc post-index-change pre-commit'
      for (const hook of hooks.split(' ')) {
        repository.write(`.git/hooks/${hook}`, '#!/bin/sh\nexit 1\n')
        chmodSync(repository.at(`.git/hooks/${hook}`), 0o755)
      }
    },
  },
  {
    name: 'automatic gc at every turn',
    make: scene => {
      const repository = makeRepository(scene)
      repository.git('config', 'gc.auto', '1')
      repository.git('config', 'gc.autoPackLimit', '1')
      repository.git('config', 'gc.pruneExpire', 'now')
      repository.git('config', 'gc.autoDetach', 'false')
      return repository
    },
  },
  {
    name: 'a repository shared by a group',
    make: scene => {
      const repository = makeRepository(scene)
      repository.git('config', 'core.sharedRepository', 'group')
      return repository
    },
  },
  {
    name: 'odd settings of the user',
    make: scene => {
      const repository = makeRepository(scene)
      const settings = {
        'status.relativePaths': 'true',
        'status.showUntrackedFiles': 'no',
        'status.renames': 'copies',
        'diff.ignoreSubmodules': 'all',
        'diff.noprefix': 'true',
        'diff.algorithm': 'patience',
        'diff.context': '0',
        'core.quotePath': 'false',
        'core.checkStat': 'minimal',
        'core.trustctime': 'false',
        'core.preloadIndex': 'false',
        'core.excludesFile': '/dev/null',
        'core.logAllRefUpdates': 'always',
        'color.ui': 'always',
        'column.ui': 'always',
        'i18n.commitEncoding': 'latin1',
        'i18n.logOutputEncoding': 'latin1',
        'checkout.defaultRemote': 'nowhere',
        'checkout.workers': '3',
        'checkout.thresholdForParallelism': '1',
        'commit.gpgSign': 'true',
        'worktree.guessRemote': 'true',
        'feature.manyFiles': 'true',
        'index.version': '4',
        'extensions.worktreeConfig': 'true',
        'submodule.recurse': 'true',
        'transfer.fsckObjects': 'true',
        'advice.detachedHead': 'true',
      }
      for (const [key, value] of Object.entries(settings)) repository.git('config', key, value)
      repository.git('reset', '-q')
      return repository
    },
  },
]

describe.each(places)('$name', ({ make, spoil }) => {
  it('is carried as it is, and the agent’s work comes back', async () => {
    const repository = make(makeScene())
    makeDirty(repository)
    spoil?.(repository)
    const carried = await carry(repository)
    const { agent, results } = carried
    expect(leftOutOf(carried)).toEqual([])
    expect(sightOf(agent)).toEqual(sightOf(repository))
    expect(agent.head()).toBe(repository.head())

    agent.write('untracked.txt', 'mine\nand the agent’s\n')
    agent.write('new.txt', 'new\n')
    agent.remove('directory/b.txt')
    const result = await collect(carried)
    expect(result).toMatchObject({ files: 3, insertions: 2, deletions: 1, leftOut: [] })
    expect(changesIn(carried, result)).toEqual([
      'D directory/b.txt',
      'A new.txt',
      'M untracked.txt',
    ])
    expect(patchOf(carried)).not.toContain('staged')
    repository.git('bundle', 'verify', '-q', join(results, 'result.bundle'))
    expect(repository.git('fsck', '--no-dangling', '--connectivity-only')).toBe('')
  })

  it('is left as it was where nothing has changed', async () => {
    const repository = make(makeScene())
    repository.git('reset', '-q', '--hard')
    repository.git('clean', '-q', '-f', '-d')
    spoil?.(repository)
    const carried = await carry(repository)
    expect(carried.base.changes).toBeNull()
    expect(sightOf(carried.agent)).toEqual(sightOf(repository))
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })
  })
})

it('two worktrees of one bare repository do not disturb each other', async () => {
  const scene = makeScene()
  const first = makeRepository(scene)
  const second = makeLinked(first)
  makeDirty(first)
  second.write('edited.txt', 'another edit\n')
  const [one, two] = await Promise.all([carry(first), carry(second)])
  expect(sightOf(one.agent)).toEqual(sightOf(first))
  expect(sightOf(two.agent)).toEqual(sightOf(second))
  expect(readFileSync(two.agent.at('edited.txt'), 'utf8')).toBe('another edit\n')
})
