/** What a task that goes on is told and counts from, with the real store and real git. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { asSessionId, type TaskId } from '../../src/domain/ids.ts'
import type { Task, TaskRequest } from '../../src/domain/task.ts'
import { readAllSaid } from '../../src/engine/all-said.ts'
import { planFollowing, planResume } from '../../src/engine/go-on.ts'
import { type HandInPlan, handIn } from '../../src/engine/hand-in.ts'
import { planOpen } from '../../src/engine/open.ts'
import { loadReading } from '../../src/engine/read-output.ts'
import type { Agent } from '../../src/ports/agent.ts'
import { beginTask, makeScene } from './scene.ts'

const SESSION = asSessionId('the-session')

const use = (inputTokens: number) =>
  ({ inputTokens, cachedInputTokens: 0, outputTokens: 1, costUsd: null }) as const
const silent = { session: SESSION, answer: null, usage: null, turn: null }

const codex = {
  name: 'codex',
  capabilities: {
    takesPrompt: true,
    continues: 'session',
    promptLimit: null,
    usageCounts: 'session',
  },
  translator: { initial: silent },
  ui: { holdsPermissions: false },
  readUsage: async () => use(500),
  findInstallation: async () => undefined,
  settlePermissions: async (asked: string) => ({ asked, effective: asked, enforcedBy: 'agent' }),
} as unknown as Agent

async function makeConversation() {
  const { holdfast, repo, ports: shared } = await makeScene()
  const ports = {
    ...shared,
    randomBytes,
    trust: await holdfast.trust(),
    confinement: await holdfast.confinement(),
    hash: (text: string) => text,
  }
  const { store, files } = ports
  const look = async (id: TaskId): Promise<Task> => {
    const task = await store.findTask(id)
    if (task === undefined) throw new Error('there is no such task')
    return task
  }
  const asker = {
    caller: { kind: 'program', id: null, directory: repo },
    environment: {},
    timeoutMs: null,
    budget: null,
    notify: [],
  } as const
  const begin = async (plan: HandInPlan) => (await handIn(plan, ports)).task
  return {
    holdfast,
    repo,
    ports,
    look,
    /** Its agent has done its work, in the session. */
    async begun(prompt: string): Promise<Task> {
      const { id, attempt, record, collect } = await beginTask(ports, repo)
      await files.writeRequest(id, Buffer.from(prompt), {})
      await store.recordWorktree(attempt, record)
      await store.transition(id, attempt.fence, { kind: 'agent_started' }, 3)
      const translation = { ...silent, usage: use(100) }
      const activity = { activeMs: 0, fruitlessMs: 0 }
      const counted = { spent: use(100), usage: use(100) }
      const progress = { offset: 1, lines: 1, translation, activity, ...counted }
      await store.recordProgress(attempt, progress, [], 3)
      const result = { answer: null, ...(await collect()) }
      await store.transition(id, attempt.fence, { kind: 'attempt_succeeded', result }, 4)
      return await look(id)
    },
    open: async (task: Task, agent = codex) => {
      const wish = { opened: { by: 'agent' }, permissions: null } as const
      return await begin(await planOpen(task, agent, wish, asker, ports))
    },
    /** What had been used by its session before it, once it is about to start; and it is cancelled. */
    async countedBefore(task: Task) {
      const { id } = task.request
      const claimed = await store.claimNext(4, () => 'resume')
      if (claimed?.task.request.id !== id) throw new Error('another one was claimed')
      const { attempt } = claimed
      const reading = await loadReading({ task: claimed.task, attempt, agent: codex }, ports)
      await store.transition(id, null, { kind: 'cancel_requested' }, 5)
      const settled = { kind: 'attempt_cancelled', result: null } as const
      const ended = await store.transition(id, attempt.fence, settled, 5)
      if (ended === undefined) throw new Error('it cannot be cancelled')
      return { session: reading.before.session, ended }
    },
    async send(task: Task, text: string, agent = codex, asked: Partial<TaskRequest> = {}) {
      const plan = await planFollowing(task, text, null, agent, asker, ports)
      return await begin({ ...plan, request: { ...plan.request, ...asked } })
    },
    resume: async (task: Task) => await begin(await planResume(task, codex, asker, ports)),
    /** It ends before its agent was ever started. */
    async cancel({ request: { id } }: Task): Promise<Task> {
      const ended = await store.transition(id, null, { kind: 'cancel_requested' }, 5)
      if (ended === undefined) throw new Error('it cannot be cancelled')
      expect(ended).toMatchObject({ state: { name: 'cancelled' }, runs: 0 })
      return ended
    },
    prompt: async ({ request: { id } }: Task) =>
      Buffer.from(await files.readPrompt(id)).toString('utf8'),
    all: async (task: Task) =>
      Buffer.from(await readAllSaid(await look(task.request.id), ports)).toString('utf8'),
  }
}

