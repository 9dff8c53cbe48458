import type { TaskId } from '../../../domain/ids.ts'
import type { SurfaceContext } from '../../context.ts'
import { lookAround, type Selection } from '../../look-around.ts'
import type { StatusView } from '../../view.ts'
import { choose, chosenTask, drawBoard } from './board.ts'
import type { Page } from './page.ts'

const STEPS: Readonly<Record<string, number>> = {
  up: -1,
  k: -1,
  down: 1,
  j: 1,
  pageup: -10,
  pagedown: 10,
}

export function boardPage(selection: Selection, context: SurfaceContext): Page {
  let view: StatusView | undefined
  let chosen: string | null = null
  return {
    // Tasks under way write all the time.
    everyMs: 1_000,
    takesKeys: true,
    async look() {
      view = await lookAround(selection, context)
    },
    draw: (sheet, _typing, notice) => ({
      lines: view === undefined ? [] : drawBoard({ view, chosen, notice }, sheet),
      cursor: null,
    }),
    onKey(name) {
      if (name === 'q' || name === 'escape') return 'leave'
      if (view !== undefined) chosen = choose(view, chosen, STEPS[name] ?? 0)
      return null
    },
    onLine() {
      const found = view && chosenTask(view, chosen)
      return found === undefined ? null : { open: found.id as TaskId }
    },
  }
}
