/** Tasks and their logs as text for people. */

import type { TaskEvent } from '../../domain/agent-events.ts'
import { nameOfGroup } from '../../domain/group.ts'
import { describeMemory } from '../../domain/memory.ts'
import type { Permissions } from '../../domain/permissions.ts'
import { plainText } from '../../domain/plain-text.ts'
import type { CommandRole, NamedRole, SetUp, SetUpCommand } from '../../domain/set-up.ts'
import { shellLine } from '../../domain/shell-word.ts'
import type { Base } from '../../domain/task.ts'
import { isUntaken } from '../../domain/untaken.ts'
import { describeVerify, type Verify } from '../../domain/verify.ts'
import type { TaskView, UnreadableView } from '../view.ts'
import type { Output, Style } from './output.ts'

/** What text is drawn for: a terminal, or whatever reads it plain. */
export type Canvas = Pick<Output, 'style'>

const stateStyles: Record<TaskView['state'], Style> = {
  queued: 'dim',
  starting: 'cyan',
  running: 'cyan',
  needs_input: 'yellow',
  waiting: 'yellow',
  cancelling: 'yellow',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'dim',
}

/**
 * One line a task: id, state, age, agent, name, and why it is where it is. A narrow one has no room for
 * id and agent.
 */
export function renderTaskLine(
  task: TaskView,
  now: number,
  output: Canvas,
  isNarrow = false,
): string {
  const state = output.style(stateStyles[task.state], task.state.padEnd(11))
  const age = describeAge(now - Date.parse(task.endedAt ?? task.createdAt)).padStart(4)
  // What it did is part of what the one that follows does.
  const isLeft = isUntaken(task) && task.followedBy === null
  const untaken = task.picked === false ? ', not picked' : isLeft ? ', not taken yet' : ''
  const verified = task.verify?.state === 'passed' ? ', verified' : ''
  const delta = task.result === null ? '' : `  ${describeDelta(task.result)}${verified}${untaken}`
  const until =
    task.waitingUntil === null ? '' : `  until ${describeTime(new Date(task.waitingUntil), now)}`
  const why =
    task.reason === null ? '' : output.style('dim', `  ${plainText(firstLine(task.reason))}`)
  const rest = `${task.name}${delta}${until}${why}`
  return isNarrow
    ? `${state} ${age}  ${rest}`
    : `${task.id}  ${state} ${age}  ${task.agent.padEnd(8)} ${rest}`
}

/** Its state, in the colour that it has everywhere. */
export function renderState({ state }: TaskView, output: Canvas): string {
  return output.style(stateStyles[state], state)
}

/** A task that the store cannot say any more of: the same columns, and where the rest is. */
export function renderUnreadable(task: UnreadableView, now: number, output: Output): string {
  const state = output.style('red', 'unreadable'.padEnd(11))
  const age = describeAge(now - Date.parse(task.createdAt)).padStart(4)
  const why = `${task.problem} (was ${task.state}); see ${task.directory}, or holdfast doctor`
  return `${task.id}  ${state} ${age}  ${task.agent.padEnd(8)} ${task.name}${output.style('dim', `  ${why}`)}`
}

/** The longest label, and a space. */
const LABEL_WIDTH = 'conversation '.length

/** All that there is to say of one task. */
export function renderTask(
  task: TaskView,
  now: number,
  output: Output,
  conversation: readonly ConversationTask[] = [],
): string {
  const rows: [string, string | null][] = [
    ['task', `${task.id} ${task.name}`],
    ['state', task.state],
    ['reason', task.reason],
    ['agent', [task.agent, task.model, task.effort].filter(part => part !== null).join(' ')],
    ['try', task.attempt === 0 ? null : String(task.attempt)],
    ['session', task.session],
    ['opened', describeOpened(task)],
    ['asked by', `${task.caller.kind} in ${task.caller.directory}`],
    ['ends with', task.endsWith],
    ['repository', task.repo.root],
    ['reviews', task.review === null ? null : task.review.target.label],
    ['base', describeBaseView(task)],
    ['starts from', task.start === null ? null : describeStart(task.start, now)],
    ['kept aside', describeSnapshot(task, now)],
    ['worktree', describeWorktree(task, now)],
    ['group', describeGroup(task)],
    ['verify', describeVerification(task)],
    ['time limit', task.timeoutMs === null ? null : `${task.timeoutMs / 1000} s of work`],
    ['memory', task.memoryBytes === null ? null : `${describeMemory(task.memoryBytes)} at most`],
    ['permissions', describePermissions(task.permissions)],
    ['created', `${describeAge(now - Date.parse(task.createdAt))} ago`],
    ['waits until', task.waitingUntil],
    ['changed', task.result === null ? null : describeDelta(task.result)],
    ['taken', describeTaken(task, now)],
    ...(task.result?.leftOut ?? []).map((line): [string, string] => ['left out', line]),
    ['conversation', describeConversation(task, conversation)],
    ['told', describeMessages(task)],
    ['tokens', describeUsage(task)],
    ['hint', task.error?.hint ?? null],
  ]
  return rows
    .flatMap(([label, value]) => {
      if (value === null) return []
      const shown = label === 'state' ? renderState(task, output) : plainText(value)
      return [`${output.style('dim', label.padEnd(LABEL_WIDTH))}${shown}`]
    })
    .join('\n')
}

