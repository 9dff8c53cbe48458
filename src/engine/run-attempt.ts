/** One attempt from its claim to its end: worktree, launch, follow, settle. */
import { showsHearing } from '../domain/activity.ts'
import { reach } from '../domain/crash-points.ts'
import { PORT_VARIABLE } from '../domain/environment.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import type { SessionId, TaskId } from '../domain/ids.ts'
import type { Failure, FailureCode } from '../domain/outcome.ts'
import type { Permissions } from '../domain/permissions.ts'
import type { Task } from '../domain/task.ts'
import type { Agent, AgentInstallation, Environment, LaunchRequest } from '../ports/agent.ts'
import type { Confinement, Confines, Enclosure } from '../ports/confinement.ts'
import type { ClaimedAttempt, Store, StoredWorktree, Tries } from '../ports/store.ts'
import type { WorktreePlan, WorktreeRecord } from '../ports/worktrees.ts'
import { enterHome } from './agent-home.ts'
import { isNews, readAllSaid } from './all-said.ts'
import { describeLoss } from './collect.ts'
import { type FollowPorts, followAttempt, type Underway, type Wishes } from './follow-attempt.ts'
import { describeHandOver, describeStart } from './hand-over.ts'
import { planOpenedLaunch } from './open.ts'
import { type Claimed as ClaimedSpare, claimSpare } from './pool.ts'
import { loadReading } from './read-output.ts'
import { orderSetUp, readyWorktree, SetUpRefused } from './set-up.ts'
import { recordEnd, settleAttempt } from './settle-attempt.ts'
import { settleHeld } from './settle-permissions.ts'
import { isMachineTrouble, isStoreTrouble } from './trouble.ts'
import { withWorktree } from './worktree-lock.ts'

/** An attempt whose agent is known; its worktree is not, yet. */
export type Claimed = Omit<Underway, 'worktree'>

