/** Shows tasks as they go on, at a terminal, and passes on what is typed. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TaskId } from '../../../domain/ids.ts'
import type { Selection } from '../../look-around.ts'
import type { CommandContext } from '../command.ts'
import { exitCodes, signalExitCode } from '../exit-codes.ts'
import { boardPage } from './board-page.ts'
import { readKeys } from './keys.ts'
import type { Page, Step } from './page.ts'
import { makeScreen, type Terminal } from './screen.ts'
import { talkPage } from './talk-page.ts'

/** How soon what was written to the store is seen; what is typed is seen at once. */
const LOOK_MS = 100
/** Ages grow. */
const REDRAW_MS = 1_000
const SIGINT = 2

/** `one`: that task alone, and no board to go back to. Gives the exit code. */
export async function watchTasks(
  one: TaskId | null,
  selection: Selection,
  context: CommandContext,
): Promise<number> {
  const { stdin, interrupted, output } = context
  const store = await context.holdfast.store()
  let notice = ''
  let leaving: number | undefined
  let isStirred = true
  let wake: (() => void) | undefined
  const stir = () => {
    isStirred = true
    wake?.()
  }
  const tell = (line: string) => {
    notice = line
    stir()
  }
  // Nothing is written past the screen.
  const own = { ...context, interrupted, output: { ...output, tell } }
  const first = one === null ? boardPage(selection, own) : talkPage(one, own)
  let page: Page = first
  /** The store's change counter when the page was read last; undefined: it was not. */
  let seen: number | undefined

  const take = (step: Step) => {
    if (step === 'leave' || (step === 'back' && page === first)) leaving = exitCodes.done
    else if (step !== null) {
      page = step === 'back' ? first : talkPage(step.open, own)
      seen = undefined
    }
    stir()
  }
  const screen = makeScreen(terminalOf(process.stdout, data => output.write(data)))
  const typing = readKeys(stdin, {
    onKey(name) {
      notice = ''
      const step = page.onKey(name, screen.rows)
      if ((page.takesKeys && name !== 'return') || step !== null) typing.clear()
      take(step)
    },
    onLine: text => take(page.onLine(text, tell)),
    onLeave() {
      leaving ??= signalExitCode(SIGINT)
      stir()
    },
    onSuspend() {
      screen.leave()
      // Not every shell sets a terminal right that it gets back.
      stdin.setRawMode(false)
      process.once('SIGCONT', () => {
        stdin.setRawMode(true)
        screen.enter()
        stir()
      })
      process.kill(process.pid, 'SIGTSTP')
    },
  })

  process.stdout.on('resize', stir)
  interrupted.addEventListener('abort', stir)
  screen.enter()
  try {
    for (let readAt = 0, drawnAt = 0; leaving === undefined && !interrupted.aborted; ) {
      const now = performance.now()
      const counter = store.changeCounter()
      if (seen === undefined || (counter !== seen && now - readAt >= page.everyMs)) {
        readAt = now
        seen = counter
        await page.look()
        isStirred = true
      }
      if (isStirred || now - drawnAt >= REDRAW_MS) {
        isStirred = false
        drawnAt = now
        const { rows, columns } = screen
        const sheet = { rows, columns, now: context.now(), canvas: output }
        const { lines, cursor } = page.draw(sheet, typing, notice)
        screen.draw(lines, cursor)
      }
      const stirred = new Promise<void>(resolve => {
        wake = resolve
      })
      if (!isStirred) await Promise.race([stirred, sleep(LOOK_MS)])
    }
  } finally {
    screen.leave()
    typing.close()
    process.stdout.off('resize', stir)
    interrupted.removeEventListener('abort', stir)
  }
  return leaving ?? signalExitCode(Number(interrupted.reason))
}

/** A terminal that does not say how large it is has the size that all are made for. */
function terminalOf(stream: NodeJS.WriteStream, write: (data: string) => void): Terminal {
  return { size: () => ({ columns: stream.columns || 80, rows: stream.rows || 24 }), write }
}