/** `base a1b2c3d + 3 modified, 2 untracked`. */
export function describeBase({ commit, changes }: Base): string {
  return `base ${commit.slice(0, 7)}${countChanges(changes)}`
}

/** `the files of k3v9, kept aside 5m ago`. */
export function describeStart(
  { from, takenAt }: { readonly from: string; readonly takenAt: string | number },
  now: number,
): string {
  return `the files of ${from}, kept aside ${describeAge(now - new Date(takenAt).getTime())} ago`
}

/** For what comes of it nobody vouches but whoever drove it. */
function describeOpened({ opened }: TaskView): string | null {
  if (opened === null) return null
  return `at a terminal, by hand: ${opened === 'agent' ? 'the agent’s own interface' : 'an editor'}`
}

/** Of files that nothing was collected of since. */
function describeSnapshot({ snapshot }: TaskView, now: number): string | null {
  if (snapshot === null) return null
  const { takenAt, leftOut } = snapshot
  const missing = leftOut.length === 0 ? '' : ` (not in it: ${leftOut.join('; ')})`
  return `its files, ${describeAge(now - Date.parse(takenAt))} ago${missing}`
}

function describeGroup({ group, picked }: TaskView): string | null {
  if (group === null) return null
  const name = nameOfGroup(group)
  return picked === null ? name : `${name} (${picked ? 'picked' : 'not picked'})`
}

/** The command, what it came to, and where it failed the end of what it printed. */
function describeVerification({ verify }: TaskView): string | null {
  if (verify === null) return null
  const { command, state, how, output } = verify
  const came = `${shellLine(command)}: ${state.replace('_', ' ')}${how === null ? '' : ` (${how})`}`
  const words = (output ?? '').trimEnd().split('\n').slice(-LINES_SHOWN)
  const isShown = state === 'failed' && words.join('') !== ''
  return isShown
    ? [came, ...words.map(line => `${' '.repeat(LABEL_WIDTH)}${line}`)].join('\n')
    : came
}

/** Of a verification that failed; all of it is in the evidence. */
const LINES_SHOWN = 5

function describeWorktree({ id, worktree, putAway }: TaskView, now: number): string | null {
  if (worktree !== null || putAway === null) return worktree?.path ?? null
  const when = describeAge(now - Date.parse(putAway))
  return `put away ${when} ago; to bring it back: holdfast restore ${id}`
}

function describeBaseView({ base }: TaskView): string {
  const { commit, changes } = base
  return `${commit.slice(0, 7)}${countChanges(changes)}`
}

type Counts = { modified: number; untracked: number; deleted: number }

/** ` + 3 modified`; nothing where there are none, or none that can be taken. */
function countChanges(changes: Counts | null): string {
  if (changes === null) return ''
  const parts = (['modified', 'untracked', 'deleted'] as const)
    .filter(kind => changes[kind] > 0)
    .map(kind => `${changes[kind]} ${kind}`)
  return parts.length === 0 ? '' : ` + ${parts.join(', ')}`
}

/** What a new worktree gets besides its base, a line each. */
export function describeSetUp(setUp: SetUp | null): string[] {
  const { files, leftOut } = setUp?.included ?? { files: 0, leftOut: [] }
  const taken =
    files === 0 ? [] : [`included: ${files === 1 ? '1 ignored file' : `${files} ignored files`}`]
  return [
    ...taken,
    ...leftOut.map(line => `left out: ${line}`),
    ...(setUp?.directories ?? []).map(({ path, way }) => `brought along: ${path} (${way})`),
    ...describeCommand('set-up', setUp?.command ?? null),
    ...describeCommand('clean-up', setUp?.cleanUp ?? null),
  ]
}

function describeCommand(role: CommandRole, command: SetUpCommand | null): string[] {
  if (command === null) return []
  const words = plainText(command.argv.join(' '))
  return command.trusted ? [`${role}: ${words}`] : [describeUntrusted(role, words)]
}

/** The verification that its repository names; of one that was asked for nothing need be said. */
export function describeNamed(verify: Verify | null): string[] {
  if (verify?.named === undefined) return []
  const words = plainText(describeVerify(verify))
  return verify.named.trusted ? [`verify: ${words}`] : [describeUntrusted('verify', words)]
}

