import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { worktreeIdOf } from '../../../src/domain/ids.ts'
import type { Base, BaseChanges } from '../../../src/domain/task.ts'
import type { CaptureOrder } from '../../../src/ports/worktrees.ts'
import { plainUserTest } from '../../other-users.ts'
import { runAsNobody } from '../as-nobody.ts'
import {
  directoriesOf,
  filesOf,
  fingerprint,
  leftovers,
  limits,
  makeLinked,
  makePayload,
  makeRepository,
  makeScene,
  nextTask,
  Repository,
  realGit,
  statusOf,
  treeByGit,
  withGitScript,
} from '../scene.ts'
import { sources } from '../sources.ts'

async function capture(
  repository: Repository,
  order: Partial<CaptureOrder> = {},
  task = nextTask(),
): Promise<Base> {
  const { worktrees, scratch } = repository.scene
  const checkout = await repository.open()
  return await worktrees.captureBase(checkout, task, scratch, { ...limits, ...order })
}

async function captureChanges(repository: Repository): Promise<BaseChanges> {
  const { changes } = await capture(repository)
  if (changes === null) throw new Error('it found no changes')
  return changes
}

describe.each(['main', 'linked'])('the changes of a %s worktree', kind => {
  it.each(sources)('come along and leave no trace: $name', async ({ prepare }) => {
    const scene = makeScene()
    const main = makeRepository(scene)
    const repository = kind === 'main' ? main : makeLinked(main)
    prepare(repository)
    const before = fingerprint(repository)
    const task = nextTask()

    const base = await capture(repository, {}, task)

    expect(fingerprint(repository)).toEqual(before)
    expect(readdirSync(scene.scratch)).toEqual([])
    expect(base.commit).toBe(repository.head())
    expect(base.changes?.leftOut).toEqual([])
    const snapshot = base.changes?.snapshot ?? base.commit
    const staged = base.changes?.staged ?? base.commit
    const found = [`refs/holdfast/${task}/base`, `${snapshot}^{tree}`, `${staged}^{tree}`]
    expect(repository.git('rev-parse', ...found).split('\n')).toEqual([
      snapshot,
      treeByGit(repository),
      repository.git('write-tree'),
    ])

    const path = join(scene.top, 'made')
    const { commonDir } = directoriesOf(main)
    await scene.worktrees.createWorktree(worktreeIdOf(task), path, base, commonDir)
    const made = new Repository(scene, path)
    expect(filesOf(made)).toEqual(filesOf(repository))
    expect(statusOf(made)).toBe(before.status)
  })
})

