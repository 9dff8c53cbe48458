/**
 * Ignored directories that programs make anew: what can go from a worktree that stays. By the same
 * rule by which a snapshot leaves them out (`ignored.ts`), and only where git names them as a whole:
 * one that holds a tracked file is none.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import type { BuildOutput, WorktreeRecord } from '../../ports/worktrees.ts'
import { discardTree } from '../files/discard.ts'
import { type BytePath, pathOnDisk, shownPath } from '../files/paths.ts'
import type { Git } from '../git/git.ts'
import { ALL_IGNORED, listOthers } from '../make/included.ts'
import { isRebuilt, outermost } from './ignored.ts'

/** In the trash, `<worktree>.build-<n>`: no worktree of ours is called so. */
const ASIDE = /\.build-\d+$/

/** See `Worktrees.findBuildOutput`. One spawn. */
export async function findBuildOutput(
  git: Git,
  { gitDir, commonDir, path: root }: WorktreeRecord,
): Promise<readonly BuildOutput[]> {
  const place = { gitDir, commonDir, workTree: root }
  return outermost(await listOthers(git, place, ALL_IGNORED))
    .filter(path => path.endsWith('/') && isRebuilt(root, path))
    .map(path => ({
      path,
      shown: shownPath(path),
      place: pathOnDisk(root, path.slice(0, -1) as BytePath),
    }))
}

/** See `Worktrees.moveBuildOutput`. */
export async function moveBuildOutput(
  git: Git,
  worktree: WorktreeRecord,
  { path }: BuildOutput,
  trash: string,
  isFree: () => Promise<boolean>,
): Promise<boolean> {
  const found = (await findBuildOutput(git, worktree)).find(one => one.path === path)
  if (found === undefined) return false
  mkdirSync(trash, { recursive: true, mode: 0o700 })
  const aside = asideIn(trash, worktree.id)
  renameSync(found.place, aside)
  reach('reclaim.moved')
  if (await isFree()) return true
  renameSync(aside, found.place)
  return false
}

/** A name under which `discardBuildOutput` finds it. */
export function asideIn(trash: string, id: string): string {
  for (let n = 1; ; n++) {
    const path = join(trash, `${id}.build-${n}`)
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return path
  }
}

/** See `Worktrees.discardBuildOutput`. */
export async function discardBuildOutput(trash: string): Promise<void> {
  if (!existsSync(trash)) return
  for (const name of readdirSync(trash).filter(one => ASIDE.test(one))) {
    await discardTree(join(trash, name))
    reach('reclaim.unlinked')
  }
}
