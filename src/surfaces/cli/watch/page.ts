import type { TaskId } from '../../../domain/ids.ts'
import type { Canvas } from '../render.ts'
import type { Typing } from './keys.ts'
import type { Cursor } from './screen.ts'

export interface Sheet {
  readonly columns: number
  readonly rows: number
  readonly now: number
  readonly canvas: Canvas
}

/** What a key or a line leads to; `null`: it stays. */
export type Step = null | 'leave' | 'back' | { readonly open: TaskId }

/** What a screen shows, and what it does with what is typed. */
export interface Page {
  /** How often at most the store is read again, in milliseconds. */
  readonly everyMs: number
  /** Reads what is to be shown. */
  look(): Promise<void>
  /** `notice`: what was told last; empty: nothing. */
  draw(
    sheet: Sheet,
    typing: Typing,
    notice: string,
  ): { readonly lines: readonly string[]; readonly cursor: Cursor | null }
  /** Keys are commands, and nothing is typed. */
  readonly takesKeys: boolean
  onKey(name: string, rows: number): Step
  /** `tell`: for what becomes of it later. */
  onLine(text: string, tell: (notice: string) => void): Step
}
