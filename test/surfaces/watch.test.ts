/** What `watch` draws: no wider than the terminal, nothing twice, and nothing that commands it. */
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { TaskEvent } from '../../src/domain/agent-events.ts'
import { choose, drawBoard } from '../../src/surfaces/cli/watch/board.ts'
import { fitLine, makeScreen, widthOf } from '../../src/surfaces/cli/watch/screen.ts'
import { drawTalk, type TalkState } from '../../src/surfaces/cli/watch/talk.ts'
import type { StatusView, TaskView } from '../../src/surfaces/view.ts'

const canvas = { style: (_: string, text: string) => `\u001b[1m${text}\u001b[22m` }
const ESC = '\u001b'
const HOSTILE = 'x\u001b[2J\u001b]0;title\u0007\u202e 界界界 👩‍👩‍👧 é\tend'

const task = (facts: Partial<TaskView> = {}) =>
  ({
    id: 'k3v9k3v9k3',
    name: 'fix-the-login',
    agent: 'codex',
    state: 'running',
    reason: null,
    result: null,
    taken: null,
    waitingUntil: null,
    question: null,
    createdAt: new Date(0).toISOString(),
    endedAt: null,
    ...facts,
  }) as TaskView

const view = (tasks: TaskView[]) =>
  ({
    tasks,
    unreadable: [],
    worker: { state: 'running' },
    disk: { warning: null },
  }) as unknown as StatusView

const event = (seq: number, text: string): TaskEvent => ({
  seq,
  at: 0,
  fence: 1,
  body: { kind: 'message_ended', text },
})

const talk = (facts: Partial<TalkState> = {}): TalkState => ({
  task: task(),
  events: [],
  scrolled: 0,
  typed: '',
  cursor: 0,
  pasted: 0,
  notice: '',
  ...facts,
})

/** A terminal that keeps what is written to it. */
function makeTerminal(columns = 80, rows = 10) {
  const size = { columns, rows }
  const written: string[] = []
  const screen = makeScreen({ size: () => ({ ...size }), write: data => written.push(data) })
  return { screen, size, take: () => written.splice(0).join('') }
}

describe('the screen', () => {
  test('writes what changed, all at once, and nothing where nothing did', () => {
    const { screen, take } = makeTerminal()
    screen.draw(['one', 'two', 'three'], null)
    take()
    screen.draw(['one', 'TWO', 'three'], null)
    const written = take()
    expect(written).toContain('\u001b[2;1HTWO')
    expect(written).not.toMatch(/one|three/)
    expect(written.startsWith(`${ESC}[?2026h`) && written.endsWith(`${ESC}[?2026l`)).toBe(true)
    screen.draw(['one', 'TWO', 'three'], null)
    expect(take()).toBe('')
    screen.draw(['one'], { row: 0, column: 3 })
    expect(take()).toContain('\u001b[3;1H\u001b[0m\u001b[K')
  })

  test('draws all anew in another size, and cuts what is too wide', () => {
    const { screen, size, take } = makeTerminal()
    screen.draw(['one', '界'.repeat(50)], null)
    expect(stripVTControlCharacters(take())).toContain(`${'界'.repeat(39)}…`)
    size.columns = 20
    screen.draw(['one', '界'.repeat(50)], null)
    const written = take()
    expect(written).toContain('\u001b[2J')
    expect(written).toContain('one')
  })
})

