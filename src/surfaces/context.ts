/** What every surface gives to what it does for a caller: who asks, from where, and of what. */
import type { Composition, Variables } from '../compose.ts'
import type { Caller } from '../domain/task.ts'

export interface SurfaceContext {
  readonly holdfast: Composition
  readonly environment: Variables
  /** Where the caller stands. */
  readonly directory: string
  readonly caller: Caller
  /** A person typed it into a session, whose model is not asked. Absent: that cannot be told. */
  readonly isTyped?: boolean
  /** What is said besides the answer, a line at a time. */
  readonly output: { tell(line: string): void }
  /** Aborted when the caller does not wait any longer. */
  readonly interrupted: AbortSignal
  now(): number
}