const describeUntrusted = (role: NamedRole, words: string) =>
  `${role} is not run: ${words} is not trusted; look at it with: holdfast trust`

export function describeDelta(delta: {
  commit: string | null
  files: number
  insertions: number
  deletions: number
  repositories?: readonly unknown[]
}): string {
  if (delta.commit === null) return 'nothing was collected'
  if (delta.files === 0) {
    return delta.repositories?.length ? 'changes in repositories inside alone' : 'no changes'
  }
  const files = delta.files === 1 ? '1 file' : `${delta.files} files`
  return `${files} +${delta.insertions} -${delta.deletions}`
}

function describeTaken(task: TaskView, now: number): string | null {
  const { taken, result } = task
  const when = taken === null ? null : `${describeAge(now - Date.parse(taken))} ago`
  if (!isUntaken(task)) return when
  if (when !== null) return `${when}, but for the work in repositories inside`
  return result?.files === 0 ? 'not yet' : `not yet (holdfast apply ${task.id})`
}

/** `workspace, enforced by the system`; what was asked is said where less holds. */
export function describePermissions({ asked, effective, enforcedBy }: Permissions): string {
  const holder = enforcedBy === 'none' ? 'nobody' : `the ${enforcedBy}`
  return `${effective}, enforced by ${holder}${asked === effective ? '' : ` (asked ${asked})`}`
}

interface ConversationTask {
  readonly id: string
  readonly name: string
  readonly state: TaskView['state']
}

/** `talk succeeded → talk.2 cancelled → this`; null for one that stands alone. */
function describeConversation(
  { id }: TaskView,
  conversation: readonly ConversationTask[],
): string | null {
  if (conversation.length < 2) return null
  return conversation
    .map(one => (one.id === id ? 'this' : `${one.name} (${one.id}) ${one.state}`))
    .join(' → ')
}

function describeMessages({ messages: { sent, unheard } }: TaskView): string | null {
  if (sent === 0) return null
  const all = sent === 1 ? '1 message' : `${sent} messages`
  return unheard === 0 ? `${all}, heard` : `${all}, ${unheard} not heard`
}

function describeUsage({ usage }: TaskView): string | null {
  if (usage === null) return null
  const cost = usage.costUsd === null ? '' : `, $${usage.costUsd.toFixed(2)}`
  return `${usage.inputTokens ?? '?'} in, ${usage.outputTokens ?? '?'} out${cost}`
}

/** `12s`, `3m`, `5h`, `2d`. */
export function describeAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 100) return `${seconds}s`
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)}m`
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)}h`
  return `${Math.round(seconds / 86_400)}d`
}

/** `14:05` of the reader's clock; another day with its date. */
function describeTime(time: Date, now: number): string {
  const clock = time.toTimeString().slice(0, 5)
  const isToday = time.toDateString() === new Date(now).toDateString()
  return isToday ? clock : `${time.toDateString().slice(4, 10)} ${clock}`
}

/** One event as text; null for what only machines read. */
export function renderEvent(event: TaskEvent, output: Output): string | null {
  const text = describeEvent(event)
  if (text === null) return null
  const time = new Date(event.at).toISOString().slice(11, 19)
  return `${output.style('dim', time)} ${plainText(text)}`
}

/** One event as text of any number of lines; null for what only machines read. */
export function describeEvent({ body }: TaskEvent): string | null {
  switch (body.kind) {
    case 'message_ended':
    case 'output_given':
    case 'task_queued':
    case 'task_changed':
    case 'attempt_started':
    case 'attempt_ended':
      return body.text
    case 'message_sent':
      return `> ${body.text.replaceAll('\n', '\n> ')}`
    case 'message_heard':
      return `${body.text} was heard`
    case 'reasoning_ended':
      return `· ${body.text}`
    case 'command_started':
      return `$ ${body.command}`
    case 'command_ended': {
      const code = body.exitCode === null ? 'ended' : `exit ${body.exitCode}`
      const output = body.output.trimEnd()
      return output === '' ? `  ${code}` : `${indent(output)}\n  ${code}`
    }
    case 'files_changed':
      return `changed ${body.paths.join(', ')}`
    case 'action_refused':
      return body.why === '' ? `refused: ${body.action}` : `refused: ${body.action} (${body.why})`
    case 'warning_given':
      return `warning: ${body.message}`
    case 'error_given':
      return `error: ${body.message}`
    case 'session_started':
      return `session ${body.session}`
    case 'turn_started':
    case 'turn_ended':
    case 'usage_reported':
    case 'other':
      return null
  }
}

const indent = (text: string) => text.replace(/^/gm, '  ')
const firstLine = (text: string) => text.split('\n', 1)[0] ?? ''
