/** What anybody may do to the store, one step each: to the real one, and to what it must hold. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { onReach } from '../../../src/domain/crash-points.ts'
import { asFence, asSessionId } from '../../../src/domain/ids.ts'
import { hasEnded, isActive } from '../../../src/domain/task.ts'
import type { Transition } from '../../../src/domain/transitions.ts'
import type { ClaimedAttempt } from '../../../src/ports/store.ts'
import type { Expected, ExpectedTask } from './expected.ts'
import { request, submit, toRequest, wishes } from './hand-in.ts'
import { nth, type Real, type Step, step } from './step.ts'

const failure = { code: 'agent_crashed', message: 'killed' } as const
const result = { answer: null, commit: null, files: 0, insertions: 0, deletions: 0, leftOut: [] }

/** Which of `events` an attempt settles with: mostly those on which others depend. */
const LIKELY = [0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 9]

const attemptOf = ({ request: { id }, attempts }: ExpectedTask): ClaimedAttempt =>
  ({ task: id, fence: asFence(attempts), mode: 'fresh', startedAt: 0 }) as ClaimedAttempt

const some = ({ tasks }: Expected) => tasks.size > 0
const begun = ({ all }: Expected) => all.filter(({ attempts }) => attempts > 0)
const active = ({ all }: Expected) => all.filter(({ state }) => isActive(state))
const ended = ({ all }: Expected) => all.filter(({ state }) => hasEnded(state))

/** Anything that may be said of a task's attempt; `delay`: how long it then waits. */
const events = (delay: number, account: string | null): readonly Transition[] => [
  { kind: 'agent_started' },
  { kind: 'attempt_succeeded', result },
  { kind: 'attempt_failed', failure: { code: 'command_failed', message: '' }, result: null },
  { kind: 'attempt_cancelled', result },
  { kind: 'input_requested', question: { id: `q${delay % 3}`, text: '?', options: [] } },
  { kind: 'input_answered' },
  interrupted({ reason: 'backoff', failure }, delay),
  interrupted({ reason: 'backoff', failure: { code: 'session_lost', message: '' } }, delay),
  interrupted({ reason: 'usage_limit', failure, account: account ?? 'acme' }, delay),
  {
    kind: 'attempt_interrupted',
    wait: { reason: 'budget', failure: { code: 'budget_reached', message: '' } },
    failuresInRow: 0,
  },
]

type Pause =
  | {
      readonly reason: 'backoff'
      readonly failure: { code: 'agent_crashed' | 'session_lost'; message: string }
    }
  | { readonly reason: 'usage_limit'; readonly failure: typeof failure; readonly account: string }

/** `until`: a delay, to which the time of the step is added. */
const interrupted = (pause: Pause, until: number): Transition => ({
  kind: 'attempt_interrupted',
  wait: { ...pause, until },
  failuresInRow: 1,
})

function at(event: Transition, now: number): Transition {
  if (event.kind !== 'attempt_interrupted' || event.wait.reason === 'budget') return event
  return { ...event, wait: { ...event.wait, until: event.wait.until + now } }
}

/** `lag`: how many attempts too old (or too new) whoever says so is. */
async function tell(
  task: ExpectedTask,
  event: Transition,
  lag: number,
  expected: Expected,
  { store }: Real,
): Promise<void> {
  const { now } = expected
  const fence = asFence(task.attempts - lag)
  const moved = await store.transition(task.request.id, fence, event, now, `try ${fence} ended`)
  const isAccepted = lag === 0 && expected.move(task, event)
  expect(moved !== undefined).toBe(isAccepted)
}

const POINTS = ['transition.written', 'claim.written', 'submission.row-written']

/** Whoever does it dies before it is committed: as if it had never begun. */
async function dying(work: () => Promise<unknown>, real: Real): Promise<void> {
  let died = false
  onReach(point => {
    if (!POINTS.includes(point)) return
    died = true
    throw new Error(`it died at ${point}`)
  })
  const end = await work().then(
    () => 'nothing was to be done',
    (error: unknown) => String(error),
  )
  onReach(() => undefined)
  if (died) expect(end).toMatch(/it died at/)
  await real.store.close()
  real.store = await real.reopen()
}

/** A command hands a task in. */
const submitting: fc.Arbitrary<Step> = wishes.map(wish =>
  step(
    `submit ${JSON.stringify(wish)}`,
    () => true,
    (expected, real) => submit(toRequest(wish, expected), expected, real),
  ),
)

