import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { type TaskId, worktreeIdOf } from '../../../src/domain/ids.ts'
import type { Base } from '../../../src/domain/task.ts'
import { makeLocks } from '../../../src/store/locks.ts'
import { systemClock } from '../../../src/system-clock.ts'
import { GitError, makeGit } from '../../../src/worktree/git/git.ts'
import { createWorktree } from '../../../src/worktree/make/create.ts'
import {
  limits,
  makeLinked,
  makePayload,
  makeRepository,
  makeScene,
  nextTask,
  processes,
  Repository,
  requireCommit,
  type Scene,
} from '../scene.ts'

interface Ready {
  readonly scene: Scene
  readonly repository: Repository
  readonly commonDir: string
  readonly task: TaskId
  readonly base: Base
  readonly path: string
}

/** A repository with a staged and an unstaged edit, captured; its worktree is not yet made. */
async function makeReady(): Promise<Ready> {
  const scene = makeScene()
  const repository = makeRepository(scene)
  repository.write('edited.txt', 'staged\n')
  repository.git('add', 'edited.txt')
  repository.write('new.txt', 'new\n')
  const checkout = await repository.open()
  const task = nextTask()
  const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, limits)
  const { commonDir } = checkout.place
  return { scene, repository, commonDir, task, base, path: join(scene.top, 'worktrees', task) }
}

const create = ({ scene, task, path, base, commonDir }: Ready) =>
  scene.worktrees.createWorktree(worktreeIdOf(task), path, base, commonDir)

const registered = async ({ scene, commonDir }: Ready) =>
  (await scene.worktrees.listRegistered(commonDir)).map(({ path }) => path)