/** Starts the agent for a fresh claim, then attends to it. `interruptedBy`: what a resume tells. */
export async function runAttempt(
  claim: Claimed,
  interruptedBy: Failure | null,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<void> {
  const { attempt } = claim
  const place = await prepareWorktree(claim, ports)
  const underway: Underway = { ...claim, worktree: place.worktree }
  if (place.failure !== null) {
    const { failure } = place
    // A full disk is not the task's failure: it is tried again, with growing pauses.
    if (place.passes === true) {
      const end = { kind: 'never_started', why: failure.message } as const
      return await settleAttempt(underway, end, wishes, ports)
    }
    await recordEnd(underway, { kind: 'attempt_failed', failure, result: null }, ports)
    return
  }
  // Asked for before anything was started: nothing needs to be.
  if (wishes.cancel) return await settleAttempt(underway, { kind: 'cancelled' }, wishes, ports)

  const failure = await launchAgent(underway, place.worktree, interruptedBy, ports)
  if (failure?.code === 'launch_failed') {
    const end = { kind: 'never_started', why: failure.message } as const
    return await settleAttempt(underway, end, wishes, ports)
  }
  // Nothing was ever launched: there is nothing to collect, and no worktree to keep.
  if (failure !== null && attempt.fence === 1 && isOwn(claim)) {
    await recordEnd(underway, { kind: 'attempt_failed', failure, result: null }, ports)
    return
  }
  // An attempt before this one may have left work behind.
  if (failure !== null) {
    return await settleAttempt(underway, { kind: 'refused', failure }, wishes, ports)
  }
  await followToEnd(underway, wishes, ports)
}

/** What the store says of an attempt that is adopted. */
export interface Adopted {
  /** Undefined: to be asked for. */
  readonly stored: StoredWorktree | undefined
  readonly tries: Tries
}

/** Takes up an attempt that a worker before this one started. */
export async function adoptAttempt(
  claim: Claimed,
  { stored, tries }: Adopted,
  wishes: Wishes,
  ports: FollowPorts,
): Promise<void> {
  const found = stored ?? (await ports.store.findWorktree(claim.task.request.workplace.id))
  await followToEnd({ ...claim, worktree: found?.record ?? null }, wishes, ports, tries)
}

async function followToEnd(
  underway: Underway,
  wishes: Wishes,
  ports: FollowPorts,
  tries?: Tries,
): Promise<void> {
  const end = await followAttempt(underway, wishes, ports, tries)
  if (end !== 'hands_off') await settleAttempt(underway, end, wishes, ports)
}

/** The task's worktree: made for its first attempt, taken up again by each later one. */
async function prepareWorktree(
  claim: Claimed,
  ports: FollowPorts,
): Promise<
  | { worktree: WorktreeRecord; failure: null; passes?: never }
  | { worktree: WorktreeRecord | null; failure: Failure; passes?: boolean }
> {
  const { task, attempt } = claim
  const { store, files } = ports
  const { repo, workplace } = task.request
  const { id, kind } = workplace
  const stored = await store.findWorktree(id)
  if (stored?.record != null) {
    const worktree = stored.record
    return { worktree, failure: describeLoss(task, worktree, ports) }
  }
  const path = workplace.path ?? files.worktreePath(attempt.task)
  const place = { id, kind, path, commonDir: repo.commonDir }
  try {
    // The row first: nothing on disk is without an owner.
    if (!(await store.leaseWorktree(attempt, place))) {
      throw new AppError('leased', `the worktree ${path} is in use by another task`)
    }
    reach('worktree.leased')
    const worktree = isOwn(claim)
      ? await makeWorktree(claim, place, ports)
      : await withWorktree(id, ports, () => makeShared(claim, place, ports))
    return { worktree, failure: null }
  } catch (error) {
    if (isStoreTrouble(error)) throw error
    const gone = error instanceof AppError && error.code === 'not_a_repository'
    const code = gone ? 'repository_lost' : 'worktree_failed'
    return { worktree: null, failure: { code, ...explain(error) }, passes: isMachineTrouble(error) }
  }
}

/** Whoever makes it without a task, or brings it back, may have been at that when it was leased. */
async function makeShared(
  claim: Claimed,
  place: WorktreePlan,
  ports: FollowPorts,
): Promise<WorktreeRecord> {
  const record = (await ports.store.findWorktree(place.id))?.record ?? null
  if (record === null) return await makeWorktree(claim, place, ports)
  // An attempt before this one had it almost made.
  if (claim.attempt.fence > 1) return record
  throw new AppError('leased', `the worktree ${place.path} was made by somebody else meanwhile`, {
    hint: 'hand the task in again: it starts from what is there',
  })
}

async function makeWorktree(
  { task, attempt }: Claimed,
  place: WorktreePlan,
  ports: FollowPorts,
): Promise<WorktreeRecord> {
  const { store, files, worktrees } = ports
  const { base, start } = task.request
  const { id, kind, path, commonDir } = place
  await files.clearSetUpMark(id)
  // Deleted by its user, it may have commits that only git still knows; a half-made one has none.
  if (kind === 'permanent' && !worktrees.isThere(path)) await worktrees.forgetLost(place)
  const claimed = await claimIfNew(task, attempt, path, ports)
  const worktree = claimed.worktree ?? (await worktrees.createWorktree(id, path, base, commonDir))
  if (start !== null) await worktrees.placeStart(worktree, base, start.commit)
  await readyWorktree(task, attempt, worktree, ports)
  await store.recordWorktree(attempt, worktree)
  reach('worktree.recorded')
  if (claimed.worktree !== null) await store.forgetSpare(claimed.spare)
  return worktree
}

/** A spare worktree that a task alone may take over, where nobody has tried to make its own before. */
async function claimIfNew(
  task: Task,
  attempt: ClaimedAttempt,
  path: string,
  { store, worktrees, files, clock }: FollowPorts,
): Promise<ClaimedSpare> {
  const { workplace, repo } = task.request
  if (workplace.kind !== 'managed' || worktrees.isThere(path)) return { worktree: null, why: null }
  const place = { id: workplace.id, path, commonDir: repo.commonDir }
  const claimed = await claimSpare(task, place, { store, worktrees, files })
  if (claimed.worktree === null && claimed.why !== null) {
    const note = `its worktree is made anew, not taken from those made in advance: ${claimed.why}`
    await store.recordNote(attempt.task, attempt.fence, 'attempt_started', note, clock.now())
  }
  return claimed
}

/** Whether its worktree is made for it alone. */
function isOwn({ task }: Claimed): boolean {
  const { id, workplace } = task.request
  return workplace.kind === 'managed' && workplace.id === (id as string)
}

/** Null: the agent runs. */
async function launchAgent(
  underway: Underway,
  worktree: WorktreeRecord,
  interruptedBy: Failure | null,
  ports: FollowPorts,
): Promise<Failure | null> {
  const { task, attempt, agent } = underway
  const { store, files, host, confinement, clock } = ports
  const { request, session } = task
  const { subdirectory } = request.repo
  try {
    const environment = {
      ...(await files.readEnvironment(attempt.task)),
      ...(await claimPorts(underway, worktree, ports)),
    }
    const workingDirectory = await files.ensureWithin(worktree.path, subdirectory)
    if (workingDirectory === undefined) return leadsOut(worktree.path, subdirectory)
    const opened = request.opened
    const installation =
      opened?.by === 'editor'
        ? null
        : await agent.findInstallation(environment, request.argv, workingDirectory)
    // It knows none of the other's names.
    const isSuccessor = task.fallbacks > 0
    const permissions = await settleHeld(task, agent, environment, confinement)
    const schema = request.outputSchema
    const resumed = attempt.mode === 'resume' ? session : null
    const messages = await store.launchWithMessages(attempt)
    if (messages === undefined) return superseded
    reach('message.launched')
    const inHome = await enterHome(agent, resumed, request.workplace, environment, ports)
    const place = { worktree: worktree.path, workingDirectory }
    const sessionToBe = clock.uuid()
    const launch =
      opened !== null || installation === null
        ? planOpenedLaunch(underway, { ...place, sessionToBe }, installation, inHome)
        : agent.planLaunch({
            installation,
            mode:
              resumed !== null
                ? await describeResume(underway, resumed, interruptedBy, store)
                : { kind: 'fresh', sessionToBe },
            prompt:
              resumed === null
                ? await readAllSaid(task, { store, files })
                : await files.readPrompt(attempt.task),
            handOver:
              attempt.mode === 'fresh' || request.start !== null
                ? await describeBefore(underway, worktree, interruptedBy, ports)
                : null,
            argv: request.argv,
            model: isSuccessor ? null : request.model,
            effort: isSuccessor ? null : request.effort,
            permissions,
            asks: request.asks,
            messages: messages.map(({ text }) => text),
            ...(request.oneShot && { oneShot: true }),
            ...(schema !== null && {
              outputSchema: {
                json: schema,
                file: await files.keepOutputSchema(attempt.task, schema),
              },
            }),
            ...place,
            environment: inHome,
          })
    const confines = {
      worktree: worktree.path,
      commonDir: worktree.commonDir,
      workingDirectory,
      program: launch.argv[0],
      environment: launch.environment,
      scratch: files.scratchDirectory(attempt.task),
      own: launch.own ?? { readable: [], writable: [] },
      ...(opened !== null && { terminal: true as const }),
    }
    const enclosure = await enclose(permissions, confines, confinement)
    const held = enclosure === null ? null : confines
    const setUp = await orderSetUp(task, worktree, held, { files, confinement })
    const first = setUp === null ? '' : `set-up (${request.setUp?.command?.argv.join(' ')}), then `
    await store.recordNote(
      attempt.task,
      attempt.fence,
      'attempt_started',
      `try ${attempt.fence} (${attempt.mode}): ${first}${describeProgram(underway, installation)}`,
      clock.now(),
    )
    reach('launch.noted')
    if (launch.session !== undefined) await noteSession(underway, launch.session, ports)
    if (resumed !== null) {
      await bringSession(agent, resumed, workingDirectory, launch.environment)
      await agent.keepSession?.(resumed, launch.environment, clock.now())
    }
    await host.launch({
      task: attempt.task,
      fence: attempt.fence,
      runDirectory: files.runDirectory(attempt.task, attempt.fence),
      argv: launch.argv,
      environment: { ...launch.environment, PWD: workingDirectory },
      workingDirectory,
      stdin: launch.stdin,
      brief: launch.brief ?? null,
      setUp,
      enclosure,
      memoryBytes: request.memoryBytes,
      umask: request.umask,
      terminal: opened === null ? null : { marked: opened.by === 'agent' },
    })
    return null
  } catch (error) {
    if (isStoreTrouble(error)) throw error
    if (error instanceof SetUpRefused) return { code: 'setup_failed', message: error.message }
    return {
      code: error instanceof AppError ? failureOf(error) : 'launch_failed',
      ...explain(error),
    }
  }
}

/** What is settled of it is refused anyway. */
const superseded: Failure = { code: 'launch_failed', message: 'a newer try exists' }

function describeProgram(
  { task, agent }: Underway,
  installation: AgentInstallation | null,
): string {
  const { opened } = task.request
  if (opened?.by === 'editor') return `the editor ${opened.argv.join(' ')}, at a terminal`
  const version = installation?.version ?? ''
  return `${agent.name} ${version}`.trimEnd() + (opened === null ? '' : ', at a terminal')
}

/** A session goes on wherever its task does; where it cannot, the agent itself will say so. */
async function bringSession(
  agent: Agent,
  session: SessionId,
  directory: string,
  environment: Environment,
): Promise<void> {
  const move = { session, from: directory, to: directory }
  const plan = await agent.planSessionMove?.(move, environment)
  if (plan?.kind === 'moves') await plan.carry()
}

/** What a fresh session is told of those who were at work there before it; null: nobody was. */
async function describeBefore(
  { task }: Underway,
  worktree: WorktreeRecord,
  interruptedBy: Failure | null,
  ports: FollowPorts,
): Promise<string | null> {
  if (task.fallbacks > 0) return await describeHandOver(task, worktree, interruptedBy, ports)
  const { start } = task.request
  return start === null ? null : describeStart(start)
}

/** What says which ports are the worktree's own; empty: it has none, which is told. */
async function claimPorts(
  { attempt }: Underway,
  { id }: WorktreeRecord,
  { store, portRange, clock }: FollowPorts,
): Promise<Environment> {
  const port = await store.claimPorts(id, portRange)
  reach('ports.claimed')
  if (port !== null) return { [PORT_VARIABLE]: String(port) }
  if (portRange.blocks > 0) {
    const text = `${PORT_VARIABLE} is not set: all ports are taken by other worktrees`
    await store.recordNote(attempt.task, attempt.fence, 'attempt_started', text, clock.now())
  }
  return {}
}

/** A session that is named in advance is known also if its agent dies before it says it. */
async function noteSession(
  underway: Underway,
  session: SessionId,
  { store, files, clock }: FollowPorts,
): Promise<void> {
  const { progress } = await loadReading(underway, { store, files })
  const translation = { ...progress.translation, session }
  await store.recordProgress(underway.attempt, { ...progress, translation }, [], clock.now())
}

/** An agent that stands elsewhere might take that for its workspace. */
function leadsOut(worktree: string, subdirectory: string): Failure {
  return {
    code: 'worktree_lost',
    message: `${subdirectory} leads out of the worktree ${worktree} since an agent has worked in it`,
    hint: 'what it did there was collected; hand the task in again with: holdfast run',
  }
}

/** In every attempt as it was settled at submission; where that does not hold any more, none starts. */
async function enclose(
  { effective, enforcedBy }: Permissions,
  confines: Omit<Confines, 'mode'>,
  confinement: Confinement,
): Promise<Enclosure | null> {
  if (enforcedBy !== 'system' || effective === 'full') return null
  return await confinement.enclose({ ...confines, mode: effective })
}

/** What a refusal before the start comes to for the attempt. */
function failureOf({ code }: AppError): FailureCode {
  switch (code) {
    case 'agent_missing':
    case 'agent_too_old':
    case 'agent_logged_out':
      return 'agent_missing'
    case 'permissions_unavailable':
      return code
    default:
      return 'launch_failed'
  }
}

/** One that was named with a prompt of its own came to an end before, and is told that prompt. */
async function describeResume(
  { task, attempt }: Underway,
  session: SessionId,
  interruptedBy: Failure | null,
  store: Store,
): Promise<Extract<LaunchRequest['mode'], { kind: 'resume' }>> {
  const { request } = task
  // Its turn had ended well, and it is told more.
  if (interruptedBy === null && attempt.fence > 1) return { kind: 'resume', session, why: null }
  const why = interruptedBy?.message ?? (await whatStopped(request.follows, store))
  const isNew = isNews(request) && !(await wasPromptHeard(request.id, store))
  return request.session === session && isNew
    ? { kind: 'resume', session, why, saysPrompt: true }
    : { kind: 'resume', session, why: why ?? 'unknown' }
}

/** So soon an attempt that was given it shows that it was. */
const FIRST_EVENTS = 500

async function wasPromptHeard(id: TaskId, store: Store): Promise<boolean> {
  const first = await store.listEvents(id, 0, FIRST_EVENTS)
  return first.some(({ body }) => showsHearing(body))
}

/** What stopped a task that has ended; null: nothing did, or there is none. */
async function whatStopped(id: TaskId | null, store: Store): Promise<string | null> {
  const before = id === null ? undefined : await store.findTask(id)
  // Its agent had nothing to go on with.
  if (before?.request.opened != null) return null
  if (before?.state.name === 'failed') return before.state.failure.message
  return before?.state.name === 'cancelled' ? 'it was cancelled' : null
}

function explain(error: unknown): { message: string; hint?: string } {
  const hint = error instanceof AppError ? error.hint : undefined
  return { message: messageOf(error), ...(hint === undefined ? {} : { hint }) }
}