/** `resume` goes on in the worktree of an ended task, `retry` begins anew. */
const goingOn: fc.Arbitrary<Step> = fc
  .record({ who: fc.nat(20), again: fc.boolean() })
  .map(({ who, again }) =>
    step(
      `${again ? 'retry' : 'resume'} an ended one (${who})`,
      expected => ended(expected).length > 0,
      async (expected, real) => {
        const { request: before } = nth(ended(expected), who)
        const { account, priority, workplace } = before
        const path = workplace.path ?? `/w/${workplace.id}`
        const place = again ? {} : { workplace: { ...workplace, path } }
        await submit(request({ account, priority, ...place }, expected), expected, real)
      },
    ),
  )

/** The worker has a free slot. */
const claiming: fc.Arbitrary<Step> = fc.constant(
  step(
    'claim',
    () => true,
    async (expected, { store }) => {
      const next = expected.nextToClaim()
      const claimed = await store.claimNext(expected.now, () => 'fresh')
      expect(claimed?.task.request.id).toBe(next?.request.id)
      if (next === undefined || claimed === undefined) return
      expected.claim(next)
      expect(claimed.attempt.fence).toBe(next.attempts)
    },
  ),
)

/** An attempt records its worktree before it is made. */
const leasing: fc.Arbitrary<Step> = fc.nat(20).map(who =>
  step(
    `lease (${who})`,
    expected => active(expected).length > 0,
    async (expected, { store }) => {
      const task = nth(active(expected), who)
      const { id, kind, path } = task.request.workplace
      const plan = { id, kind, path: path ?? `/w/${id}`, commonDir: '/r/.git' }
      const known = expected.worktrees.get(id) ?? { leasedTo: null, retiring: false }
      const isFree = known.leasedTo === null || known.leasedTo === task.request.id
      expect(await store.leaseWorktree(attemptOf(task), plan)).toBe(isFree)
      if (isFree) expected.worktrees.set(id, { ...known, leasedTo: task.request.id })
    },
  ),
)

/** An attempt that is under way says something of itself, mostly how it ended. */
const settling: fc.Arbitrary<Step> = fc
  .record({ who: fc.nat(20), what: fc.constantFrom(...LIKELY), delay: fc.nat(10_000) })
  .map(wish =>
    step(
      `settle ${JSON.stringify(wish)}`,
      expected => active(expected).length > 0,
      async (expected, real) => {
        const task = nth(active(expected), wish.who)
        const event = at(nth(events(wish.delay, task.request.account), wish.what), expected.now)
        await tell(task, event, 0, expected, real)
      },
    ),
  )

/** Somebody says something that may be long out of date, or never was. */
const saying: fc.Arbitrary<Step> = fc
  .record({ who: fc.nat(20), what: fc.nat(9), lag: fc.constantFrom(-1, 0, 1, 2) })
  .map(wish =>
    step(
      `say ${JSON.stringify(wish)}`,
      expected => begun(expected).length > 0,
      async (expected, real) => {
        const task = nth(begun(expected), wish.who)
        const event = at(nth(events(1_000, task.request.account), wish.what), expected.now)
        await tell(task, event, wish.lag, expected, real)
      },
    ),
  )

/** A person answers a question, asked or not. */
const answering: fc.Arbitrary<Step> = fc
  .record({ who: fc.nat(20), question: fc.nat(2) })
  .map(({ who, question }) =>
    step(`answer q${question} (${who})`, some, async (expected, { store }) => {
      const { request: asked, state, answered } = nth(expected.all, who)
      const given = { text: 'yes', note: 'answered' }
      const isAsked = state.name === 'needs_input' && state.question.id === `q${question}`
      const key = isAsked ? `${state.fence}.${question}` : ''
      const isNew = isAsked && !answered.has(key)
      const fence = state.name === 'needs_input' ? state.fence : asFence(1)
      const named = { fence, id: `q${question}` }
      expect(await store.recordAnswer(asked.id, named, given, expected.now)).toBe(isNew)
      if (isNew) answered.add(key)
    }),
  )

/** A person cancels, or ends a wait. */
const deciding: fc.Arbitrary<Step> = fc
  .record({ who: fc.nat(20), isCancel: fc.boolean() })
  .map(({ who, isCancel }) =>
    step(`${isCancel ? 'cancel' : 'end the wait'} (${who})`, some, async (expected, { store }) => {
      const task = nth(expected.all, who)
      const event = { kind: isCancel ? 'cancel_requested' : 'wait_ended' } as const
      const moved = await store.transition(task.request.id, null, event, expected.now)
      expect(moved !== undefined).toBe(expected.move(task, event))
    }),
  )

/** The worker takes over what an attempt has printed. */
const reading: fc.Arbitrary<Step> = fc
  .record({ who: fc.nat(20), lag: fc.constantFrom(0, 0, 1) })
  .map(({ who, lag }) =>
    step(
      `read on (${who}, ${lag})`,
      expected => begun(expected).length > 0,
      async (expected, { store }) => {
        const task = nth(begun(expected), who)
        const attempt = { ...attemptOf(task), fence: asFence(task.attempts - lag) }
        const translation = { session: asSessionId('s'), answer: null, usage: null, turn: null }
        const activity = { activeMs: 1, fruitlessMs: 1 }
        const progress = { offset: 1, lines: 1, translation, activity, spent: null, usage: null }
        const lines = [{ kind: 'message_ended', text: 'hello' } as const]
        const isTaken = await store.recordProgress(attempt, progress, lines, expected.now)
        expect(isTaken).toBe(lag === 0)
      },
    ),
  )