describe('a base', () => {
  it('of a clean checkout is its commit, held by a ref, for three spawns in all', async () => {
    const scene = makeScene()
    const repository = makeRepository(scene)
    const log = join(scene.top, 'spawned')
    const script = `#!/bin/sh\necho x >> '${log}'\nexec '${realGit()}' "$@"\n`
    const counted = withGitScript(scene, script)
    const task = nextTask()

    const checkout = await counted.openCheckout(repository.root)
    const base = await counted.captureBase(checkout, task, scene.scratch, limits)

    expect(base).toEqual({ commit: repository.head(), changes: null })
    expect(repository.git('rev-parse', `refs/holdfast/${task}/base`)).toBe(base.commit)
    expect(readFileSync(log, 'utf8')).toBe('x\n'.repeat(3))
  })

  it('is dropped when the submission fails after it', async () => {
    const repository = makeRepository(makeScene())
    const task = nextTask()
    await capture(repository, {}, task)
    const { worktrees } = repository.scene
    await worktrees.dropBase((await repository.open()).place.commonDir, task)
    expect(leftovers(repository)).toEqual([])
    await worktrees.dropBase((await repository.open()).place.commonDir, task)
  })

  it('has none but the changes of known files, or none at all, where that is asked for', async () => {
    const repository = makeRepository(makeScene())
    repository.write('edited.txt', 'edited\n')
    repository.write('staged.txt', 'new, and known to git\n')
    repository.git('add', 'staged.txt')
    repository.write('unknown.txt', 'new\n')
    repository.git('rm', '-q', '--cached', 'kept.txt')
    const index = repository.git('write-tree')
    const before = fingerprint(repository)
    const { changes } = await capture(repository, { changes: 'tracked' })
    const diff = repository.git('diff', '--name-status', 'HEAD', changes?.snapshot ?? '')
    expect(diff.split('\n')).toEqual(['M\tedited.txt', 'D\tkept.txt', 'A\tstaged.txt'])
    expect(repository.tree(changes?.staged ?? '')).toBe(index)
    expect(changes).toMatchObject({ modified: 2, untracked: 0, deleted: 1 })
    expect(await capture(repository, { changes: 'none' })).toEqual({
      commit: repository.head(),
      changes: null,
    })
    expect(fingerprint(repository)).toEqual(before)
  })

  it('is the commit that a revision names; changes belong to HEAD alone', async () => {
    const repository = makeRepository(makeScene())
    const first = repository.head()
    const second = repository.commit('second')
    repository.git('tag', '-a', '-m', 'annotated', 'v1', first)
    repository.write('edited.txt', 'edited\n')
    const before = fingerprint(repository)
    for (const revision of ['HEAD~', 'v1', first, 'HEAD^{/first}']) {
      const task = nextTask()
      const base = await capture(repository, { revision }, task)
      expect(base).toEqual({ commit: first, changes: null })
      expect(repository.git('rev-parse', `refs/holdfast/${task}/base`)).toBe(first)
    }
    const { commit, changes } = await capture(repository, { revision: 'HEAD' })
    expect([commit, changes?.modified]).toEqual([second, 1])
    expect(fingerprint(repository)).toEqual(before)
  })

  it.each(['nowhere', '--all', 'HEAD^{tree}', 'HEAD:kept.txt', 'HEAD~..HEAD', '', 'first\nsecond'])(
    'is refused where the revision %j names no commit',
    async revision => {
      const repository = makeRepository(makeScene())
      repository.commit('second')
      await expect(capture(repository, { revision })).rejects.toMatchObject({ code: 'no_commit' })
      expect(leftovers(repository)).toEqual([])
    },
  )

  it('says how much it took', async () => {
    const repository = makeRepository(makeScene())
    repository.write('edited.txt', 'edited\n')
    repository.write('new-1.txt', 'new\n')
    repository.write('new-2.txt', 'new\n')
    repository.remove('removed.txt')
    expect(await captureChanges(repository)).toMatchObject({
      modified: 1,
      untracked: 2,
      deleted: 1,
      staged: null,
    })
  })

  it.each([
    { hidden: 'nothing', option: undefined },
    { hidden: 'another file', option: '--assume-unchanged' },
  ])('has an edit of the second of the index, with flags that hide $hidden', async ({ option }) => {
    const repository = makeRepository(makeScene())
    if (option !== undefined) repository.git('update-index', option, 'kept.txt')
    for (let n = 0; n < 6; n++) {
      repository.write('edited.txt', `before ${n}`)
      repository.git('commit', '-q', '-a', '-m', 'before')
      // As long as the one before, within its second: only a racy index gives it away.
      repository.write('edited.txt', `edited ${n}`)
      const { snapshot } = await captureChanges(repository)
      expect(repository.git('show', `${snapshot}:edited.txt`)).toBe(`edited ${n}`)
    }
  })

  it.each(['--skip-worktree', '--assume-unchanged'])('has edits that %s hides', async option => {
    const repository = makeRepository(makeScene())
    repository.git('update-index', option, 'edited.txt', 'kept.txt')
    repository.write('edited.txt', 'a hidden edit\n')
    expect(repository.git('status', '--porcelain')).toBe('')
    const before = fingerprint(repository)
    const { snapshot, staged } = await captureChanges(repository)
    expect(repository.git('show', `${snapshot}:edited.txt`)).toBe('a hidden edit')
    expect(staged).toBeNull()
    expect(fingerprint(repository)).toEqual(before)
  })

  it.each(['--skip-worktree', '--assume-unchanged'])(
    'has an edit of the second of the index that %s hid when git wrote the index anew',
    async option => {
      const repository = makeRepository(makeScene())
      // The second is stood still by hand, as git compares it.
      repository.git('config', 'core.trustctime', 'false')
      const edited = repository.at('edited.txt')
      const { mtime } = statSync(edited)
      repository.git('update-index', option, 'edited.txt')
      repository.write('edited.txt', 'a hidden edit\n')
      expect(statSync(edited).size).toBe('one\ntwo\nthree\n'.length)
      utimesSync(edited, mtime, mtime)
      utimesSync(repository.at('.git/index'), mtime, mtime)
      repository.git('status')
      utimesSync(repository.at('.git/index'), new Date(), new Date(mtime.getTime() + 2000))
      const { snapshot } = await captureChanges(repository)
      expect(repository.git('show', `${snapshot}:edited.txt`)).toBe('a hidden edit')
    },
  )

  it('has edits that both flags hide at once', async () => {
    const repository = makeRepository(makeScene())
    repository.git('update-index', '--skip-worktree', 'edited.txt')
    repository.git('update-index', '--assume-unchanged', 'edited.txt')
    repository.write('edited.txt', 'twice hidden\n')
    const { snapshot } = await captureChanges(repository)
    expect(repository.git('show', `${snapshot}:edited.txt`)).toBe('twice hidden')
  })

  it('of a sparse checkout has the files that are not checked out', async () => {
    const repository = makeRepository(makeScene())
    repository.git('sparse-checkout', 'set', '--no-cone', '/*', '!/directory/')
    repository.write('edited.txt', 'edited\n')
    const { snapshot } = await captureChanges(repository)
    expect(repository.git('show', `${snapshot}:directory/a.txt`)).toBe('a')
    expect(repository.git('diff', '--name-only', 'HEAD', snapshot)).toBe('edited.txt')
  })

  it('ignores the exec bits of a disk that has none', async () => {
    const repository = makeRepository(makeScene())
    repository.git('config', 'core.fileMode', 'false')
    execFileSync('chmod', ['755', repository.at('edited.txt').toString()])
    repository.write('edited.txt', 'edited\n')
    repository.write('new.txt', 'new\n')
    execFileSync('chmod', ['755', repository.at('new.txt').toString()])
    const { snapshot } = await captureChanges(repository)
    expect(repository.git('ls-tree', snapshot, 'edited.txt', 'new.txt')).not.toContain('100755')
  })

  it('of a CRLF file under autocrlf is a small delta', async () => {
    const repository = makeRepository(makeScene())
    repository.git('config', 'core.autocrlf', 'true')
    repository.write('windows.txt', 'one\r\ntwo\r\nthree\r\n')
    repository.commit()
    repository.write('windows.txt', 'one\r\ntwo\r\nthree\r\nfour\r\n')
    const { snapshot } = await captureChanges(repository)
    expect(repository.git('diff', '--numstat', 'HEAD', snapshot)).toBe('1\t0\twindows.txt')
  })

  it('of a file with CRLF in the index keeps it, as `git add` does', async () => {
    const repository = makeRepository(makeScene())
    repository.write('windows.txt', 'one\r\ntwo\r\n')
    repository.commit()
    repository.git('config', 'core.autocrlf', 'true')
    repository.write('windows.txt', 'one\r\ntwo\r\nthree\r\n')
    const { snapshot } = await captureChanges(repository)
    expect(repository.git('diff', '--numstat', 'HEAD', snapshot)).toBe('1\t0\twindows.txt')
  })

  it('of a filtered file is what the filter makes of it', async () => {
    const repository = makeRepository(makeScene())
    repository.git('config', 'filter.upper.clean', 'tr a-z A-Z')
    repository.write('.gitattributes', '*.up filter=upper\n')
    repository.write('x.up', 'shout\n')
    const { snapshot, leftOut } = await captureChanges(repository)
    expect(repository.git('show', `${snapshot}:x.up`)).toBe('SHOUT')
    expect(leftOut).toEqual([])
  })

  it('has the raw bytes of the files whose required filter fails, and names them', async () => {
    const repository = makeRepository(makeScene())
    // Fails for two files of eight, as a real one does for what it cannot read.
    repository.git('config', 'filter.picky.clean', 'grep -v poison')
    repository.git('config', 'filter.picky.required', 'true')
    repository.write('.gitattributes', '*.dat filter=picky\n')
    for (let n = 0; n < 8; n++) repository.write(`${n}.dat`, n % 4 === 1 ? 'poison\n' : 'good\n')
    const { snapshot, leftOut } = await captureChanges(repository)
    expect(leftOut).toEqual([
      '1.dat: taken as it is on disk: its filter failed',
      '5.dat: taken as it is on disk: its filter failed',
    ])
    expect(repository.git('show', `${snapshot}:1.dat`)).toBe('poison')
    expect(repository.git('show', `${snapshot}:6.dat`)).toBe('good')
  })

  it('leaves out by name: nested repositories, FIFOs, sockets, odd names', async () => {
    const scene = makeScene()
    const repository = makeRepository(scene)
    makeRepository(scene, { name: 'repo/nested' })
    repository.write('empty-nested/.git/HEAD', 'ref: refs/heads/main\n')
    mkdirSync(repository.at('empty-nested/.git/objects'))
    mkdirSync(repository.at('empty-nested/.git/refs'))
    repository.remove('edited.txt')
    execFileSync('mkfifo', [repository.at('edited.txt').toString()])
    repository.remove('removed.txt')
    const server = createServer()
    await new Promise<void>(resolve => server.listen(`${repository.root}/removed.txt`, resolve))
    repository.write('git~1', 'a disguise\n')
    symlinkSync('kept.txt', repository.at('directory/.gitmodules'))
    repository.write('fine.txt', 'fine\n')

    const { snapshot, leftOut } = await captureChanges(repository)
    server.close()

    expect([...leftOut].sort()).toEqual([
      'directory/.gitmodules: not taken: git refuses a link of this name',
      'edited.txt: not taken: it is a FIFO',
      'empty-nested/: not taken: a repository inside the repository',
      'git~1: not taken: git refuses this name',
      'nested/: not taken: a repository inside the repository',
      'removed.txt: not taken: it is a socket',
    ])
    const changed = repository.git('diff', '--name-status', 'HEAD', snapshot).split('\n')
    expect(changed).toEqual(['D\tedited.txt', 'A\tfine.txt', 'D\tremoved.txt'])
  })

  plainUserTest('keeps going past files and directories that cannot be read', async () => {
    const scene = makeScene()
    const repository = makeRepository(scene)
    repository.write('locked.txt', 'unreadable\n')
    repository.write('locked/inside.txt', 'unreachable\n')
    repository.write('edited.txt', 'unreadable edit\n')
    repository.write('fine.txt', 'fine\n')
    const closed = ['locked.txt', 'edited.txt', 'locked'].map(path =>
      repository.at(path).toString(),
    )
    const { changes } = (await runAsNobody(scene, ['capture', repository.root], closed)) as Base
    expect(changes?.leftOut).toEqual([
      'edited.txt: not taken: it cannot be read (EACCES)',
      'locked.txt: not taken: it cannot be read (EACCES)',
      "warning: could not open directory 'locked/': Permission denied",
    ])
    const diff = repository.git('diff', '--name-only', 'HEAD', changes?.snapshot ?? '')
    expect(diff).toBe('fine.txt')
  })

  it('works with SHA-256', async () => {
    const repository = makeRepository(makeScene(), { format: 'sha256' })
    repository.write('edited.txt', 'edited\n')
    repository.write('new.txt', 'new\n')
    const { snapshot } = await captureChanges(repository)
    expect(snapshot).toHaveLength(64)
    expect(repository.tree(snapshot)).toBe(treeByGit(repository))
  })

  it('is taken without running hooks, fsmonitor or an external diff', async () => {
    const scene = makeScene()
    const repository = makeRepository(scene)
    const payload = makePayload(scene)
    repository.git('config', 'core.fsmonitor', payload.program)
    repository.git('config', 'diff.external', payload.program)
    const hooks = '.git/hooks'
    mkdirSync(repository.at(hooks), { recursive: true })
    for (const hook of ['reference-transaction', 'post-index-change', 'post-checkout']) {
      symlinkSync(payload.program, repository.at(`${hooks}/${hook}`))
    }
    repository.write('edited.txt', 'edited\n')
    const base = await capture(repository)
    const { commonDir } = (await repository.open()).place
    const path = join(scene.top, 'made')
    const worktree = await scene.worktrees.createWorktree(
      nextTask() as never,
      path,
      base,
      commonDir,
    )
    await scene.worktrees.collectResult(worktree, base, nextTask(), scene.scratch)
    expect(payload.hasRun()).toBe(false)
    // The trap is a real one: plain git walks into it.
    repository.gitBytes(['status'])
    expect(payload.hasRun()).toBe(true)
  })

  it('is taken twenty times at once, each under its own ref', async () => {
    const repository = makeRepository(makeScene())
    repository.write('edited.txt', 'edited\n')
    for (let n = 0; n < 20; n++) repository.write(`new/${n}.txt`, `${n}\n`)
    repository.git('add', 'edited.txt')
    const tasks = Array.from({ length: 20 }, nextTask)
    const bases = await Promise.all(tasks.map(task => capture(repository, {}, task)))
    const trees = bases.map(base => repository.tree(base.changes?.snapshot ?? ''))
    expect(new Set(trees)).toEqual(new Set([treeByGit(repository)]))
    const refs = repository.git('for-each-ref', '--format=%(refname)', 'refs/holdfast/')
    expect(refs.split('\n')).toHaveLength(20)
    repository.git('fsck', '--strict')
  })

  it('is written as one pack, and no loose object', async () => {
    const repository = makeRepository(makeScene())
    for (let n = 0; n < 5; n++) repository.write(`new/${n}.txt`, `${n}\n`)
    const loose = () => /count: (\d+)/.exec(repository.git('count-objects', '-v'))?.[1]
    const before = loose()
    await captureChanges(repository)
    expect(loose()).toBe(before)
    expect(repository.git('count-objects', '-v')).toContain('packs: 1\n')
  })

  it('survives the harshest gc of the user', async () => {
    const repository = makeRepository(makeScene())
    repository.write('edited.txt', 'staged\n')
    repository.git('add', '.')
    repository.write('edited.txt', 'edited\n')
    const { snapshot, staged } = await captureChanges(repository)
    repository.git('reset', '-q', '--hard')
    repository.git('reflog', 'expire', '--expire=now', '--all')
    repository.git('gc', '-q', '--prune=now')
    expect(repository.git('show', `${snapshot}:edited.txt`)).toBe('edited')
    expect(repository.git('show', `${staged}:edited.txt`)).toBe('staged')
  })
})

