import { describe, expect, it } from 'vitest'
import type { CommitId, WorktreeId } from '../../src/domain/ids.ts'
import type { Permissions } from '../../src/domain/permissions.ts'
import type { SetUp } from '../../src/domain/set-up.ts'
import {
  DEFAULT_POOL,
  mayHaveOutput,
  type PooledRepository,
  planPool,
  rightsOf,
  type Spare,
} from '../../src/domain/spare.ts'
import type { TaskRequest } from '../../src/domain/task.ts'

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

describe('build output that others have written', () => {
  const held = (enforcedBy: 'agent' | 'system'): Permissions => ({
    asked: 'workspace',
    effective: 'workspace',
    enforcedBy,
  })
  const full: Permissions = { asked: 'full', effective: 'full', enforcedBy: 'none' }
  const command = { argv: ['npm', 'ci'], trusted: true, digest: 'd', scripts: [] } as const
  const setUp: SetUp = { included: null, command }
  const untrusted: SetUp = { included: null, command: { ...command, trusted: false } }
  const brought: SetUp = {
    included: null,
    command: null,
    directories: [{ path: 'node_modules', way: 'clone' }],
  }

  it('counts as written with the least rights of all who were there', () => {
    const task = (permissions: Permissions) => ({ request: { permissions } as TaskRequest })
    expect(rightsOf([])).toBe('agents')
    expect(rightsOf([task(full), task(held('agent'))])).toBe('agents')
    expect(rightsOf([task(full), task(full)])).toBe('full')
  })

  it.each<['agents' | 'full', Permissions, SetUp | null, boolean]>([
    ['agents', held('agent'), null, true],
    ['agents', held('agent'), untrusted, true],
    // Beside an agent that holds itself, a set-up runs with the user's own rights.
    ['agents', held('agent'), setUp, false],
    ['agents', held('system'), setUp, true],
    ['agents', full, null, false],
    ['full', full, null, true],
    ['full', held('agent'), setUp, true],
    ['full', full, brought, false],
    ['agents', held('system'), brought, false],
  ])('written by %s, it is for %o with %o: %s', (rights, permissions, setup, may) => {
    expect(mayHaveOutput(rights, { permissions, setUp: setup })).toBe(may)
  })

  it('is given back once nobody wants it', () => {
    const furnished = spare('s1', { hasOutput: true })
    const keeping = { ...DEFAULT_POOL, size: 1, keepsOutput: true }
    expect(planPool([repository()], [furnished], keeping, true, now)).toEqual(nothing)
    expect(plan([repository()], [furnished])).toMatchObject({ drop: ['s1'] })
  })
})