/** The task that tries for its account has got something done. */
const lifting: fc.Arbitrary<Step> = fc.nat(20).map(who =>
  step(`lift the limit (${who})`, some, async (expected, { store }) => {
    const { request: asked } = nth(expected.all, who)
    const pause = 500
    const account = [...expected.limits].find(([, { probe }]) => probe === asked.id)?.[0]
    const isLifted = await store.liftLimit(asked.id, expected.now, () => pause)
    expect(isLifted).toBe(account !== undefined)
    if (account === undefined) return
    expected.limits.delete(account)
    for (const other of expected.all) {
      const { state } = other
      if (other.request.account !== account || state.name !== 'waiting') continue
      if (state.wait.reason !== 'usage_limit') continue
      other.state = { ...state, wait: { ...state.wait, until: expected.now + pause } }
    }
  }),
)

/** Worktrees are put away, and given up. */
const retaining: fc.Arbitrary<Step> = fc
  .record({ who: fc.nat(20), what: fc.constantFrom('begin', 'give up', 'forget', 'free') })
  .map(({ who, what }) =>
    step(
      `retention: ${what} (${who})`,
      ({ worktrees }) => worktrees.size > 0,
      async (expected, { store }) => {
        const [id, worktree] = nth([...expected.worktrees], who)
        const isFree = worktree.leasedTo === null
        if (what === 'begin') {
          expect(await store.beginRetirement(id)).toBe(isFree)
          worktree.retiring ||= isFree
        } else if (what === 'give up') {
          await store.giveUpRetirement(id)
          worktree.retiring = false
        } else if (what === 'forget') {
          expect(await store.forgetWorktree(id)).toBe(isFree)
          if (isFree) expected.worktrees.delete(id)
        }
        // The lease of a task that has not ended is nobody's to take.
        else expect(await store.releaseLease(id)).toBe(false)
      },
    ),
  )

/** The worker dies between two steps, and the next one finds what is under way. */
const adopting: fc.Arbitrary<Step> = fc.constant(
  step(
    'the worker dies, and the next one adopts',
    () => true,
    async (expected, real) => {
      await real.store.close()
      real.store = await real.reopen()
      const adopted = await real.store.claimActive()
      const found = adopted.map(({ attempt }) => [attempt.task, attempt.fence] as const)
      const must = active(expected)
        .filter(({ attempts }) => attempts > 0)
        .map(({ request: { id }, attempts }) => [id, attempts] as const)
      expect(new Map(found)).toEqual(new Map(must))
    },
  ),
)

/** Whoever writes dies before the end of its transaction: what must hold is as it was. */
const dyingMidway: fc.Arbitrary<Step> = fc
  .record({ who: fc.nat(20), what: fc.constantFrom('claim', 'submit', 'cancel') })
  .map(({ who, what }) =>
    step(`dies in the middle of ${what} (${who})`, some, async (expected, real) => {
      const { store } = real
      const { request: asked } = nth(expected.all, who)
      const event = { kind: 'cancel_requested' } as const
      const work = {
        claim: () => store.claimNext(expected.now, () => 'fresh'),
        submit: () => store.submitTask(request({}, expected)),
        cancel: () => store.transition(asked.id, null, event, expected.now),
      }[what]
      await dying(work, real)
    }),
  )

/** Time passes, and now and then the clock is set back. */
const waiting: fc.Arbitrary<Step> = fc
  .oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 40_000 }) },
    { weight: 1, arbitrary: fc.constantFrom(-200_000, -1_000) },
  )
  .map(ms =>
    step(
      `${ms} ms pass`,
      () => true,
      async expected => {
        expected.now += ms
      },
    ),
  )

/** How often each is taken. */
const steps: readonly [number, fc.Arbitrary<Step>][] = [
  [6, submitting],
  [3, goingOn],
  [8, claiming],
  [4, leasing],
  [14, settling],
  [4, saying],
  [3, answering],
  [4, deciding],
  [2, reading],
  [2, lifting],
  [3, retaining],
  [2, adopting],
  [2, dyingMidway],
  [4, waiting],
]

/** Any number of steps. */
export const anySteps = (most: number) =>
  fc.commands(
    steps.flatMap(([weight, arbitrary]) => Array.from({ length: weight }, () => arbitrary)),
    { maxCommands: most, size: 'max' },
  )
