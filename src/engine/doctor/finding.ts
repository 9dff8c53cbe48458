/**
 * What `doctor` finds, and what would mend it: values, so that everything is found before anything
 * is touched. Who repairs looks again first, since time has passed.
 */
import { AppError, messageOf } from '../../domain/errors.ts'
import type { Fence, TaskId, WorktreeId } from '../../domain/ids.ts'
import type { Snapshot } from '../../domain/snapshot.ts'
import type { WorktreeKind } from '../../domain/task.ts'
import type { BootMethod } from '../../ports/boot.ts'
import type { AttemptProcesses } from '../../ports/process-host.ts'
import type { Leftover } from '../../ports/upkeep.ts'
import type { WorktreePlan, WorktreeRecord } from '../../ports/worktrees.ts'
import type { Adoptable } from '../adopt.ts'
import type { Leftover as TaskLeftover } from '../reconcile.ts'
import type { DeadLetterFate } from './find-deliveries.ts'

export interface Finding {
  /** What was looked at: `store`, `worktrees`. */
  readonly check: string
  readonly status: 'ok' | 'warning' | 'error'
  readonly message: string
  /** What the user can do; null where there is nothing to do, or `--fix` does it. */
  readonly hint: string | null
  /** Null: nothing can, or need, be repaired. */
  readonly repair: Repair | null
}

export type Repair =
  | { readonly kind: 'make_private' }
  | { readonly kind: 'remove_leftover'; readonly leftover: Leftover }
  | { readonly kind: 'mend_lock'; readonly name: string }
  | { readonly kind: 'remove_card' }
  | { readonly kind: 'salvage_store' }
  | { readonly kind: 'clear_damage' }
  | { readonly kind: 'restore_task'; readonly task: TaskId }
  | { readonly kind: 'clear_away'; readonly leftover: TaskLeftover }
  | { readonly kind: 'release_lease'; readonly worktree: WorktreeId }
  | {
      readonly kind: 'register_worktree'
      readonly record: WorktreeRecord
      readonly worktree: WorktreeKind
    }
  | { readonly kind: 'forget_worktree'; readonly place: WorktreePlan; readonly hasRow: boolean }
  | { readonly kind: 'put_away'; readonly worktree: WorktreeId; readonly of: WorktreeKind }
  | { readonly kind: 'restore_worktree'; readonly worktree: WorktreeId }
  | { readonly kind: 'adopt'; readonly adoptable: Adoptable }
  | { readonly kind: 'record_snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'remove_git_lock'; readonly place: WorktreePlan; readonly path: string }
  /** `processes` are those of the try `fence`, or of a verification of it. */
  | {
      readonly kind: 'end_processes'
      readonly fence: Fence
      readonly processes: AttemptProcesses
    }
  | { readonly kind: 'end_gits'; readonly worktreePath: string }
  | { readonly kind: 'install_boot'; readonly method: BootMethod }
  | { readonly kind: 'dead_letters'; readonly fate: DeadLetterFate }

const clearings: Readonly<Record<TaskLeftover['kind'], string>> = {
  abandoned_submission: 'remove its directory and its ref',
  environment_of_ended_task: 'remove its environment',
  unused_worktree: 'take it away',
  abandoned_addition: 'remove what is kept of it',
}

/** What each repair does, for people. */
export function describeRepair(repair: Repair): string {
  switch (repair.kind) {
    case 'make_private':
      return 'make it private'
    case 'remove_leftover':
      return `remove ${repair.leftover.path}`
    case 'mend_lock':
      return 'empty that file'
    case 'remove_card':
      return 'remove its card'
    case 'salvage_store':
      return 'make it anew from what can be read of it, and keep the damaged one'
    case 'clear_damage':
      return 'say in their place that they are not known'
    case 'restore_task':
      return `write the row of ${repair.task} anew, from its task directory`
    case 'clear_away':
      return clearings[repair.leftover.kind]
    case 'release_lease':
      return 'free the worktree'
    case 'register_worktree':
      return 'write it down'
    case 'forget_worktree':
      return 'forget it, and hold what only git has of it under refs/holdfast/'
    case 'put_away':
      return 'go on with it: it can be brought back'
    case 'restore_worktree':
      return 'make it anew from its snapshot'
    case 'adopt':
      return `take it over, for: holdfast run --worktree ${repair.adoptable.name}`
    case 'record_snapshot':
      return 'write its row anew, from the copy beside its files'
    case 'remove_git_lock':
      return 'remove it'
    case 'end_processes':
      return `end what is left of try ${repair.fence} of ${repair.processes.task}`
    case 'end_gits':
      return 'end it'
    case 'install_boot':
      return 'write it anew'
    case 'dead_letters':
      return repair.fate === 'retry' ? 'try them all again' : 'drop them all'
  }
}

export function fine(check: string, message: string, repair: Repair | null = null): Finding {
  return { check, status: 'ok', message, hint: null, repair }
}

export function trouble(
  check: string,
  status: 'warning' | 'error',
  error: unknown,
  more: { readonly hint?: string; readonly repair?: Repair | null } = {},
): Finding {
  const own = error instanceof AppError ? error.hint : undefined
  const hint = more.hint ?? own ?? null
  return { check, status, message: messageOf(error), hint, repair: more.repair ?? null }
}
