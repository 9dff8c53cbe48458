/** Results of real worktrees, applied to real checkouts. */
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type TaskId, worktreeIdOf } from '../../src/domain/ids.ts'
import type { Base } from '../../src/domain/task.ts'
import type {
  Applications,
  ApplyMode,
  ApplyOrder,
  ApplyOutcome,
  FileChange,
} from '../../src/ports/applications.ts'
import type { CollectedResult } from '../../src/ports/worktrees.ts'
import { makeLocks } from '../../src/store/locks.ts'
import { systemClock } from '../../src/system-clock.ts'
import { makeApplications } from '../../src/worktree/applications.ts'
import { limits, makeRepository, makeScene, nextTask, Repository, type Scene } from './scene.ts'

type Change = (repository: Repository) => void

/** A task whose agent is done, and where its results lie. */
export interface FinishedTask {
  readonly scene: Scene
  readonly applications: Applications
  /** The checkout that the task was asked in. */
  readonly mine: Repository
  readonly agent: Repository
  readonly task: TaskId
  readonly base: Base
  readonly result: CollectedResult
  readonly directory: string
}

export interface Story {
  /** What the user has committed, or not, before the task is asked. */
  readonly before?: Change
  readonly agent: Change
  /** What the user does until the result is applied. */
  readonly since?: Change
  readonly format?: 'sha1' | 'sha256'
  readonly freeBytes?: (path: string) => number
}

export async function finishTask({
  before,
  agent,
  since,
  format,
  freeBytes,
}: Story): Promise<FinishedTask> {
  const scene = makeScene()
  const mine = makeRepository(scene, format === undefined ? {} : { format })
  before?.(mine)
  return await finishTaskIn(scene, mine, agent, since, freeBytes)
}

export async function finishTaskIn(
  scene: Scene,
  mine: Repository,
  work: Change,
  since?: Change,
  freeBytes?: (path: string) => number,
): Promise<FinishedTask> {
  const { worktrees, top, environment } = scene
  const task = nextTask()
  const directoryOf = (id: TaskId) => join(top, 'tasks', id)
  const directory = directoryOf(task)
  mkdirSync(directory, { recursive: true })
  const checkout = await mine.open()
  const base = await worktrees.captureBase(checkout, task, scene.scratch, limits)
  const path = join(top, 'worktrees', task)
  const { commonDir } = checkout.place
  const record = await worktrees.createWorktree(worktreeIdOf(task), path, base, commonDir)
  const agent = new Repository(scene, record.path)
  work(agent)
  const result = await worktrees.collectResult(record, base, task, directory)
  since?.(mine)
  const locks = makeLocks(join(top, 'locks'), systemClock)
  const clock = systemClock
  const free = freeBytes === undefined ? {} : { freeBytes }
  const applications = makeApplications({ locks, clock, environment, directoryOf, ...free })
  return { scene, applications, mine, agent, task, base, result, directory }
}

export async function apply(
  { applications, task, base, result, mine }: FinishedTask,
  {
    mode = 'clean',
    to = mine,
    isStopped = () => false,
    followed = [],
  }: {
    mode?: ApplyMode
    to?: Repository
    isStopped?: () => boolean
    followed?: ApplyOrder['followed']
  } = {},
): Promise<ApplyOutcome> {
  const target = await to.open()
  return await applications.withTarget(target.place.root, () =>
    applications.apply({
      task,
      base,
      result: result.commit,
      followed,
      target,
      mode,
      isStopped,
    }),
  )
}

/** Takes the newest application back. */
export async function undo(
  { applications, task, mine }: FinishedTask,
  to: Repository = mine,
): Promise<readonly FileChange[]> {
  const target = await to.open()
  const application = applications.list(task).at(-1)
  if (application === undefined) throw new Error('it is not applied')
  return await applications.withTarget(application.root, () =>
    applications.undo(application, target),
  )
}

/** Every path below a checkout but its `.git`, directories too: kind, permissions and bytes. */
export function exactly({ root }: Repository): Map<string, string> {
  const found = new Map<string, string>()
  const walk = (prefix: Buffer) => {
    const directory = Buffer.concat([Buffer.from(`${root}/`), prefix])
    for (const name of readdirSync(directory, { encoding: 'buffer' })) {
      const path = Buffer.concat([prefix, name])
      const place = Buffer.concat([Buffer.from(`${root}/`), path])
      const text = path.toString('latin1')
      if (text === '.git') continue
      const stats = lstatSync(place)
      const mode = (stats.mode & 0o777).toString(8)
      if (stats.isDirectory()) {
        found.set(`${text}/`, mode)
        walk(Buffer.concat([path, Buffer.from('/')]))
      } else if (stats.isSymbolicLink()) {
        found.set(text, `link ${readlinkSync(place, { encoding: 'latin1' })}`)
      } else if (stats.isFile())
        found.set(text, `${mode} ${readFileSync(place).toString('latin1')}`)
      else found.set(text, 'special')
    }
  }
  walk(Buffer.alloc(0))
  return new Map([...found].sort())
}

/** What an application leaves besides the files that it wrote. */
export function traces({ mine, directory, task }: FinishedTask) {
  const list = (path: string) => {
    try {
      return readdirSync(path)
    } catch {
      return []
    }
  }
  return {
    journals: list(join(directory, 'applied')),
    scratch: list(directory).filter(name => name.startsWith('applying')),
    refs: mine.git('for-each-ref', '--format=%(refname)', `refs/holdfast/${task}/undo`),
    exchange: [...list(mine.git('rev-parse', '--absolute-git-dir')), ...list(mine.root)].filter(
      name => name.includes('holdfast-apply'),
    ),
  }
}

export const noTraces = { journals: [], scratch: [], refs: '', exchange: [] }
