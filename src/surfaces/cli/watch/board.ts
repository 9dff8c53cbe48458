/** All tasks at once, as lines of a screen. Pure. */
import type { StatusView, TaskView } from '../../view.ts'
import { renderTaskLine } from '../render.ts'
import type { Sheet } from './page.ts'

interface BoardState {
  readonly view: StatusView
  /** The id of the task that is chosen; null: the first. */
  readonly chosen: string | null
  /** What was told last; empty: nothing. */
  readonly notice: string
}

/** In fewer columns there would be no room for the names of tasks. */
const NARROW = 60

const KEYS = '↑↓ choose · enter opens · q leaves'

export function drawBoard({ view, chosen, notice }: BoardState, sheet: Sheet): readonly string[] {
  const { rows, columns, now, canvas } = sheet
  const room = Math.max(1, rows - 3)
  const at = indexOf(view.tasks, chosen)
  // The chosen one stays in sight.
  const top = Math.max(0, at - room + 1)
  const shown = view.tasks.slice(top, top + room)
  const lines = shown.map((task, n) => {
    const mark = top + n === at ? canvas.style('bold', '▸ ') : '  '
    return `${mark}${renderTaskLine(task, now, canvas, columns < NARROW)}`
  })
  const hidden = view.tasks.length - shown.length
  const more = hidden === 0 ? '' : ` · ${hidden} more`
  return [
    canvas.style('bold', describeAll(view)),
    '',
    ...(lines.length === 0
      ? ['  nothing under way. Hand a task in: holdfast run "fix the failing test"']
      : lines),
    ...Array<string>(Math.max(0, room - Math.max(1, lines.length))).fill(''),
    notice === '' ? canvas.style('dim', `${KEYS}${more}`) : canvas.style('yellow', notice),
  ]
}

/** The one above or below; at either end it stays. */
export function choose(view: StatusView, chosen: string | null, by: number): string | null {
  const at = Math.min(Math.max(indexOf(view.tasks, chosen) + by, 0), view.tasks.length - 1)
  return view.tasks[at]?.id ?? null
}

/** Undefined: there is none. */
export function chosenTask({ tasks }: StatusView, chosen: string | null): TaskView | undefined {
  return tasks[indexOf(tasks, chosen)]
}

function indexOf(tasks: readonly TaskView[], id: string | null): number {
  return Math.max(
    0,
    tasks.findIndex(task => task.id === id),
  )
}

/** `2 running · 1 asks · worker up`. */
function describeAll({ tasks, worker, disk }: StatusView): string {
  const count = (states: readonly TaskView['state'][], word: string) => {
    const number = tasks.filter(({ state }) => states.includes(state)).length
    return number === 0 ? [] : [`${number} ${word}`]
  }
  const parts = [
    ...count(['needs_input'], 'ask'),
    ...count(['starting', 'running', 'cancelling'], 'running'),
    ...count(['queued'], 'queued'),
    ...count(['waiting'], 'waiting'),
    ...count(['succeeded', 'failed', 'cancelled'], 'ended'),
    ...(worker.state === 'running' ? [] : [`worker ${worker.state}`]),
    ...(disk.warning === null ? [] : [disk.warning]),
  ]
  return ['holdfast', ...parts].join(' · ')
}
