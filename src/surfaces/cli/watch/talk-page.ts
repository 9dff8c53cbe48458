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

/** It goes on with the task that follows, when what is typed makes one. */
export function talkPage(first: TaskId, context: SurfaceContext): Page {
  let id = first
  let task: TaskView | undefined
  let events: readonly TaskEvent[] = []
  /** The question that is on the screen. */
  let asked: string | null = null
  let scrolled = 0
  let mostScrolled = 0
  return {
    everyMs: 100,
    takesKeys: false,
    async look() {
      const store = await context.holdfast.store()
      const looked = id
      const stored = await store.findTask(looked)
      if (stored === undefined) throw new Error(`task ${looked} is gone from the store`)
      const view = await lookAtTask(stored, context)
      const last = events.at(-1)?.seq
      const more =
        last === undefined
          ? await store.lastEvents(looked, EVENTS_KEPT)
          : await store.listEvents(looked, last, EVENTS_KEPT)
      if (looked !== id) return
      task = view
      events = [...events, ...more].slice(-EVENTS_KEPT)
    },
    draw(sheet, { typed, cursor, pasted }, notice) {
      if (task === undefined) return { lines: [], cursor: null }
      const talk = drawTalk({ task, events, scrolled, typed, cursor, pasted, notice }, sheet)
      mostScrolled = talk.mostScrolled
      asked = task.question?.id ?? null
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
      if (text.trim() === '') return null
      const said = sayHere(id, text, asked, context).then(heard => {
        if (heard.task !== id) events = []
        id = heard.task
        return heard.text
      })
      void said.catch(messageOf).then(tell)
      return null
    },
  }
}
