/**
 * A turn of a session of Claude Code that may stop only after a review: what it changed, and whether
 * that is to be reviewed. Pure.
 */

/** How a checkout stands: its commit, and its uncommitted files, each with a mark of how it is. */
export interface Standing {
  readonly root: string
  readonly head: string
  /** By path; null: they are too many. */
  readonly files: Readonly<Record<string, string>> | null
}

/** What is kept of a turn. */
export interface Turn {
  /** As it began, or as it was reviewed last. */
  readonly from: Standing
  /** Its session has not stopped since. */
  readonly isOpen: boolean
  /** How often in a row a review has kept the session from stopping. */
  readonly rounds: number
  /** The review that did so last; null: none has. */
  readonly review: string | null
}

export interface TurnChange {
  /** Uncommitted files that it wrote, or may have written; null: they are too many to name. */
  readonly files: readonly string[] | null
  /** The commit from which it has gone on; null: it has made none, or that is not known. */
  readonly since: string | null
}

export type StopPlan =
  | { readonly kind: 'review'; readonly change: TurnChange; readonly rounds: number }
  /** `findings`: the review whose findings stand; null: there are none. */
  | {
      readonly kind: 'stop'
      readonly why: 'unchanged' | 'rounds'
      readonly rounds: number
      readonly findings: string | null
    }

/** `turn`: undefined where its beginning was not seen. `isAgain`: a hook has kept it from stopping. */
export function planStop(
  turn: Turn | undefined,
  now: Standing,
  { isAgain, mostRounds }: { readonly isAgain: boolean; readonly mostRounds: number },
): StopPlan {
  const rounds = isAgain && turn !== undefined ? turn.rounds : 0
  const findings = rounds > 0 ? (turn?.review ?? null) : null
  const change = changeOf(turn?.from, now)
  if (change === undefined) return { kind: 'stop', why: 'unchanged', rounds, findings }
  if (rounds >= mostRounds) return { kind: 'stop', why: 'rounds', rounds, findings }
  return { kind: 'review', change, rounds }
}

/** Undefined: it has changed nothing. Where its beginning is not known, all that is uncommitted counts. */
function changeOf(before: Standing | undefined, now: Standing): TurnChange | undefined {
  const from = before?.root === now.root ? before : undefined
  const since = from !== undefined && from.head !== now.head ? from.head : null
  const { files } = now
  if (files === null) return { files, since }
  const known = from?.files ?? {}
  const names = new Set([...Object.keys(files), ...Object.keys(known)])
  const changed = [...names].filter(name => files[name] !== known[name])
  return changed.length === 0 && since === null ? undefined : { files: changed.sort(), since }
}
