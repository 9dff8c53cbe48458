import { AppError, type RefusalCode } from '../../domain/errors.ts'
import { type BytePath, shownPath } from '../files/paths.ts'

/** So many paths are named. */
const NAMED = 5

/** All that speaks against it is told at once. */
export class Refusals {
  readonly #root: string
  readonly #found: { readonly code: RefusalCode; readonly path: BytePath; readonly why: string }[] =
    []

  constructor(root: string) {
    this.#root = root
  }

  add(code: RefusalCode, path: BytePath, why: string): void {
    this.#found.push({ code, path, why })
  }

  raise(): void {
    const [first] = this.#found
    if (first === undefined) return
    const named = this.#found.slice(0, NAMED).map(({ path, why }) => `${shownPath(path)}: ${why}`)
    const more = this.#found.length > NAMED ? [`and ${this.#found.length - NAMED} more`] : []
    throw new AppError(
      first.code,
      `nothing was written to ${this.#root}: ${[...named, ...more].join('; ')}`,
      { hint: hints[first.code] ?? 'try again' },
    )
  }
}

const hints: Partial<Record<RefusalCode, string>> = {
  in_the_way: 'move it away, or name another checkout: --to DIR',
  submodule_changed: 'take it as a patch: holdfast diff TASK',
  changed_since: 'try again',
}
