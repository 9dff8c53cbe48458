/** One task as lines of a screen: what it is, what it did and said, and a line to say more. Pure. */
import { wrapAnsi } from 'fast-wrap-ansi'
import type { TaskEvent } from '../../../domain/agent-events.ts'
import { plainText } from '../../../domain/plain-text.ts'
import type { TaskView } from '../../view.ts'
import { type Canvas, describeAge, describeEvent, renderState } from '../render.ts'
import type { Sheet } from './page.ts'
import { type Cursor, widthOf } from './screen.ts'

export interface TalkState {
  readonly task: TaskView
  readonly events: readonly TaskEvent[]
  /** How many lines further up than the end; 0: the end is shown as it grows. */
  readonly scrolled: number
  /** What is being typed, and where in it. */
  readonly typed: string
  readonly cursor: number
  /** Lines that were pasted before it. */
  readonly pasted: number
  /** What was told last; empty: nothing. */
  readonly notice: string
}

interface TalkSheet {
  readonly lines: readonly string[]
  readonly cursor: Cursor
  /** As far as it can be scrolled. */
  readonly mostScrolled: number
}

const KEYS = 'enter says it · esc goes back · pgup pgdn'

export function drawTalk(state: TalkState, sheet: Sheet): TalkSheet {
  const { columns, rows, now, canvas } = sheet
  const { task, events, notice } = state
  const asks = askingLines(task, columns, rows - 5)
  const head = [
    headLine(task, now, canvas),
    canvas.style('dim', plainText(task.reason ?? '').split('\n')[0] ?? ''),
  ]
  const room = Math.max(1, rows - head.length - asks.length - 2)
  const log = events.flatMap(event => eventLines(event, columns))
  const mostScrolled = Math.max(0, log.length - room)
  const scrolled = Math.min(state.scrolled, mostScrolled)
  const end = log.length - scrolled
  const shown = log.slice(Math.max(0, end - room), end)
  const input = inputLine(state, columns)
  const hint = scrolled > 0 ? `${scrolled} lines further down · ${KEYS}` : KEYS
  const lines = [
    ...head,
    ...shown.map(({ time, line }) => `${canvas.style('dim', time)} ${line}`),
    ...Array<string>(room - shown.length).fill(''),
    ...asks.map(line => canvas.style('yellow', line)),
    notice === '' ? canvas.style('dim', hint) : canvas.style('yellow', notice),
    input.line,
  ]
  return { lines, cursor: { row: lines.length - 1, column: input.column }, mostScrolled }
}

function headLine(task: TaskView, now: number, canvas: Canvas): string {
  const age = describeAge(now - Date.parse(task.endedAt ?? task.createdAt))
  return `${canvas.style('bold', task.name)} · ${task.agent} · ${renderState(task, canvas)} · ${age}`
}

/** What it asks, and what may be answered; where there is no room for all of it, where it stands. */
function askingLines({ id, question }: TaskView, columns: number, room: number): readonly string[] {
  if (question === null) return []
  const options = question.options.map(({ label }, n) => `  ${n + 1} ${plainText(label)}`)
  const lines = [...wrap(`asks: ${plainText(question.text)}`, columns).slice(0, 6), ...options]
  if (lines.length <= room) return lines
  const shown = lines.slice(0, Math.max(0, room - 1))
  return [...shown, `  … ${lines.length - shown.length} lines more: holdfast answer ${id}`]
}

interface LogLine {
  /** Of the first line of an event; of all others as many spaces. */
  readonly time: string
  readonly line: string
}

/** At the width that was drawn last: to wrap 500 events for each key that is pressed takes seconds. */
const wrapped = new WeakMap<
  TaskEvent,
  { readonly columns: number; readonly lines: readonly LogLine[] }
>()

function eventLines(event: TaskEvent, columns: number): readonly LogLine[] {
  const before = wrapped.get(event)
  if (before?.columns === columns) return before.lines
  const text = describeEvent(event)
  const time = new Date(event.at).toTimeString().slice(0, 5)
  const parts = text === null ? [] : wrap(plainText(text), Math.max(10, columns - 6))
  const lines = parts.map((line, n) => ({ time: n === 0 ? time : '     ', line }))
  wrapped.set(event, { columns, lines })
  return lines
}

function wrap(text: string, columns: number): readonly string[] {
  return wrapAnsi(text.replaceAll('\t', '    ').trimEnd(), columns, { hard: true }).split('\n')
}

/** Of a line that is wider than the screen, the part around the cursor. */
function inputLine({ typed, cursor, pasted }: TalkState, columns: number) {
  const prompt = pasted === 0 ? '> ' : `[+${pasted} lines] > `
  const room = Math.max(4, columns - widthOf(prompt) - 1)
  // So many letters fill the room. To measure all of a long line for each one is a hang.
  let from = Math.max(0, cursor - room)
  while (widthOf(typed.slice(from, cursor)) > room) from++
  const line = `${prompt}${typed.slice(from)}`
  return { line, column: widthOf(prompt) + widthOf(typed.slice(from, cursor)) }
}
