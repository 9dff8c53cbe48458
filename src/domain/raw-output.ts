/** How long the raw output of a task's attempts is kept, and in which form. Pure. */

const DAY_MS = 86_400_000
/** Whoever looks into it does so soon; it packs to about a tenth. */
const COMPRESSED_AFTER_MS = DAY_MS
const DROPPED_AFTER_MS = 30 * DAY_MS

/** The raw output of one attempt, as it lies there. */
export interface RawState {
  /** What it takes on the disk. */
  readonly bytes: number
  /** Of that, what would take less if it was compressed. */
  readonly compressible: number
  readonly isDropped: boolean
}

export type RawFate = 'stays' | 'compress' | 'drop'

/** `endedAt`: its task's; null: that has not ended. `isTight`: the disk budget is exceeded. */
export function decideRawOutput(
  { bytes, compressible }: RawState,
  endedAt: number | null,
  now: number,
  isTight: boolean,
): RawFate {
  if (endedAt === null) return 'stays'
  const age = now - endedAt
  if (bytes > 0 && age >= DROPPED_AFTER_MS) return 'drop'
  return compressible > 0 && (isTight || age >= COMPRESSED_AFTER_MS) ? 'compress' : 'stays'
}
