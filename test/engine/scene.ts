import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compose } from '../../src/compose.ts'
import { type CommitId, makeTaskId, type TaskId, worktreeIdOf } from '../../src/domain/ids.ts'
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
    locks: await holdfast.locks(),
    clock: systemClock,
  }
  return { holdfast, git, repo, ports }
}

type Ports = Awaited<ReturnType<typeof makeScene>>['ports']

/** A task that was claimed, and whose worktree stands; no row says so yet. */
export async function beginTask(
  { store, files, worktrees }: Ports,
  repo: string,
  id = makeTaskId(randomBytes(16)),
) {
  const checkout = await worktrees.openCheckout(repo)
  const { commonDir } = checkout.place
  await files.create(id, commonDir)
  const order = { maxBytes: 1e6, maxFiles: 100, changes: 'all', revision: null } as const
  const base = await worktrees.captureBase(checkout, id, files.directory(id), order)
  await store.submitTask(makeRequest(id, checkout.place, base))
  const claimed = await store.claimNext(2, () => 'fresh')
  if (claimed === undefined) throw new Error('nothing was claimed')
  const { attempt } = claimed
  const [worktreeId, path] = [worktreeIdOf(id), files.worktreePath(id)]
  await store.leaseWorktree(attempt, { id: worktreeId, kind: 'managed', path, commonDir })
  const record = await worktrees.createWorktree(worktreeId, path, base, commonDir)
  const collect = () => worktrees.collectResult(record, base, id, files.directory(id))
  return { id, attempt, worktreeId, path, record, collect }
}

/** A task whose agent has done its work. */
export async function runTask(
  ports: Ports,
  repo: string,
  work: (tree: string) => void,
): Promise<TaskId> {
  const { store } = ports
  const { id, attempt, path, record, collect } = await beginTask(ports, repo)
  await store.recordWorktree(attempt, record)
  await store.transition(id, attempt.fence, { kind: 'agent_started' }, 3)
  work(path)
  const result = { answer: null, ...(await collect()) }
  await store.transition(id, attempt.fence, { kind: 'attempt_succeeded', result }, 4)
  return id
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
