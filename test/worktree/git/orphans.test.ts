/** A worker is killed; the git that it started is not. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { type TaskId, worktreeIdOf } from '../../../src/domain/ids.ts'
import type { Base } from '../../../src/domain/task.ts'
import { BADGE_VARIABLE } from '../../../src/worktree/git/git.ts'
import { makeBadge } from '../../../src/worktree/git/orphans.ts'
import {
  filesOf,
  limits,
  makeRepository,
  makeScene,
  nextTask,
  processes,
  Repository,
  type Scene,
} from '../scene.ts'

/**
 * Few and slow, and not at their end before the test lets them: left alone, the orphan comes to its
 * end when the next try has its own lock on the index, by the same name, and takes that away.
 */
const FILES = 8
const filter = (go: string) =>
  `[ ! -e many/1.slow ] || until [ -e '${go}' ]; do sleep 0.02; done; sleep 0.3; cat`
const program = join(import.meta.dirname, '../make/create-program.ts')

interface Slow {
  readonly scene: Scene
  readonly repository: Repository
  readonly task: TaskId
  readonly base: Base
  readonly order: { id: string; path: string; base: Base; commonDir: string }
}

/** Each of its files takes its time to be checked out, in a child of git. */
async function makeSlow(): Promise<Slow> {
  const scene = makeScene()
  const repository = makeRepository(scene)
  repository.write('.gitattributes', '*.slow filter=x\n')
  for (let n = 0; n < FILES; n++) repository.write(`many/${n}.slow`, `file ${n}\n`)
  repository.commit('slow')
  repository.git('config', 'filter.x.smudge', filter(join(scene.top, 'go')))
  const checkout = await repository.open()
  const task = nextTask()
  const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, limits)
  const path = join(scene.top, 'worktrees', task)
  const order = { id: worktreeIdOf(task), path, base, commonDir: checkout.place.commonDir }
  return { scene, repository, task, base, order }
}

function startApart(scene: Scene, asked: object): ChildProcess {
  const words = JSON.stringify({ locks: join(scene.top, 'locks'), ...asked })
  const child = spawn(process.execPath, [program, words], {
    env: scene.environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(async () => void child.kill('SIGKILL'))
  return child
}

async function until(what: string, look: () => unknown): Promise<void> {
  const deadline = performance.now() + 90_000
  while (!look()) {
    if (performance.now() > deadline) throw new Error(`it never came that ${what}`)
    await sleep(2)
  }
}

async function killHard(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

function bearersIn(scene: Scene): number[] {
  const found: number[] = []
  processes.forBearers(BADGE_VARIABLE, ({ pid }, badge) => {
    if (decodeURIComponent(badge).includes(scene.top)) found.push(pid)
  })
  return found
}

/** How far a try got when it was killed. */
const moments = [
  {
    when: 'while it registered',
    reached: ({ order }: Slow) => existsSync(join(order.commonDir, 'worktrees', order.id)),
  },
  {
    when: 'in the middle of the files',
    reached: ({ order }: Slow) => existsSync(join(order.path, 'many', '1.slow')),
  },
]

it.each(moments)('a try that was killed $when is ended, and made anew at once', async moment => {
  const slow = await makeSlow()
  const { scene, repository, order } = slow
  const first = startApart(scene, { order })
  await until(moment.when, () => moment.reached(slow))
  await killHard(first)
  writeFileSync(join(scene.top, 'go'), '')

  const second = startApart(scene, { order })
  const [status] = await once(second, 'exit')
  expect(status).toBe(0)
  expect(bearersIn(scene)).toEqual([])
  const made = new Repository(scene, order.path)
  expect(filesOf(made)).toEqual(filesOf(repository))
  expect(made.git('status', '--porcelain')).toBe('')
  expect(readdirSync(join(order.commonDir, 'worktrees'))).toEqual([order.id])
  expect(readdirSync(join(scene.top, 'worktrees'))).toEqual([order.id])
})

it('a result that was killed half-way is collected anew, and the late one never comes', async () => {
  const { scene, repository, task, base, order } = await makeSlow()
  repository.git('config', '--unset', 'filter.x.smudge')
  const id = worktreeIdOf(task)
  const record = await scene.worktrees.createWorktree(id, order.path, base, order.commonDir)
  const made = new Repository(scene, order.path)
  made.write('many/new.slow', 'new\n')
  // Git waits in the filter until the test lets it go on: never.
  repository.git('config', 'filter.x.clean', `touch '${scene.top}/filtering'; sleep 1000; cat`)
  const directory = join(scene.top, 'task')
  mkdirSync(directory)
  const collect = { record, base, task, directory }
  const first = startApart(scene, { collect })
  await until('git filters', () => existsSync(join(scene.top, 'filtering')))
  await killHard(first)
  expect(bearersIn(scene)).not.toEqual([])

  repository.git('config', 'filter.x.clean', 'cat')
  const result = await scene.worktrees.collectResult(record, base, task, directory)
  expect(bearersIn(scene)).toEqual([])
  expect(result).toMatchObject({ files: 1, insertions: 1, deletions: 0, leftOut: [] })
  expect(repository.git('rev-parse', `refs/holdfast/${task}/result`)).toBe(result.commit)
})

it('only orphans of this worktree are ended', async () => {
  const scene = makeScene()
  const repository = makeRepository(scene)
  const checkout = await repository.open()
  const task = nextTask()
  const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, limits)
  const path = join(scene.top, 'worktrees', task)
  const living = processes.find(process.pid)
  if (living === undefined) throw new Error('this process is not to be seen')
  const dead = { ...living, startTime: 1 }
  const here = processes.place()
  const bearers = {
    orphan: makeBadge(dead, here, path),
    ofALivingOne: makeBadge(living, here, path),
    ofAnotherWorktree: makeBadge(dead, here, `${path}2`),
    inAnotherSession: makeBadge({ ...dead, session: living.session + 1 }, here, path),
    inAContainer: makeBadge(dead, { ...here, pidNamespace: 'pid:[1]' }, path),
    ofTheUser: undefined,
    ofNobody: 'garbage %',
  }
  const children = Object.entries(bearers).map(([name, badge]) => {
    const env = { ...scene.environment, ...(badge !== undefined && { [BADGE_VARIABLE]: badge }) }
    const child = spawn('git', ['cat-file', '--batch'], { cwd: repository.root, env })
    onTestFinished(() => void child.kill('SIGKILL'))
    return { name, child, ended: once(child, 'exit') }
  })
  const { commonDir } = checkout.place
  await scene.worktrees.createWorktree(worktreeIdOf(task), path, base, commonDir)
  const orphan = children.find(({ name }) => name === 'orphan')
  expect((await orphan?.ended)?.[1]).toBe('SIGTERM')
  for (const { name, child } of children) {
    if (name !== 'orphan') expect([name, child.signalCode]).toEqual([name, null])
  }
  expect(readFileSync(join(path, 'kept.txt'), 'utf8')).toBe('kept\n')
})
