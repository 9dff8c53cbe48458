/**
 * The marks of worktrees whose set-up is over: `set-up/<worktree>`, an empty file. Not in the
 * worktree, where an agent could write it, and not in a task directory, since a worktree may serve
 * several tasks.
 */
import { lstatSync, mkdirSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { WorktreeId } from '../domain/ids.ts'
import type { TaskFiles } from '../ports/task-files.ts'

type SetUpMarks = Pick<TaskFiles, 'setUpMark' | 'setUpTime' | 'markSetUp' | 'clearSetUpMark'>

/** `home` is the state directory, absolute. */
export function makeSetUpMarks(home: string): SetUpMarks {
  const directory = join(home, 'set-up')
  const fileOf = (worktree: WorktreeId) => join(directory, worktree)
  const ensured = (worktree: WorktreeId) => {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    return fileOf(worktree)
  }
  return {
    setUpMark: ensured,
    setUpTime(worktree) {
      const stats = lstatSync(fileOf(worktree), { bigint: true, throwIfNoEntry: false })
      // When it was written, which a backup brings back with it: what came back later is newer.
      return stats?.mtimeNs ?? null
    },
    markSetUp: worktree => writeFile(ensured(worktree), '', { mode: 0o600 }),
    clearSetUpMark: worktree => rm(fileOf(worktree), { force: true }),
  }
}
