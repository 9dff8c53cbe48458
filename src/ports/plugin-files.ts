import type { KeptRequest } from '../domain/kept-request.ts'
import type { Turn } from '../domain/turn.ts'

/** What the hooks of a host's plugin keep between two calls: each in a private file of its own. */
export interface PluginFiles {
  /** Its id. Those that are out of date are forgotten. */
  keepRequest(request: KeptRequest): Promise<string>
  /** Undefined: there is none (any more). */
  findRequest(id: string): Promise<KeptRequest | undefined>
  /** The deliveries that a caller session was shown. */
  listShown(session: string): Promise<ReadonlySet<string>>
  /** That it was shown these too. What no session has asked for in a month is forgotten. */
  addShown(session: string, deliveries: readonly string[]): Promise<void>
  /** The turn that a caller session is in, or was in last; undefined: none is known. */
  findTurn(session: string): Promise<Turn | undefined>
  /** What no session has kept in a month is forgotten. */
  keepTurn(session: string, turn: Turn): Promise<void>
  /** Why a hook did not do what it should; a hook itself says nothing of it. */
  log(line: string): Promise<void>
}
