/** Takes what an attempt's agent has written: whole lines, each once, with what they come to. */
import { addEvents } from '../domain/activity.ts'
import type { AgentEvent } from '../domain/agent-events.ts'
import { reach } from '../domain/crash-points.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Usage } from '../domain/outcome.ts'
import { makeRedact, type Redact, redactEvent, redactShapes } from '../domain/redact.ts'
import type { Task } from '../domain/task.ts'
import { addUsage, usageSince } from '../domain/usage.ts'
import type { Agent, Translation } from '../ports/agent.ts'
import type { Clock } from '../ports/clock.ts'
import type { ProcessHost } from '../ports/process-host.ts'
import type { AttemptRecord, ClaimedAttempt, Progress, Store, Tries } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import { listChain } from './all-said.ts'

/** Whose output it is. */
export interface Speaker {
  readonly task: Task
  readonly attempt: ClaimedAttempt
  readonly agent: Agent
}

export interface ReadPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly host: ProcessHost
  readonly clock: Clock
}

/** What had been used when this attempt began: by its session, where the agent counts so, and by the task. */
interface UsedBefore {
  readonly session: Usage | null
  readonly task: Usage | null
}

/** Where the reading of an attempt's output stands. */
export interface Reading {
  readonly progress: Progress
  readonly before: UsedBefore
  /** The log holds none of the secrets that the agent was given. */
  readonly redact: Redact
}

/** A new attempt begins at the beginning. `known`: what the store says of the task, where it was asked already. */
export async function loadReading(
  { task, attempt, agent }: Speaker,
  { store, files }: Pick<ReadPorts, 'store' | 'files'>,
  known?: Tries,
): Promise<Reading> {
  const attempts = known?.attempts ?? (await store.listAttempts(attempt.task))
  const before = await findUsedBefore({ task, attempt, agent }, attempts, store)
  const recorded =
    known === undefined ? await store.findProgress(attempt.task, attempt.fence) : known.progress
  const progress = recorded ?? {
    offset: 0,
    lines: 0,
    translation: agent.translator.initial,
    activity: { activeMs: 0, fruitlessMs: task.fruitlessMs },
    spent: null,
    usage: before.task,
  }
  return { progress, before, redact: await loadRedact(attempt.task, files) }
}

export async function loadRedact(task: TaskId, files: TaskFiles): Promise<Redact> {
  // It is forgotten when the task ends: then nothing more is known than what secrets look like.
  return await files.readEnvironment(task).then(makeRedact, () => redactShapes)
}

async function findUsedBefore(
  { task, attempt, agent }: Speaker,
  attempts: readonly AttemptRecord[],
  store: Store,
): Promise<UsedBefore> {
  const earlier = attempts.filter(one => one.attempt.fence < attempt.fence)
  const used = earlier.reduce<Usage | null>((sum, one) => addUsage(sum, one.usage), null)
  if (agent.capabilities.usageCounts === 'attempt' || attempt.mode === 'fresh') {
    return { session: null, task: used }
  }
  const first = task.request.sessionUsage ?? (await countFollowed(task, store))
  return { session: addUsage(first, used), task: used }
}

/** What those that a task follows have used in its session: the newest count, and what came after. */
async function countFollowed(task: Task, store: Store): Promise<Usage | null> {
  const { session } = task.request
  const followed = (await listChain(task, store)).slice(0, -1).reverse()
  let after: Usage | null = null
  for (const before of followed) {
    // A person may have begun another one.
    if (before.session !== session) return after
    for (const one of (await store.listAttempts(before.request.id)).toReversed()) {
      if (one.sessionUsage !== null) return addUsage(one.sessionUsage, after)
      after = addUsage(after, one.usage)
      if (one.attempt.mode === 'fresh') return after
    }
    const { sessionUsage } = before.request
    if (sessionUsage !== null) return addUsage(sessionUsage, after)
  }
  return after
}

/** What the attempt has used, and the task with it, when its agent says so much. */
export function countUsage(
  said: Usage | null,
  before: UsedBefore,
): Pick<Progress, 'spent' | 'usage'> {
  const spent = usageSince(said, before.session)
  return { spent, usage: addUsage(before.task, spent) }
}

/**
 * Of a program that only prints, so many lines go into the log; the rest is in the raw output. (An
 * agent's own events are always kept.)
 */
const OUTPUT_LINES_KEPT = 20_000

/** Reads to the end of what is there, also a last line without an end: nobody writes any more. */
export async function takeRest(
  speaker: Speaker,
  from: Reading,
  ports: ReadPorts,
): Promise<Progress | 'superseded'> {
  for (let reading = from; ; ) {
    const step = await takeStep(speaker, reading, true, ports)
    if (step === 'superseded') return step
    reading = { ...reading, progress: step.progress }
    if (!step.more) return step.progress
  }
}

interface ReadStep {
  readonly progress: Progress
  readonly events: readonly AgentEvent[]
  /** There are further lines already. */
  readonly more: boolean
}

/** Takes the next lines, if there are any. `ended`: nobody writes any more. */
export async function takeStep(
  { attempt, agent }: Speaker,
  { progress: from, before, redact }: Reading,
  ended: boolean,
  { store, files, host, clock }: ReadPorts,
): Promise<ReadStep | 'superseded'> {
  const runDirectory = files.runDirectory(attempt.task, attempt.fence)
  const { lines, offset, atEnd } = host.readLines(runDirectory, from.offset, ended)
  if (offset === from.offset) return { progress: from, events: [], more: false }
  const { translation, events: said } = translateLines(agent, from, lines)
  const events = said.map(event => redactEvent(event, redact))
  const progress = {
    offset,
    lines: from.lines + lines.length,
    translation,
    activity: addEvents(from.activity, events),
    // What was read elsewhere stands until the agent itself says more.
    ...(translation.usage === from.translation.usage
      ? { spent: from.spent, usage: from.usage }
      : countUsage(translation.usage, before)),
  }
  reach('follow.lines-read')
  const isCurrent = await store.recordProgress(attempt, progress, events, clock.now())
  reach('follow.step-recorded')
  return isCurrent ? { progress, events, more: !atEnd } : 'superseded'
}

function translateLines(
  { translator }: Agent,
  from: Progress,
  lines: readonly string[],
): { translation: Translation; events: readonly AgentEvent[] } {
  let { translation, lines: count } = from
  const events: AgentEvent[] = []
  for (const line of lines) {
    const step = translator.translate(translation, line)
    translation = step.state
    count++
    events.push(...step.events.filter(({ kind }) => isKept(kind, count)))
    if (count === OUTPUT_LINES_KEPT + 1 && step.events.some(({ kind }) => !isKept(kind, count))) {
      events.push({ kind: 'warning_given', message: 'further output is in `logs --raw` only' })
    }
  }
  return { translation, events }
}

function isKept(kind: AgentEvent['kind'], line: number): boolean {
  return kind !== 'output_given' || line <= OUTPUT_LINES_KEPT
}
