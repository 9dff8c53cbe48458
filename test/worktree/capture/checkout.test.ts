import { chmodSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { plainUserTest } from '../../other-users.ts'
import { runAsNobody } from '../as-nobody.ts'
import { makeLinked, makeRepository, makeScene, Repository } from '../scene.ts'

describe('a checkout', () => {
  it('is found from its top, with its commit and tree', async () => {
    const repository = makeRepository(makeScene())
    expect(await repository.open()).toEqual({
      place: {
        root: repository.root,
        commonDir: join(repository.root, '.git'),
        subdirectory: '',
      },
      gitDir: join(repository.root, '.git'),
      head: repository.head(),
      headTree: repository.tree('HEAD'),
      objectFormat: 'sha1',
    })
  })

  it('is found from a subdirectory of a linked worktree on a detached HEAD', async () => {
    const scene = makeScene()
    const main = makeRepository(scene, { name: 'with spaces/and ünïcode' })
    const linked = makeLinked(main, 'linked "tree"')
    linked.write('deep/odd\nname/file.txt', 'new\n')
    linked.commit()
    const { place, gitDir, head } = await scene.worktrees.openCheckout(
      join(linked.root, 'deep/odd\nname'),
    )
    expect(place).toEqual({
      root: linked.root,
      commonDir: join(main.root, '.git'),
      subdirectory: 'deep/odd\nname',
    })
    expect(gitDir).toBe(linked.git('rev-parse', '--absolute-git-dir'))
    expect(head).toBe(linked.head())
  })

  it('is found through a link to a directory in it', async () => {
    const scene = makeScene()
    const repository = makeRepository(scene)
    symlinkSync(join(repository.root, 'directory'), join(scene.top, 'shortcut'))
    const { place } = await scene.worktrees.openCheckout(join(scene.top, 'shortcut'))
    expect(place).toMatchObject({ root: repository.root, subdirectory: 'directory' })
  })

  it('is found whatever the caller’s GIT_DIR says', async () => {
    const scene = makeScene()
    const repository = makeRepository(scene)
    const { makeGit } = await import('../../../src/worktree/git/git.ts')
    const { openCheckout } = await import('../../../src/worktree/capture/checkout.ts')
    const misled = makeGit({ ...scene.environment, GIT_DIR: '/nowhere', GIT_WORK_TREE: '/nowhere' })
    expect((await openCheckout(misled, repository.root)).place.root).toBe(repository.root)
  })

  it('knows SHA-256', async () => {
    const repository = makeRepository(makeScene(), { format: 'sha256' })
    expect(await repository.open()).toMatchObject({
      objectFormat: 'sha256',
      head: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })
})

describe('it is refused', () => {
  it('outside of any repository, with git’s own words', async () => {
    const scene = makeScene()
    await expect(scene.worktrees.openCheckout(scene.home)).rejects.toMatchObject({
      code: 'not_a_repository',
      message: expect.stringContaining('not a git repository'),
      cause: { name: 'GitError', status: 128 },
    })
  })

  it('in a repository without a commit', async () => {
    const scene = makeScene()
    const empty = new Repository(scene, join(scene.top, 'empty'))
    mkdirSync(empty.root)
    empty.git('init', '-q')
    await expect(empty.open()).rejects.toMatchObject({ code: 'no_commit' })
  })

  it('on a branch without a commit, in a repository that has some', async () => {
    const repository = makeRepository(makeScene())
    repository.git('checkout', '-q', '--orphan', 'unborn')
    await expect(repository.open()).rejects.toMatchObject({
      code: 'no_commit',
      message: `HEAD of ${repository.root} has no commit to start from`,
    })
  })

  it('in a bare repository, and inside of a git directory', async () => {
    const scene = makeScene()
    const repository = makeRepository(scene)
    const bare = join(scene.top, 'bare.git')
    repository.git('clone', '-q', '--bare', repository.root, bare)
    await expect(scene.worktrees.openCheckout(bare)).rejects.toMatchObject({
      code: 'refused_in_state',
      message: expect.stringContaining('a bare repository'),
    })
    await expect(scene.worktrees.openCheckout(join(repository.root, '.git'))).rejects.toMatchObject(
      {
        code: 'refused_in_state',
        message: expect.stringContaining('the inside of a git directory'),
      },
    )
  })

  it.each(['line\nbreak', 'two\n\nlines'])('when its path has a newline: %j', async name => {
    const repository = makeRepository(makeScene(), { name })
    await expect(repository.open()).rejects.toMatchObject({
      code: 'refused_in_state',
      message: expect.stringContaining(JSON.stringify(name).slice(1, -1)),
    })
  })

  plainUserTest('in the directory of another user, with git’s own words', async () => {
    const scene = makeScene()
    const repository = makeRepository(scene)
    const open = async () => await runAsNobody(scene, ['open', repository.root])
    expect(await open()).toMatchObject({ place: { root: repository.root } })
    if (process.getuid?.() !== 0) return
    chmodSync(scene.top, 0o755)
    expect(await runAsNobody(scene, ['open', repository.root], [], 'root')).toMatchObject({
      code: 'refused_in_state',
      message: expect.stringContaining('git config --global --add safe.directory'),
    })
  })

  it('in a directory that is gone, or without git', async () => {
    const scene = makeScene()
    await expect(scene.worktrees.openCheckout(join(scene.top, 'gone'))).rejects.toMatchObject({
      code: 'refused_in_state',
      message: expect.stringContaining('is gone'),
    })
    const { makeGit } = await import('../../../src/worktree/git/git.ts')
    const { openCheckout } = await import('../../../src/worktree/capture/checkout.ts')
    await expect(openCheckout(makeGit({ PATH: '/nowhere' }), scene.top)).rejects.toMatchObject({
      hint: 'holdfast needs git on PATH',
    })
  })
})

it('says the version of git, and refuses one that is too old', async () => {
  const { gitVersion } = await import('../../../src/worktree/git/version.ts')
  const said = (text: string) => ({
    start: () => {
      throw new Error('not meant to be used')
    },
    run: async () => ({ status: 0, stdout: Buffer.from(text), stderr: '' }),
  })
  expect(await gitVersion(said('git version 2.39.5 (Apple Git-154)\n'))).toBe('2.39.5')
  expect(await gitVersion(said('git version 3.0.0\n'))).toBe('3.0.0')
  await expect(gitVersion(said('git version 2.34.1\n'))).rejects.toMatchObject({
    message: 'git 2.34.1 is too old',
  })
  expect(await makeScene().worktrees.gitVersion()).toMatch(/^\d+\.\d+/)
})
