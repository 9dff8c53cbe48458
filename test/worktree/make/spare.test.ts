/** A spare worktree becomes exactly what would have been made, or is not taken. */
import { execFileSync, spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { WorktreeId } from '../../../src/domain/ids.ts'
import { type TaskId, worktreeIdOf } from '../../../src/domain/ids.ts'
import type { Base } from '../../../src/domain/task.ts'
import type { SpareWorktree, WorktreeRecord } from '../../../src/ports/worktrees.ts'
import { filesOf, limits, makeRepository, makeScene, nextTask, Repository } from '../scene.ts'

const SPARE = 'spare-one' as WorktreeId

/** A repository with enough files that a few do not count. */
async function makeStand(prepare: (repository: Repository) => void = () => undefined) {
  const scene = makeScene()
  const repository = makeRepository(scene)
  for (let n = 0; n < 60; n++) repository.write(`many/${n}.txt`, `${n}\n`)
  prepare(repository)
  repository.commit()
  const { commonDir } = (await repository.open()).place
  const pool = join(scene.top, 'pool')
  mkdirSync(pool)
  const path = join(pool, SPARE)
  const make = () => scene.worktrees.makeSpare(SPARE, path, repository.head(), commonDir)
  return { scene, repository, commonDir, path, make, spare: (await make()) as SpareWorktree }
}
type Stand = Awaited<ReturnType<typeof makeStand>>

async function takeBase({ scene, repository }: Stand): Promise<{ task: TaskId; base: Base }> {
  const task = nextTask()
  const checkout = await repository.open()
  const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, limits)
  return { task, base }
}

const placeOf = ({ scene }: Stand, task: TaskId) => join(scene.top, 'trees', task)

function claim(stand: Stand, task: TaskId, base: Base, spare = stand.spare) {
  const { worktrees } = stand.scene
  return worktrees.claimSpare(spare, worktreeIdOf(task), placeOf(stand, task), base)
}

function stateOf(tree: Repository) {
  return {
    files: filesOf(tree),
    index: tree.git('ls-files', '--stage', '-v', '-z'),
    status: tree.git('status', '--porcelain=v2', '-z', '--untracked-files=all', '--ignored'),
    head: tree.git('rev-parse', 'HEAD'),
    branch: tree.git('branch', '--show-current'),
  }
}

/** What the task would have got without a pool. */
async function madeCold(stand: Stand, base: Base) {
  const id = worktreeIdOf(nextTask())
  const path = join(stand.scene.top, 'cold', id)
  await stand.scene.worktrees.createWorktree(id, path, base, stand.commonDir)
  return stateOf(new Repository(stand.scene, path))
}

const edits: readonly [string, (repository: Repository) => void][] = [
  ['as it is', () => undefined],
  [
    'one commit further',
    repository => {
      repository.write('many/1.txt', 'changed\n')
      repository.remove('many/2.txt')
      repository.write('many/new.txt', 'new\n')
      repository.commit()
    },
  ],
  [
    'with changes of every kind',
    repository => {
      repository.write('many/1.txt', 'staged\n')
      repository.git('add', 'many/1.txt')
      repository.write('many/1.txt', 'and edited\n')
      repository.write('many/3.txt', 'edited\n')
      repository.remove('many/4.txt')
      repository.git('rm', '-q', 'many/5.txt')
      repository.write('deep/er/new.txt', 'untracked\n')
      symlinkSync('nowhere', repository.at('link').toString())
      // Staged, and taken back in the file alone.
      repository.write('many/6.txt', 'staged\n')
      repository.git('add', 'many/6.txt')
      repository.write('many/6.txt', '6\n')
    },
  ],
  [
    'both',
    repository => {
      repository.write('many/7.txt', 'committed\n')
      repository.commit()
      repository.write('many/7.txt', '7\n')
      repository.write('many/8.txt', 'edited\n')
    },
  ],
]

describe('is what would have been made', () => {
  it.each(edits)('%s', async (_name, edit) => {
    const stand = await makeStand()
    edit(stand.repository)
    const before = stateOf(stand.repository)
    const { task, base } = await takeBase(stand)
    const record = (await claim(stand, task, base)) as WorktreeRecord
    expect(record).toMatchObject({ id: task, path: placeOf(stand, task) })
    const tree = new Repository(stand.scene, record.path)
    expect(stateOf(tree)).toEqual(await madeCold(stand, base))
    expect(stateOf(stand.repository)).toEqual(before)
    const { worktrees } = stand.scene
    expect(worktrees.lookAtWorktree(record)).toBe('present')
    expect(await worktrees.listRegistered(stand.commonDir)).toContainEqual({
      path: record.path,
      lockReason: `holdfast ${task}`,
      prunable: false,
      branch: null,
    })
    stand.repository.git('fsck', '--strict', '--no-dangling')
    stand.repository.git('worktree', 'prune')
    // It is the task’s: dropping the spare takes nothing of it.
    await worktrees.dropSpare(
      { id: SPARE, path: stand.path, commonDir: stand.commonDir },
      worktreeIdOf(task),
    )
    expect(stateOf(tree)).toEqual(await madeCold(stand, base))
    const collected = await worktrees.collectResult(record, base, task, stand.scene.scratch)
    expect(collected).toMatchObject({ files: 0, leftOut: [] })
  })

  it('also after it was set on another commit', async () => {
    const stand = await makeStand()
    edits[1]?.[1](stand.repository)
    const aimed = await stand.scene.worktrees.aimSpare(stand.spare, stand.repository.head())
    const spare = aimed as SpareWorktree
    expect(spare.commit).toBe(stand.repository.head())
    const { task, base } = await takeBase(stand)
    const record = (await claim(stand, task, base, spare)) as WorktreeRecord
    expect(stateOf(new Repository(stand.scene, record.path))).toEqual(await madeCold(stand, base))
  })
})

