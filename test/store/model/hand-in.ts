/** Handing a task in, any that there may be; and what the store must answer. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { AppError } from '../../../src/domain/errors.ts'
import { type CommitId, makeTaskId, type TaskId, type WorktreeId } from '../../../src/domain/ids.ts'
import {
  hasEnded,
  type Idempotency,
  plainRequest,
  type TaskRequest,
  type Workplace,
} from '../../../src/domain/task.ts'
import type { Expected } from './expected.ts'
import { nth, type Real } from './step.ts'

const ACCOUNTS = [null, 'acme', 'acme', 'else'] as const
const SHARED = ['shared-1', 'shared-2'] as const
let made = 0
function newId(): TaskId {
  made += 1
  return makeTaskId(new TextEncoder().encode(String(made).padStart(16, 'a')).reverse())
}

export function request(facts: Partial<TaskRequest>, { now }: Expected): TaskRequest {
  const id = facts.id ?? newId()
  return {
    ...plainRequest(id),
    id,
    name: `task-${id}`,
    agent: 'codex',
    model: null,
    effort: null,
    permissions: { asked: 'workspace', effective: 'workspace', enforcedBy: 'agent' },
    argv: [],
    retryOnCrash: false,
    repo: { root: '/r', commonDir: '/r/.git', subdirectory: '' },
    base: { commit: 'c'.repeat(40) as CommitId, changes: null },
    caller: { kind: 'program', id: null, directory: '/r' },
    createdAt: now,
    ...facts,
  }
}

/** As the commands do: with a look at the worktree, if others use it as well. */
export async function submit(
  asked: TaskRequest,
  expected: Expected,
  { store }: Real,
): Promise<void> {
  const { id, workplace } = asked
  const isShared = workplace.id !== (id as string)
  const newestTask = isShared ? await store.newestTaskIn(workplace.id) : null
  const seen = isShared ? { record: null, newestTask } : undefined
  const answer = await store.submitTask(asked, seen).then(
    task => task.request.id,
    (error: unknown) => {
      if (error instanceof AppError) return error.code
      throw error
    },
  )
  expect(answer).toBe(acceptTask(asked, expected))
}

/** The id of the task that it became, or why it is refused. */
function acceptTask(asked: TaskRequest, expected: Expected): string {
  const { id, idempotency, after, workplace } = asked
  const twin = expected.all.find(
    one => idempotency !== null && one.request.idempotency?.key === idempotency.key,
  )
  if (twin !== undefined) {
    const isSame = twin.request.idempotency?.fingerprint === idempotency?.fingerprint
    return isSame ? twin.request.id : 'idempotency_conflict'
  }
  const on = after.filter(one => !hasEnded(expected.require(one).state))
  if (after.some(one => !on.includes(one) && expected.require(one).state.name !== 'succeeded')) {
    return 'refused_in_state'
  }
  const isShared = workplace.id !== (id as string)
  const known = expected.worktrees.get(workplace.id)
  if (isShared && known !== undefined && (known.leasedTo !== null || known.retiring))
    return 'leased'
  if (isShared) {
    expected.worktrees.set(workplace.id, { leasedTo: id, retiring: false })
  }
  expected.tasks.set(id, {
    request: asked,
    state:
      on.length === 0
        ? { name: 'queued' }
        : { name: 'waiting', wait: { reason: 'dependency', on } },
    since: expected.now,
    attempts: 0,
    answered: new Set(),
  })
  return id
}

interface Wish {
  readonly account: (typeof ACCOUNTS)[number]
  readonly priority: number
  readonly after: readonly number[]
  readonly shared: (typeof SHARED)[number] | null
  readonly idempotency: Idempotency | null
}

export const wishes: fc.Arbitrary<Wish> = fc.record({
  account: fc.constantFrom(...ACCOUNTS),
  priority: fc.integer({ min: -1, max: 1 }),
  after: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }) },
  ),
  shared: fc.constantFrom(null, null, ...SHARED),
  idempotency: fc.constantFrom(
    null,
    null,
    null,
    { key: 'nightly', fingerprint: 'f' },
    { key: 'nightly', fingerprint: 'g' },
  ),
})

export function toRequest({ shared, after, ...rest }: Wish, expected: Expected): TaskRequest {
  const id = newId()
  const ids = [...expected.tasks.keys()]
  const named = ids.length === 0 ? [] : after.map(n => nth(ids, n))
  const workplace: Workplace | null =
    shared === null ? null : { kind: 'permanent', id: shared as WorktreeId, path: `/${shared}` }
  return request(
    { ...rest, id, after: [...new Set(named)], ...(workplace === null ? {} : { workplace }) },
    expected,
  )
}