describe('a new worktree', () => {
  it('is detached at the base, locked in its name, and recorded as it is', async () => {
    const ready = await makeReady()
    const record = await create(ready)
    const { dev, ino } = statSync(ready.path)
    expect(record).toEqual({
      id: ready.task,
      path: ready.path,
      gitDir: join(ready.commonDir, 'worktrees', ready.task),
      commonDir: ready.commonDir,
      device: dev,
      inode: ino,
      gitDirIdentity: expect.anything(),
    })
    const made = new Repository(ready.scene, ready.path)
    expect(made.head()).toBe(ready.base.commit)
    expect(() => made.git('symbolic-ref', '-q', 'HEAD')).toThrow()
    expect(made.git('status', '--porcelain')).toBe('M  edited.txt\n?? new.txt')
    expect(await ready.scene.worktrees.listRegistered(ready.commonDir)).toEqual([
      {
        path: ready.repository.root,
        lockReason: null,
        prunable: false,
        branch: 'refs/heads/trunk/odd-name',
      },
      { path: ready.path, lockReason: `holdfast ${ready.task}`, prunable: false, branch: null },
    ])
    expect(ready.scene.worktrees.lookAtWorktree(record)).toBe('present')
  })

  it('can be made sixteen at once, beside a user who does the same', async () => {
    const ready = await makeReady()
    const tasks = Array.from({ length: 16 }, nextTask)
    const paths = tasks.map(task => join(ready.scene.top, 'worktrees', task))
    const making = tasks.map((task, n) => create({ ...ready, task, path: paths[n] ?? '' }))
    makeLinked(ready.repository, 'the user’s own')
    const records = await Promise.all(making)
    for (const record of records) {
      expect(ready.scene.worktrees.lookAtWorktree(record)).toBe('present')
      expect(readFileSync(join(record.path, 'new.txt'), 'utf8')).toBe('new\n')
    }
    expect(await registered(ready)).toHaveLength(18)
  })

  it('is registered alone in its repository, and filled beside others', async () => {
    const ready = await makeReady()
    const events: string[] = []
    const git = makeGit(ready.scene.environment)
    const watched: typeof git = {
      ...git,
      run: async (args, call) => {
        events.push(args.slice(0, 2).join(' '))
        return await git.run(args, call)
      },
    }
    const locks = {
      tryAcquire: () => undefined,
      isHeld: () => false,
      withLock: async <T>(name: string, _limit: number, work: () => Promise<T>) => {
        expect(name).toMatch(/^repo-[0-9a-f]{16}$/)
        events.push('lock')
        const result = await work()
        events.push('unlock')
        return result
      },
    }
    const { base, commonDir, path, task } = ready
    const order = { id: worktreeIdOf(task), path, base, commonDir }
    await createWorktree(watched, locks, systemClock, processes, order)
    const alone = events.slice(events.indexOf('lock') + 1, events.indexOf('unlock'))
    expect(alone).toEqual(['worktree add'])
    expect(events.slice(events.indexOf('unlock'))).toContain('read-tree -m')
  })

  it('is tried again, and only then, when git meets another one half made', async () => {
    const ready = await makeReady()
    const git = makeGit(ready.scene.environment)
    let adds = 0
    const racing = (stderr: string): typeof git => ({
      ...git,
      run: async (args, call) => {
        if (args[1] === 'add' && ++adds < 3) throw new GitError('worktree', 128, null, stderr)
        return await git.run(args, call)
      },
    })
    const locks = makeLocks(join(ready.scene.top, 'locks'), systemClock)
    const { base, commonDir, path, task } = ready
    const order = { id: worktreeIdOf(task), path, base, commonDir }
    const other = 'fatal: something else'
    await expect(
      createWorktree(racing(other), locks, systemClock, processes, order),
    ).rejects.toThrow(other)
    expect(adds).toBe(1)
    adds = 0
    const race = 'fatal: failed to read .git/worktrees/x/commondir: Success'
    await createWorktree(racing(race), locks, systemClock, processes, order)
    expect(adds).toBe(3)
  })

  it('is refused at a path where something is, which stays', async () => {
    const ready = await makeReady()
    mkdirSync(ready.path, { recursive: true })
    writeFileSync(join(ready.path, 'precious.txt'), 'not ours\n')
    await expect(create(ready)).rejects.toMatchObject({ code: 'refused_in_state' })
    expect(readdirSync(ready.path)).toEqual(['precious.txt'])
  })

  it('is refused at the path of somebody else’s worktree, which stays', async () => {
    const ready = await makeReady()
    const theirs = makeLinked(ready.repository, 'theirs')
    await expect(create({ ...ready, path: theirs.root })).rejects.toMatchObject({
      code: 'refused_in_state',
    })
    expect(theirs.git('status', '--porcelain')).toBe('')
  })

  it('is refused where somebody else’s is registered but away, which stays registered', async () => {
    const ready = await makeReady()
    const theirs = makeLinked(ready.repository, 'theirs')
    renameSync(theirs.root, `${theirs.root} is on another disk`)
    await expect(create({ ...ready, path: theirs.root })).rejects.toMatchObject({
      code: 'refused_in_state',
    })
    expect(await registered(ready)).toContain(theirs.root)
  })

  it('leaves nothing when it fails half-way', async () => {
    const ready = await makeReady()
    const { changes } = ready.base
    if (changes === null) throw new Error('it found no changes')
    const snapshot = requireCommit('1'.repeat(40))
    const base = { ...ready.base, changes: { ...changes, snapshot } }
    await expect(create({ ...ready, base })).rejects.toMatchObject({
      code: 'refused_in_state',
      cause: { name: 'GitError' },
    })
    expect(readdirSync(join(ready.scene.top, 'worktrees'))).toEqual([])
    expect(await registered(ready)).toEqual([ready.repository.root])
    await create(ready)
  })
})

describe('a try of the same task that was killed', () => {
  it.each([
    {
      when: 'after the registration',
      prepare: ({ repository, path, task }: Ready) => {
        const reason = ['--lock', '--reason', `holdfast ${task}`]
        repository.git('worktree', 'add', '-q', '--no-checkout', ...reason, '--detach', path)
      },
    },
    {
      when: 'in the middle of the files',
      prepare: ({ repository, path, task }: Ready) => {
        const reason = ['--lock', '--reason', `holdfast ${task}`]
        repository.git('worktree', 'add', '-q', ...reason, '--detach', path)
        const made = new Repository(repository.scene, path)
        made.remove('kept.txt')
        writeFileSync(join(made.git('rev-parse', '--absolute-git-dir'), 'index.lock'), '')
      },
    },
    {
      when: 'when git had written no more than its lock',
      prepare: ({ commonDir, task, path }: Ready) => {
        const registration = join(commonDir, 'worktrees', task)
        mkdirSync(registration, { recursive: true })
        writeFileSync(join(registration, 'locked'), `holdfast ${task}\n`)
        mkdirSync(path, { recursive: true })
      },
    },
    {
      when: 'while it cleared away another',
      prepare: ({ repository, path, task }: Ready) => {
        const reason = ['--lock', '--reason', `holdfast ${task}`]
        repository.git('worktree', 'add', '-q', ...reason, '--detach', path)
        renameSync(path, `${path}.discarded-0`)
      },
    },
    {
      when: 'after it had unregistered what it cleared away',
      prepare: ({ path }: Ready) => {
        mkdirSync(`${path}.discarded-0`, { recursive: true })
        writeFileSync(join(`${path}.discarded-0`, 'kept.txt'), 'of the first try')
      },
    },
  ])('$when is cleared away and made anew', async ({ prepare }) => {
    const ready = await makeReady()
    prepare(ready)
    const record = await create(ready)
    expect(ready.scene.worktrees.lookAtWorktree(record)).toBe('present')
    const made = new Repository(ready.scene, ready.path)
    expect(made.git('status', '--porcelain')).toBe('M  edited.txt\n?? new.txt')
    expect(await registered(ready)).toEqual([ready.repository.root, ready.path])
    expect(readdirSync(join(ready.scene.top, 'worktrees'))).toEqual([ready.task])
  })
})