test('what was sent and never came to its agent stands before what is sent next, each once', async () => {
  const house = await makeConversation()
  const { send, cancel, resume, prompt, all, ports } = house
  // The next only happens to begin with the same letter.
  const first = await house.begun('A')
  const second = await send(first, 'AAA')
  expect(await prompt(second)).toBe('AAA')
  await ports.store.recordMessage(second.request.id, 'unheard', 4)
  const third = await send(await cancel(second), 'BBB')
  const then = '\n\nThen you were told:\n\n'
  expect(await prompt(third)).toBe(['AAA', 'unheard', 'BBB'].join(then))
  expect(third.request).toMatchObject({ ownPrompt: true, session: SESSION })
  // One that only goes on has the same prompt; and so on, however many never ran.
  const fourth = await resume(await cancel(third))
  expect(await prompt(fourth)).toBe(await prompt(third))
  const fifth = await send(await cancel(fourth), 'AAA too')
  expect(await prompt(fifth)).toBe(['AAA', 'unheard', 'BBB', 'AAA too'].join(then))
  expect(await all(fifth)).toBe(['A', 'AAA', 'unheard', 'BBB', 'AAA too'].join(then))
  await house.holdfast.close()
})

test('a session that was taken over, and has not heard its task, is told all the same', async () => {
  const house = await makeConversation()
  const { cancel, prompt, send, resume, ports } = house
  const { store, files, worktrees } = ports
  const begun = await house.begun('Begin')
  const { id: _, base, ...request } = begun.request
  const { task: taken } = await handIn(
    {
      prompt: Buffer.from('AAA'),
      environment: {},
      request: { ...request, agent: 'codex', session: SESSION },
      seen: { record: await recordOf(begun), newestTask: begun.request.id },
      setUp: null,
      takeBase: async id => {
        await worktrees.holdBase(request.repo.commonDir, id, base)
        return base
      },
    },
    ports,
  )
  const again = await resume(await cancel(taken))
  expect([await prompt(again), again.request.ownPrompt]).toEqual(['AAA', true])
  const next = await send(await cancel(again), 'BBB')
  expect(await prompt(next)).toBe('AAA\n\nThen you were told:\n\nBBB')
  await house.holdfast.close()

  async function recordOf(task: Task) {
    const stored = await store.findWorktree(task.request.workplace.id)
    expect(files.worktreePath(task.request.id)).toBe(stored?.record?.path)
    return stored?.record ?? null
  }
})

test('what a session had used is counted from over those that never ran, and over a person', async () => {
  const house = await makeConversation()
  const { send, cancel, open, countedBefore } = house
  const never = await cancel(await send(await house.begun('Begin'), 'AAA'))
  const { session, ended } = await countedBefore(await send(never, 'BBB'))
  expect(session).toEqual(use(100))

  // What a person used is nobody's; and that stands for those that follow later.
  const after = await send(await cancel(await open(ended)), 'CCC')
  expect(after.request.sessionUsage).toEqual(use(500))
  const driven = await countedBefore(after)
  expect(driven.session).toEqual(use(500))
  const next = await send(driven.ended, 'DDD')
  expect(next.request.sessionUsage).toBeNull()
  expect((await countedBefore(next)).session).toEqual(use(500))
  await house.holdfast.close()
})

test('whoever has taken over goes on with a model of its own', async () => {
  const { begun, send, cancel, open, holdfast } = await makeConversation()
  const asked = { model: 'gpt-5', effort: 'high' }
  const held = await cancel(await send(await begun('A'), 'B', codex, asked))
  const same = await cancel(await send(held, 'C'))
  expect(same.request).toMatchObject(asked)
  const successor = { ...codex, name: 'claude' }
  const own = { agent: 'claude', model: null, effort: null }
  const opened = await cancel(await open(same, successor))
  expect(opened.request).toMatchObject(own)
  expect((await send(opened, 'D', successor)).request).toMatchObject(own)
  await holdfast.close()
})

test('what a person drove in between takes nothing from what was asked: limits, order, who is told', async () => {
  const { begun, send, cancel, open, holdfast } = await makeConversation()
  const asked = {
    ...{ timeoutMs: 5_000, memoryBytes: 1e9, priority: 7, budget: { kind: 'tokens', tokens: 9 } },
    notify: [
      { to: { kind: 'desktop' }, isNamed: true },
      { to: { kind: 'file', path: '/by-default' }, isNamed: false },
    ],
  } as unknown as Partial<TaskRequest>
  const held = await cancel(await send(await begun('A'), 'B', codex, asked))
  const driven = await open(held)
  expect(driven.request).toMatchObject({ timeoutMs: null, notify: [], priority: 1_000 })
  const next = await send(await cancel(driven), 'C')
  const { timeoutMs, memoryBytes, budget } = asked
  expect(next.request).toMatchObject({ timeoutMs, memoryBytes, budget, priority: 7 })
  expect(next.request.notify).toEqual([{ to: { kind: 'desktop' }, isNamed: true }])
  await holdfast.close()
})
