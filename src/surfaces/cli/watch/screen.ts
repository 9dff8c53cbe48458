/** A terminal as a sheet of lines: only what changed is written, and all of it at once. */
import stringWidth from 'fast-string-width'
import { wrapAnsi } from 'fast-wrap-ansi'

export interface Screen {
  readonly columns: number
  readonly rows: number
  /** Shows these lines, cut to the screen. `cursor`: where to type; null: nowhere. */
  draw(lines: readonly string[], cursor: Cursor | null): void
  /** Gives the terminal back as it was; `enter` takes it again. */
  leave(): void
  enter(): void
}

export interface Cursor {
  /** From 0. */
  readonly row: number
  readonly column: number
}

/** What is asked of a terminal. All but the size are xterm's; whoever does not know one passes it over. */
export interface Terminal {
  size(): { readonly columns: number; readonly rows: number }
  write(data: string): void
}

const ESC = '\u001b'
/** The alternate screen, and pasted text that says where it ends. */
const ENTER = `${ESC}[?1049h${ESC}[?2004h${ESC}[?25l${ESC}[2J`
const LEAVE = `${ESC}[?2004l${ESC}[?25h${ESC}[?1049l`
/** What comes between is shown in one go (the synchronized output of newer terminals). */
const BEGIN = `${ESC}[?2026h${ESC}[?25l`
const END = `${ESC}[?2026l`
const RESET = `${ESC}[0m`

export function makeScreen(terminal: Terminal): Screen {
  let shown: readonly string[] = []
  let cursorShown: Cursor | null = null
  let size = terminal.size()
  return {
    get columns() {
      return terminal.size().columns
    },
    get rows() {
      return terminal.size().rows
    },
    draw(lines, cursor) {
      const now = terminal.size()
      const isOther = now.columns !== size.columns || now.rows !== size.rows
      size = now
      let changes = ''
      if (isOther) {
        shown = []
        changes = `${ESC}[2J`
      }
      const fitting = lines.slice(0, size.rows).map(line => fitLine(line, size.columns))
      for (let row = 0; row < Math.max(fitting.length, shown.length); row++) {
        const line = fitting[row] ?? ''
        if (line !== (shown[row] ?? '')) changes += `${ESC}[${row + 1};1H${line}${RESET}${ESC}[K`
      }
      shown = fitting
      const isMoved = cursor?.row !== cursorShown?.row || cursor?.column !== cursorShown?.column
      if (changes === '' && !isMoved) return
      cursorShown = cursor
      const place =
        cursor === null ? '' : `${ESC}[${cursor.row + 1};${cursor.column + 1}H${ESC}[?25h`
      terminal.write(`${BEGIN}${changes}${place}${END}`)
    },
    enter() {
      shown = []
      cursorShown = null
      terminal.write(ENTER)
    },
    leave: () => terminal.write(LEAVE),
  }
}

/** Cut where it is too wide; what is wide, or has no width, is counted as terminals do. */
export function fitLine(wanted: string, columns: number): string {
  const line = wanted.replace(/[\t\n]/g, ' ')
  if (stringWidth(line) <= columns) return line
  const options = { hard: true, wordWrap: false, trim: false }
  return `${wrapAnsi(line, columns - 1, options).split('\n', 1)[0]}…`
}

export const widthOf = (text: string): number => stringWidth(text)
