/** What `setup` adds to the hosts that are installed here, each by that host's own means. */
import type { Addition, HostName, RecordedAddition } from '../domain/hosts.ts'

/**
 * `there`: as it would be added now. `outdated`: added by us, and not what it would be now.
 * `in_the_way`: somebody else has put something in its place, which stays.
 */
export type AdditionState = 'there' | 'missing' | 'outdated' | 'in_the_way'

export interface PlannedAddition {
  readonly addition: Addition
  /** The command, or the file, as a person would do it. */
  readonly how: string
  readonly state: AdditionState
  /** Done only for who asks for the names of `/codex:*`. */
  readonly isForCodexCommands: boolean
}

export interface FoundHost {
  readonly name: HostName
  /** What it is started by, absolute; null: it is not installed here. */
  readonly program: string | null
  /** In the order in which they are to be added. */
  readonly plan: readonly PlannedAddition[]
  /** Why nothing can be added to it; null: something can. */
  readonly problem: string | null
}

export interface TakenOut {
  /** Each in words. */
  readonly removed: readonly string[]
  /** What stays in a host, each with its reason and what is to be done. */
  readonly left: readonly string[]
}

export interface Hosts {
  /** All hosts, also those that are not installed. It changes nothing. */
  find(): Promise<readonly FoundHost[]>
  /**
   * Adds what is `missing`, or adds anew what is `outdated`. It is written down first. Refuses with
   * the host's own words.
   */
  add(host: FoundHost, planned: PlannedAddition): Promise<void>
  /**
   * Takes out all that was added and is still as it was added. What could not be taken out stays
   * written down; what somebody has changed since is theirs, and forgotten.
   */
  takeOut(): Promise<TakenOut>
}

/** What was added to hosts. Its writers hold the lock `hosts`. */
export interface AdditionRecord {
  list(): readonly RecordedAddition[]
  /** In the place of an older one of the same thing, if there is one. */
  put(addition: RecordedAddition): void
  drop(addition: RecordedAddition): void
}
