/** A task's way through an odd repository: captured, given a worktree, worked on, collected. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type TaskId, worktreeIdOf } from '../../../src/domain/ids.ts'
import { type Base, baseTreeCommit } from '../../../src/domain/task.ts'
import type { CaptureOrder, CollectedResult, WorktreeRecord } from '../../../src/ports/worktrees.ts'
import {
  filesOf,
  fingerprint,
  limits,
  nextTask,
  Repository,
  type Scene,
  statusOf,
} from '../scene.ts'

export interface Carried {
  readonly scene: Scene
  readonly repository: Repository
  readonly task: TaskId
  readonly base: Base
  readonly record: WorktreeRecord
  /** The worktree, as an agent writes to it. */
  readonly agent: Repository
  readonly results: string
}

/** Captures a checkout and makes a worktree of it. The checkout must not show any of it. */
export async function carry(
  repository: Repository,
  order: Partial<CaptureOrder> = {},
): Promise<Carried> {
  const { scene } = repository
  const task = nextTask()
  const before = fingerprint(repository)
  const checkout = await repository.open()
  const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, {
    ...limits,
    ...order,
  })
  expect(fingerprint(repository)).toEqual(before)
  const record = await scene.worktrees.createWorktree(
    worktreeIdOf(task),
    join(scene.top, 'worktrees', task),
    base,
    checkout.place.commonDir,
  )
  expect(fingerprint(repository)).toEqual(before)
  const results = join(scene.top, 'results', task)
  mkdirSync(results, { recursive: true })
  const agent = new Repository(scene, record.path)
  return { scene, repository, task, base, record, results, agent }
}

/** Collects; the caller's checkout must not show that either. */
export async function collect(carried: Carried): Promise<CollectedResult> {
  const { scene, repository, record, base, task, results } = carried
  const before = fingerprint(repository)
  const result = await scene.worktrees.collectResult(record, base, task, results)
  expect(fingerprint(repository)).toEqual(before)
  return result
}

/** What was said to be left out, before the task starts. */
export const leftOutOf = ({ base }: Carried) => base.changes?.leftOut ?? []

export const patchOf = ({ results }: Carried) =>
  readFileSync(join(results, 'result.patch'), 'latin1')

/** The paths that a result has changed, with a letter each. */
export function changesIn({ repository, base }: Carried, { commit }: CollectedResult): string[] {
  const from = baseTreeCommit(base)
  const words = ['diff-tree', '-r', '--name-status', '--no-renames', '-z', from, commit]
  const fields = repository.gitBytes(words).toString('latin1').split('\0').slice(0, -1)
  return fields.flatMap((field, n) => (n % 2 === 0 ? [`${field} ${fields[n + 1]}`] : []))
}

/** All that a person, or git, sees of a checkout: files, index entries with stages and flags. */
export function sightOf(repository: Repository) {
  const entries = repository.gitBytes(['ls-files', '-s', '-v', '-z'], { GIT_OPTIONAL_LOCKS: '0' })
  return {
    files: filesOf(repository),
    index: entries.toString('latin1').split('\0'),
    status: statusOf(repository),
  }
}
