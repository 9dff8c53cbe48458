import { describe, expect, it } from 'vitest'
import type { CommitId, WorktreeId } from '../../src/domain/ids.ts'
import {
  DEFAULT_POOL,
  type PooledRepository,
  planPool,
  type Spare,
} from '../../src/domain/spare.ts'

const DAY = 86_400_000
const now = 100 * DAY
const [old, head] = ['a'.repeat(40), 'b'.repeat(40)] as [CommitId, CommitId]

const repository = (more: Partial<PooledRepository> = {}): PooledRepository => ({
  commonDir: '/r/.git',
  taskTimes: [now - DAY, now],
  newest: { commit: head, umask: 0o22 },
  files: 2_000,
  ...more,
})
const spare = (id: string, more: Partial<Spare> = {}): Spare => ({
  id: id as WorktreeId,
  commonDir: '/r/.git',
  commit: head,
  umask: 0o22,
  ...more,
})
const plan = (
  repositories: readonly PooledRepository[],
  spares: readonly Spare[] = [],
  hasRoom = true,
) => planPool(repositories, spares, DEFAULT_POOL, hasRoom, now)

const wanted = { commonDir: '/r/.git', commit: head, umask: 0o22 }
const nothing = { drop: [], aim: [], make: [] }

describe('spares are made for a repository in use', () => {
  it('two of them, and no more', () => {
    expect(plan([repository()])).toEqual({ ...nothing, make: [wanted, wanted] })
    expect(plan([repository()], [spare('s1')])).toEqual({ ...nothing, make: [wanted] })
    expect(plan([repository()], [spare('s1'), spare('s2')])).toEqual(nothing)
    const three = ['s1', 's2', 's3'].map(id => spare(id))
    expect(plan([repository()], three)).toEqual({ ...nothing, drop: ['s3'] })
  })

  it('not before its second task in a week, nor where they save nothing', () => {
    expect(plan([repository({ taskTimes: [now] })])).toEqual(nothing)
    expect(plan([repository({ taskTimes: [now - 8 * DAY, now] })])).toEqual(nothing)
    expect(plan([repository({ files: 1_999 })])).toEqual(nothing)
    expect(plan([repository({ files: null })])).toEqual(nothing)
  })
})

it('each is kept on the commit that the newest task started from', () => {
  expect(plan([repository()], [spare('s1', { commit: old }), spare('s2')])).toEqual({
    ...nothing,
    aim: [{ id: 's1', commit: head }],
  })
})

describe('they are given back', () => {
  const both = [spare('s1'), spare('s2')]
  const none = { ...nothing, drop: ['s1', 's2'] }
  it('after three days without a task', () => {
    const idle = repository({ taskTimes: [now - 4 * DAY, now - 4 * DAY] })
    expect(plan([idle], both)).toEqual(none)
  })
  it('where the disk is nearly full, and where nobody wants any', () => {
    expect(plan([repository()], both, false)).toEqual(none)
    expect(planPool([repository()], both, { ...DEFAULT_POOL, size: 0 }, true, now)).toEqual(none)
  })
  it('of a repository that is not known any more, and of another umask', () => {
    expect(plan([], both)).toEqual(none)
    const foreign = spare('s3', { umask: 0o77 })
    expect(plan([repository()], [foreign])).toEqual({
      drop: ['s3'],
      aim: [],
      make: [wanted, wanted],
    })
  })
})