it.each<[string, (repository: Repository) => void]>([
  [
    'the rules for files changed',
    repository => {
      repository.write('.gitattributes', '*.txt text eol=crlf\n')
      repository.commit()
    },
  ],
  [
    'the configuration changed',
    repository => void repository.git('config', 'core.autocrlf', 'true'),
  ],
])('is not set on another commit where %s', async (_name, change) => {
  const stand = await makeStand()
  change(stand.repository)
  edits[1]?.[1](stand.repository)
  expect(await stand.scene.worktrees.aimSpare(stand.spare, stand.repository.head())).toBeNull()
})

const doubts: readonly [string, (stand: Stand) => void | Promise<void>][] = [
  ['a file was edited', ({ path }) => writeFileSync(join(path, 'many/9.txt'), 'foreign\n')],
  [
    'a file was edited in its size and time',
    ({ path, scene }) => {
      execFileSync(
        'sh',
        [
          '-c',
          'cp -p many/9.txt /tmp/.$$ && printf "x\\n" > many/9.txt && touch -r /tmp/.$$ many/9.txt; rm /tmp/.$$',
        ],
        { cwd: path, env: scene.environment },
      )
    },
  ],
  ['a file was added', ({ path }) => writeFileSync(join(path, 'foreign.txt'), '')],
  ['an ignored file was added', ({ path }) => writeFileSync(join(path, 'foreign.ignored'), '')],
  ['a file was deleted', ({ path }) => rmSync(join(path, 'many/9.txt'))],
  ['it was deleted', ({ path }) => rmSync(path, { recursive: true })],
  [
    'it was moved, and something else put there',
    ({ path }) => {
      renameSync(path, `${path}-moved`)
      mkdirSync(path)
    },
  ],
  ['it was unlocked', ({ repository, path }) => void repository.git('worktree', 'unlock', path)],
  [
    'its HEAD was moved',
    ({ path, scene }) =>
      void new Repository(scene, path).git('commit', '-q', '--allow-empty', '-m', 'x'),
  ],
  [
    'its HEAD is on a branch',
    ({ path, scene }) => void new Repository(scene, path).git('checkout', '-q', '-b', 'mine'),
  ],
  [
    'its index was written',
    ({ path, scene }) =>
      void new Repository(scene, path).git('update-index', '--assume-unchanged', 'many/9.txt'),
  ],
  [
    'a git is at work there',
    ({ spare }) => writeFileSync(join(spare.record.gitDir, 'index.lock'), ''),
  ],
  [
    'a bisect was begun',
    ({ path, scene }) => void new Repository(scene, path).git('bisect', 'start'),
  ],
  [
    'the configuration changed',
    ({ repository }) => void repository.git('config', 'core.autocrlf', 'true'),
  ],
  [
    'the rules for files changed',
    ({ repository }) => {
      repository.write('.gitattributes', '*.txt text\n')
      repository.commit()
    },
  ],
  [
    'too much changed',
    ({ repository }) => {
      for (let n = 0; n < 20; n++) repository.write(`many/${n}.txt`, 'other\n')
      repository.commit()
    },
  ],
  [
    'the task starts from flags',
    ({ repository }) => void repository.git('update-index', '--assume-unchanged', 'many/9.txt'),
  ],
  [
    'somebody stands in it',
    async ({ path }) => {
      const child = spawn('sleep', ['600'], { cwd: path })
      onTestFinished(() => void child.kill('SIGKILL'))
      await new Promise(resolve => child.once('spawn', resolve))
    },
  ],
]

describe('is not taken where there is a doubt', () => {
  it.each(doubts)('%s', async (_name, spoil) => {
    const stand = await makeStand()
    await spoil(stand)
    const { task, base } = await takeBase(stand)
    expect(await claim(stand, task, base)).toEqual({ unfit: expect.any(String) })
    expect(existsSync(placeOf(stand, task))).toBe(false)
    // Nothing that was done to it stands in the way.
    const { worktrees } = stand.scene
    await worktrees.createWorktree(worktreeIdOf(task), placeOf(stand, task), base, stand.commonDir)
    await worktrees.dropSpare(
      { id: SPARE, path: stand.path, commonDir: stand.commonDir },
      worktreeIdOf(task),
    )
    expect(
      readdirSync(join(stand.scene.top, 'pool')).filter(name => !name.endsWith('-moved')),
    ).toEqual([])
  })

  it('the place of the task is taken', async () => {
    const stand = await makeStand()
    const { task, base } = await takeBase(stand)
    mkdirSync(placeOf(stand, task), { recursive: true })
    expect(await claim(stand, task, base)).toEqual({ unfit: 'its place is taken' })
  })
})

it('is not made of a sparse checkout', async () => {
  const { repository, make } = await makeStand()
  repository.git('sparse-checkout', 'set', 'many')
  expect(await make()).toBeNull()
})

it('counts the files of a repository', async () => {
  const { scene, commonDir, repository } = await makeStand()
  const count = Number(repository.git('ls-files').split('\n').length)
  expect(scene.worktrees.countFiles(commonDir)).toBe(count)
  expect(scene.worktrees.countFiles(join(scene.top, 'nowhere'))).toBeNull()
})

it('has no file that git must read to know it: a task waits for that', async () => {
  const stand = await makeStand()
  const { record } = stand.spare
  const secondOf = (file: string) => Math.floor(statSync(file).mtimeMs / 1000)
  const many = join(record.path, 'many')
  const newest = Math.max(...readdirSync(many).map(name => secondOf(join(many, name))))
  expect(secondOf(join(record.gitDir, 'index'))).toBeGreaterThan(newest)
})
