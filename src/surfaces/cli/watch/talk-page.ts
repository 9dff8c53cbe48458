import type { TaskEvent } from '../../../domain/agent-events.ts'
import { messageOf } from '../../../domain/errors.ts'
import type { TaskId } from '../../../domain/ids.ts'
import type { SurfaceContext } from '../../context.ts'
import { lookAtTask } from '../../look.ts'
import type { TaskView } from '../../view.ts'
import type { Page } from './page.ts'
import { sayHere } from './say-here.ts'
import { drawTalk } from './talk.ts'

/** Of a long log, the end. */
const EVENTS_KEPT = 500

export function talkPage(id: TaskId, context: SurfaceContext): Page {
  let task: TaskView | undefined
  let events: readonly TaskEvent[] = []
  let scrolled = 0
  let mostScrolled = 0
  return {
    everyMs: 100,
    takesKeys: false,
    async look() {
      const store = await context.holdfast.store()
      const stored = await store.findTask(id)
      if (stored === undefined) throw new Error(`task ${id} is gone from the store`)
      task = await lookAtTask(stored, context)
      const last = events.at(-1)?.seq
      const more =
        last === undefined
          ? await store.lastEvents(id, EVENTS_KEPT)
          : await store.listEvents(id, last, EVENTS_KEPT)
      events = [...events, ...more].slice(-EVENTS_KEPT)
    },
    draw(sheet, { typed, cursor, pasted }, notice) {
      if (task === undefined) return { lines: [], cursor: null }
      const talk = drawTalk({ task, events, scrolled, typed, cursor, pasted, notice }, sheet)
      mostScrolled = talk.mostScrolled
      return talk
    },
    onKey(name, rows) {
      const page = Math.max(1, rows - 6)
      if (name === 'escape') return 'back'
      if (name === 'pageup') scrolled = Math.min(scrolled + page, mostScrolled)
      if (name === 'pagedown') scrolled = Math.max(0, scrolled - page)
      return null
    },
    onLine(text, tell) {
      scrolled = 0
      if (text.trim() !== '') void sayHere(id, text, context).catch(messageOf).then(tell)
      return null
    },
  }
}
