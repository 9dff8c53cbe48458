/**
 * Of worktrees that no task has asked for: `holders/<worktree>`, the process that one is made for, and
 * `adding/<worktree>/`, the ignored files that come along, while it is made.
 */
import { mkdirSync } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { reach } from '../domain/crash-points.ts'
import type { WorktreeId } from '../domain/ids.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import { writePrivately } from './private-file.ts'

type LoneWorktrees = Pick<
  TaskFiles,
  'keepHolder' | 'findHolder' | 'dropHolder' | 'openAdding' | 'closeAdding' | 'listLone'
>

const holder = z.object({
  machine: z.string(),
  boot: z.string(),
  pidNamespace: z.string(),
  pid: z.number(),
  startTime: z.number(),
})

/** `home` is the state directory, absolute. */
export function makeLoneWorktrees(home: string): LoneWorktrees {
  const holders = join(home, 'holders')
  const added = join(home, 'adding')
  const adding = (worktree: WorktreeId) => join(added, worktree)
  return {
    async keepHolder(worktree, process) {
      mkdirSync(holders, { recursive: true, mode: 0o700 })
      writePrivately(join(holders, worktree), JSON.stringify(process))
      reach('adding.held')
    },
    async findHolder(worktree) {
      try {
        return holder.parse(JSON.parse(await readFile(join(holders, worktree), 'utf8')))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    },
    async dropHolder(worktree) {
      await rm(join(holders, worktree), { force: true })
      await rm(join(holders, `${worktree}.new`), { force: true })
      reach('adding.let-go')
    },
    async openAdding(worktree) {
      await rm(adding(worktree), { recursive: true, force: true })
      await mkdir(adding(worktree), { recursive: true, mode: 0o700 })
      return adding(worktree)
    },
    async closeAdding(worktree) {
      await rm(adding(worktree), { recursive: true, force: true })
    },
    async listLone() {
      const isAdding = await namesIn(added)
      // Also one that was only half written.
      const isHeld = new Set([...(await namesIn(holders))].map(name => name.replace(/\.new$/, '')))
      return [...new Set([...isAdding, ...isHeld])].sort().map(name => ({
        worktree: name as WorktreeId,
        isAdding: isAdding.has(name),
        isHeld: isHeld.has(name),
      }))
    },
  }
}

async function namesIn(directory: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(directory))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set()
    throw error
  }
}
