/**
 * TCP ports for what is started in a worktree: each has a block of its own, so that the servers of
 * two tasks never meet. Nothing is bound or looked at: whoever else uses a port is not known here.
 */
import type { WorktreeId } from './ids.ts'

/** So many ports, one after the other, belong to one worktree. */
const PORTS_A_BLOCK = 10
const LAST_PORT = 65_535

/** Where blocks are taken from. */
export interface PortRange {
  /** The first port of the first block. */
  readonly first: number
  readonly blocks: number
}

/**
 * Below what Linux (32768) and macOS (49152) give to outgoing connections, and below Kubernetes'
 * node ports (30000). No well-known server listens there by default.
 */
export const DEFAULT_PORTS: PortRange = { first: 23_000, blocks: 120 }

/**
 * The first port of the block for a worktree; null: there is no free one. `taken`: the first ports
 * of others, perhaps of another range. One worktree finds the same again while it is free, and
 * worktrees of several state directories seldom meet: so the search begins where its id says.
 */
export function choosePort(
  id: WorktreeId,
  taken: readonly number[],
  { first, blocks }: PortRange,
): number | null {
  const fitting = Math.min(blocks, Math.floor((LAST_PORT + 1 - first) / PORTS_A_BLOCK))
  const start = fitting > 0 ? hash(id) % fitting : 0
  for (let n = 0; n < fitting; n++) {
    const port = first + ((start + n) % fitting) * PORTS_A_BLOCK
    if (!taken.some(other => overlap(port, other))) return port
  }
  return null
}

/** Whether two blocks have a port in common. */
export function overlap(a: number, b: number): boolean {
  return Math.abs(a - b) < PORTS_A_BLOCK
}

/** FNV-1a: spreads what differs in one letter. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (const character of text) {
    value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0
  }
  return value
}
