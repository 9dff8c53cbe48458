/** Results of real worktrees, applied to real checkouts. */
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TaskId, worktreeIdOf } from '../../../src/domain/ids.ts'
import type { Base } from '../../../src/domain/task.ts'
import type {
  Applications,
  ApplyMode,
  ApplyOrder,
  ApplyOutcome,
  FileChange,
} from '../../../src/ports/applications.ts'
import type { CollectedResult } from '../../../src/ports/worktrees.ts'
import { makeLocks } from '../../../src/store/locks.ts'
import { systemClock } from '../../../src/system-clock.ts'
import { makeApplications } from '../../../src/worktree/applications.ts'
import { limits, makeRepository, makeScene, nextTask, Repository, type Scene } from '../scene.ts'

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
  /** A task that follows it: collected from the same worktree, as it is now. */
  goOn(): Promise<FinishedTask>
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
  const checkout = await mine.open()
  const base = await worktrees.captureBase(checkout, task, scene.scratch, limits)
  const path = join(top, 'worktrees', task)
  const { commonDir } = checkout.place
  const record = await worktrees.createWorktree(worktreeIdOf(task), path, base, commonDir)
  const agent = new Repository(scene, record.path)
  work(agent)
  const locks = makeLocks(join(top, 'locks'), systemClock)
  const clock = systemClock
  const free = freeBytes === undefined ? {} : { freeBytes }
  const applications = makeApplications({ locks, clock, environment, directoryOf, ...free })
  const collect = async (id: TaskId): Promise<FinishedTask> => {
    mkdirSync(directoryOf(id), { recursive: true })
    const result = await worktrees.collectResult(record, base, id, directoryOf(id))
    const goOn = () => collect(nextTask())
    return {
      scene,
      applications,
      mine,
      agent,
      task: id,
      base,
      result,
      directory: directoryOf(id),
      goOn,
    }
  }
  const finished = await collect(task)
  since?.(mine)
  return finished
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