describe('a refused capture leaves nothing', () => {
  const refused = async (repository: Repository, over = limits) => {
    const { worktrees, scratch } = repository.scene
    const before = fingerprint(repository)
    const packs = leftovers(repository)
    const checkout = await repository.open()
    const error = await worktrees
      .captureBase(checkout, nextTask(), scratch, over)
      .catch((thrown: unknown) => thrown)
    expect(fingerprint(repository)).toEqual(before)
    expect(leftovers(repository)).toEqual(packs)
    return error
  }

  it('when there are too many files, naming where most of them are', async () => {
    const repository = makeRepository(makeScene())
    for (let n = 0; n < 30; n++) repository.write(`many/below/${n % 2}/${n}`, 'x')
    const error = await refused(repository, { ...limits, maxBytes: 1e9, maxFiles: 29 })
    expect(error).toMatchObject({
      code: 'changes_too_large',
      message: expect.stringContaining(
        'more than 29 files are changed or untracked, most of them in many/below/0/, many/below/1/;',
      ),
      hint: expect.stringContaining('.gitignore'),
    })
  })

  it('when they are too large, naming the five largest with their sizes', async () => {
    const repository = makeRepository(makeScene())
    for (let n = 1; n <= 7; n++) repository.write(`big-${n}`, Buffer.alloc(n * 100_000))
    const error = await refused(repository, { ...limits, maxBytes: 1e6, maxFiles: 100 })
    const named = [7, 6, 5, 4, 3].map(n => `big-${n} (${n}00.0 kB)`).join(', ')
    expect(error).toMatchObject({
      code: 'changes_too_large',
      message: `the changed and untracked files are 2.8 MB, over 1.0 MB; the largest: ${named}`,
    })
  })

  it('when the disk is full', async () => {
    const repository = makeRepository(makeScene({ freeBytes: () => 17e6 }))
    repository.write('new.txt', Buffer.alloc(2_000_000))
    expect(await refused(repository)).toMatchObject({ code: 'no_space' })
  })

  it('when the disk fills up while git writes', async () => {
    const scene = makeScene()
    const repository = makeRepository(scene)
    repository.write('new.txt', 'new\n')
    const task = nextTask()
    // What git does then, as seen on a full disk.
    const script = `#!/bin/sh
      case "$*" in
        *fast-import*)
          pack='${repository.root}/.git/objects/pack/tmp_pack_HWR8bc'
          echo half > "$pack"
          echo crash > '${repository.root}/.git/fast_import_crash_'$$
          echo "fatal: sha1 file '$pack' write error. Out of diskspace" >&2
          exit 128 ;;
      esac
      exec '${realGit()}' "$@"`
    const worktrees = withGitScript(scene, script)
    const capturing = worktrees.captureBase(await repository.open(), task, scene.scratch, limits)
    await expect(capturing).rejects.toMatchObject({ code: 'no_space' })
    expect(leftovers(repository)).toEqual([])
  })

  it('when the index is no index, with git’s own words', async () => {
    const repository = makeRepository(makeScene())
    const { worktrees, scratch } = repository.scene
    const checkout = await repository.open()
    writeFileSync(join(checkout.gitDir, 'index'), 'garbage')
    const capturing = worktrees.captureBase(checkout, nextTask(), scratch, limits)
    await expect(capturing).rejects.toMatchObject({
      code: 'capture_failed',
      message: expect.stringContaining('index file smaller than expected'),
    })
    expect(leftovers(repository)).toEqual([])
  })

  it('when what git stored is not what was read', async () => {
    const scene = makeScene()
    const repository = makeRepository(scene)
    repository.write('new.txt', 'new\n')
    const task = nextTask()
    // Says of every snapshot that it equals its parent.
    const script = `#!/bin/sh
      case "$*" in *diff-tree*) exit 0 ;; esac
      exec '${realGit()}' "$@"`
    const worktrees = withGitScript(scene, script)
    const capturing = worktrees.captureBase(await repository.open(), task, scene.scratch, limits)
    await expect(capturing).rejects.toMatchObject({
      code: 'capture_failed',
      message: expect.stringContaining('new.txt'),
    })
    expect(repository.git('for-each-ref', 'refs/holdfast/')).toBe('')
    expect(readdirSync(scene.scratch)).toEqual([])
  })

  it('when HEAD moved since the checkout was opened', async () => {
    const repository = makeRepository(makeScene())
    const { worktrees, scratch } = repository.scene
    const checkout = await repository.open()
    repository.commit('another')
    const capturing = worktrees.captureBase(checkout, nextTask(), scratch, limits)
    await expect(capturing).rejects.toMatchObject({ code: 'capture_failed' })
    expect(leftovers(repository)).toEqual([])
  })
})
