/** Puts what was kept of submodules into a worktree that was made anew. */
import { lstatSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import type { WorktreeRecord } from '../../ports/worktrees.ts'
import { pathOnDisk } from '../files/paths.ts'
import { findNoSpace } from '../git/full-disk.ts'
import type { Git } from '../git/git.ts'
import { writeSettings } from '../git/settings.ts'
import { type Pointer, placeWhole, type Sides } from './kept-whole.ts'

/** To the byte, unless the worktree stands elsewhere now: then each is told where it is. */
export async function placeSubmodules(
  git: Git,
  worktree: WorktreeRecord,
  directory: string,
): Promise<void> {
  const sides = { files: worktree.path, git: worktree.gitDir }
  const placed = await place(git, sides, directory).catch(error => {
    const what = `the submodules of ${worktree.path} could not be put back`
    throw findNoSpace(error, what, 'free some space; they are still in its snapshot') ?? error
  })
  if (placed === undefined) return
  reach('restore.submodules-placed')
  const { from, pointers } = placed
  if (from.files === sides.files && from.git === sides.git) return
  for (const pointer of pointers) await repoint(git, sides, pointer)
}

async function place(git: Git, sides: Sides, directory: string) {
  const scratch = join(directory, 'placing')
  // What a killed try has left.
  rmSync(scratch, { recursive: true, force: true })
  try {
    mkdirSync(scratch, { mode: 0o700 })
    return await placeWhole(git, sides, directory, scratch)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** From its files to its git directory, and back. */
async function repoint(git: Git, sides: Sides, { at, to }: Pointer): Promise<void> {
  const file = pathOnDisk(sides.files, at).toString('utf8')
  const directory = dirname(file)
  const gitDir = pathOnDisk(sides[to.side], to.path).toString('utf8')
  const named = readFileSync(file, 'utf8').trim().slice('gitdir: '.length)
  if (!isSame(resolve(directory, named), gitDir)) writeFileSync(file, `gitdir: ${gitDir}\n`)
  for (const name of ['config', 'config.worktree']) {
    const settings = join(gitDir, name)
    if (lstatSync(settings, { throwIfNoEntry: false })?.isFile() !== true) continue
    const words = ['config', '--file', settings, '--get', 'core.worktree']
    const { status, stdout } = await git.run(words, { cwd: '/', answers: [1] })
    const worktree = resolve(gitDir, stdout.toString('utf8').replace(/\n$/, ''))
    if (status === 0 && !isSame(worktree, directory)) {
      await writeSettings(git, settings, { 'core.worktree': directory })
    }
  }
}

function isSame(path: string, other: string): boolean {
  try {
    return realpathSync(path) === realpathSync(other)
  } catch {
    // It leads nowhere.
    return false
  }
}