describe.each([80, 40, 20])('at %i columns', columns => {
  const sheet = { columns, rows: 8, now: 60_000, canvas }

  test('a board and a task fit, whatever agents say, and no line of them commands the terminal', () => {
    const hostile = task({ name: 'ü'.repeat(60), reason: HOSTILE, state: 'needs_input' })
    const asking = {
      id: 'q',
      text: HOSTILE,
      options: [HOSTILE, 'a\nb'].map(label => ({ id: label, label })),
    }
    const { lines, cursor } = drawTalk(
      talk({
        task: { ...hostile, question: asking },
        events: [event(1, HOSTILE.repeat(20)), event(2, 'a\r\nb')],
        typed: '界'.repeat(100),
        cursor: 100,
      }),
      sheet,
    )
    const board = drawBoard({ view: view([hostile, task()]), chosen: null, notice: '' }, sheet)
    if (columns >= 40) expect(fitLine(board[3] ?? '', columns)).toContain('fix-the-login')
    for (const drawn of [board, lines]) {
      const { screen, take } = makeTerminal(columns, 8)
      screen.draw(drawn, null)
      const written = take()
      for (const bad of [`${ESC}]`, `${ESC}[2J`, '\u202e', '\r', '\n', '\t']) {
        expect(written).not.toContain(bad)
      }
      const rows = written.split(new RegExp(`${ESC}\\[\\d+;1H`)).slice(1)
      expect(rows.length).toBeLessThanOrEqual(8)
      for (const row of rows)
        expect({ row, fits: widthOf(row) <= columns }).toEqual({ row, fits: true })
    }
    expect(cursor.column).toBeLessThan(columns)
  })
})

test('the chosen task stays in sight, and the choice at its ends', () => {
  const all = view(Array.from({ length: 30 }, (_, n) => task({ id: `k${n}`, name: `task-${n}` })))
  const sheet = { columns: 80, rows: 8, now: 0, canvas }
  let chosen: string | null = null
  for (let n = 0; n < 40; n++) chosen = choose(all, chosen, 1)
  expect(chosen).toBe('k29')
  const lines = drawBoard({ view: all, chosen, notice: '' }, sheet).map(stripVTControlCharacters)
  expect(lines).toHaveLength(8)
  expect(lines.find(line => line.startsWith('▸'))).toContain('task-29')
  expect(choose(all, 'k0', -1)).toBe('k0')
  expect(choose(view([]), null, 1)).toBeNull()
})

test('in a narrow terminal the names of tasks have the room', () => {
  const sheet = { columns: 40, rows: 8, now: 0, canvas }
  const [, , line] = drawBoard({ view: view([task()]), chosen: null, notice: '' }, sheet)
  expect(stripVTControlCharacters(line ?? '')).toBe('▸ running       0s  fix-the-login')
})

test('a log is shown at its end, and scrolled no further than it is long', () => {
  const events = Array.from({ length: 30 }, (_, n) => event(n + 1, `said ${n}`))
  const sheet = { columns: 80, rows: 8, now: 0, canvas }
  const end = drawTalk(talk({ events }), sheet)
  expect(end.lines.map(stripVTControlCharacters).join('\n')).toContain('said 29')
  const top = drawTalk(talk({ events, scrolled: 1_000 }), sheet)
  const drawn = top.lines.map(stripVTControlCharacters).join('\n')
  expect(drawn).toContain('said 0')
  expect(drawn).not.toContain('said 29')
  expect(top.mostScrolled).toBe(26)
})

test('of a long line that was pasted, what is around the cursor is drawn, without a look at each letter', () => {
  const typed = `${'x'.repeat(300_000)}the end`
  const sheet = { columns: 40, rows: 8, now: 0, canvas }
  const { lines, cursor } = drawTalk(talk({ typed, cursor: typed.length }), sheet)
  expect(lines.at(-1)).toMatch(/^> x{30}the end$/)
  expect(cursor.column).toBe(39)
})

test('of a question with more answers than rows, there is still room to type', () => {
  const options = Array.from({ length: 20 }, (_, n) => ({ id: `${n}`, label: `choice ${n}` }))
  const asking = task({ state: 'needs_input', question: { id: 'q', text: 'Which?', options } })
  for (const rows of [24, 8, 4]) {
    const sheet = { columns: 80, rows, now: 0, canvas }
    const { lines, cursor } = drawTalk(talk({ task: asking, typed: 'x', cursor: 1 }), sheet)
    expect(cursor.row).toBe(Math.max(rows, 6) - 1)
    expect(lines.at(-1)).toBe('> x')
    const drawn = lines.map(stripVTControlCharacters).join('\n')
    expect(drawn).toContain('more: holdfast answer k3v9k3v9k3')
  }
})