describe('a look at a worktree', () => {
  it.each([
    ['its directory is gone', (path: string) => renameSync(path, `${path}-away`)],
    [
      'another directory stands in its place',
      (path: string) => {
        renameSync(path, `${path}-away`)
        mkdirSync(path)
        renameSync(`${path}-away/.git`, `${path}/.git`)
      },
    ],
    ['its .git is gone', (path: string) => renameSync(`${path}/.git`, `${path}/git`)],
    ['its .git points elsewhere', (path: string) => writeFileSync(`${path}/.git`, 'gitdir: /x\n')],
    [
      'its .git is a directory',
      (path: string) => {
        renameSync(`${path}/.git`, `${path}/git`)
        mkdirSync(`${path}/.git`)
      },
    ],
  ])('sees that it is lost when %s', async (_, spoil) => {
    const ready = await makeReady()
    const record = await create(ready)
    spoil(ready.path)
    expect(ready.scene.worktrees.lookAtWorktree(record)).toBe('worktree_lost')
  })

  it.each([
    ['was removed', (gitDir: string) => renameSync(gitDir, `${gitDir}-away`)],
    [
      'belongs to another repository now',
      (gitDir: string) => writeFileSync(join(gitDir, 'commondir'), '/elsewhere\n'),
    ],
  ])('sees that it is lost when its registration %s', async (_, spoil) => {
    const ready = await makeReady()
    const record = await create(ready)
    spoil(record.gitDir)
    expect(ready.scene.worktrees.lookAtWorktree(record)).toBe('worktree_lost')
  })

  it('sees a change of files that it has found unchanged before', async () => {
    const ready = await makeReady()
    const record = await create(ready)
    const look = () => ready.scene.worktrees.lookAtWorktree(record)
    // Until they are old enough to be remembered.
    await vi.waitUntil(() => Date.now() - statSync(ready.path).ctimeMs > 1_500, { timeout: 90_000 })
    for (const file of [join(ready.path, '.git'), join(record.gitDir, 'commondir')]) {
      expect([look(), look()]).toEqual(['present', 'present'])
      const before = readFileSync(file, 'utf8')
      // As long as it was, and the same file.
      writeFileSync(file, before.replace(/.\n$/, '~\n'))
      expect(look()).toBe('worktree_lost')
      writeFileSync(file, before)
    }
    expect(look()).toBe('present')
    renameSync(record.gitDir, `${record.gitDir}-away`)
    expect(look()).toBe('worktree_lost')
  })

  it.each(['HEAD', 'objects'])('sees first that the repository is: its %s is gone', async name => {
    const ready = await makeReady()
    const record = await create(ready)
    renameSync(ready.path, `${ready.path}-away`)
    renameSync(join(ready.commonDir, name), join(ready.commonDir, `${name}-away`))
    expect(ready.scene.worktrees.lookAtWorktree(record)).toBe('repository_lost')
  })
})

it('is made without running hooks', async () => {
  const ready = await makeReady()
  const payload = makePayload(ready.scene)
  ready.repository.git('config', 'core.hooksPath', ready.scene.home)
  writeFileSync(join(ready.scene.home, 'post-checkout'), `#!/bin/sh\n${payload.program}\n`, {
    mode: 0o755,
  })
  await create(ready)
  expect(payload.hasRun()).toBe(false)
  // The trap is a real one: plain git walks into it.
  expect(() => makeLinked(ready.repository, 'plain')).toThrow()
  expect(payload.hasRun()).toBe(true)
})
