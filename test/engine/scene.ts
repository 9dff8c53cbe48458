import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compose } from '../../src/compose.ts'
import type { CommitId, TaskId } from '../../src/domain/ids.ts'
import {
  type Base,
  plainRequest,
  type RepositoryPlace,
  type TaskRequest,
} from '../../src/domain/task.ts'
import { systemClock } from '../../src/system-clock.ts'
import { scratchDirectory } from '../scratch.ts'

/** The real store and real git on a repository with one commit, for tests of the engine's verbs. */
export async function makeScene() {
  const scratch = scratchDirectory()
  const repo = join(scratch, 'repo')
  mkdirSync(repo)
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@localhost']
  const git = (...words: string[]) =>
    execFileSync('git', [...identity, ...words], { cwd: repo, encoding: 'utf8', stdio: 'pipe' })
  git('init', '--quiet')
  writeFileSync(join(repo, 'file'), 'one\n')
  git('add', '.')
  git('commit', '--quiet', '--message=first')
  const holdfast = compose({ ...process.env, HOLDFAST_HOME: join(scratch, 'home') }, 'unused')
  const ports = {
    store: await holdfast.store(),
    files: await holdfast.files(),
    worktrees: await holdfast.worktrees(),
    clock: systemClock,
  }
  return { holdfast, git, repo, ports }
}

const noBase: Base = { commit: 'c'.repeat(40) as CommitId, changes: null }

/** A request for the agent `command`. */
export function makeRequest(id: TaskId, place: RepositoryPlace, base: Base = noBase): TaskRequest {
  return {
    ...plainRequest(id),
    id,
    name: id,
    agent: 'command',
    model: null,
    effort: null,
    permissions: { asked: 'full', effective: 'full', enforcedBy: 'none' },
    argv: ['true'],
    retryOnCrash: false,
    repo: place,
    base,
    caller: { kind: 'program', id: null, directory: place.root },
    createdAt: 1,
  }
}
