/** The files of a running task are kept aside: nothing is touched, and a lost worktree's come back. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { asFence, worktreeIdOf } from '../../../src/domain/ids.ts'
import type { RunningCapture } from '../../../src/ports/worktrees.ts'
import {
  filesOf,
  fingerprint,
  limits,
  type Made,
  makeMade,
  nextTask,
  processes,
  Repository,
  realGit,
  withGitScript,
} from '../scene.ts'
import { sources } from '../sources.ts'

const fileOf = ({ scene }: Made) => join(scene.scratch, 'snapshot-1-1.bundle')
const nobody = new AbortController().signal

function take(
  made: Made,
  seen: string | null = null,
  bounds = limits,
  leave = nobody,
  { snapshotRunning } = made.scene.worktrees,
) {
  const { record, base, task } = made
  const order = { base, task, fence: asFence(1), file: fileOf(made), bounds, setUpAt: null, seen }
  return snapshotRunning(record, order, leave)
}

function requireTaken(captured: RunningCapture) {
  if (captured.kind !== 'taken') throw new Error(`not taken: ${captured.kind}`)
  return captured
}

/** As `rm -rf`, then whatever no ref holds. */
function lose({ repository, record }: Made): void {
  rmSync(record.path, { recursive: true })
  repository.git('worktree', 'remove', '-f', '-f', record.path)
  repository.git('reflog', 'expire', '--all', '--expire=now')
  repository.git('gc', '--quiet', '--prune=now')
}

/** The worktree of another task that starts from the snapshot. */
async function startAnew(made: Made, captured: RunningCapture): Promise<Made> {
  const { scene, base, record } = made
  const { commit } = requireTaken(captured)
  const { commonDir } = record
  const task = nextTask()
  await scene.worktrees.holdBase(commonDir, task, base)
  await scene.worktrees.holdStart(commonDir, task, commit, fileOf(made))
  const path = join(scene.top, 'worktrees', task)
  const anew = await scene.worktrees.createWorktree(worktreeIdOf(task), path, base, commonDir)
  await scene.worktrees.placeStart(anew, base, commit)
  return { ...made, task, record: anew, agent: new Repository(scene, path) }
}

const resultOf = async ({ scene, record, base, task }: Made) => {
  const directory = join(scene.scratch, task)
  mkdirSync(directory, { recursive: true })
  return await scene.worktrees.collectResult(record, base, task, directory)
}

const read = ({ root }: Repository, path: string) => readFileSync(join(root, path), 'utf8')

/** Those that do not get in each other's way are made in one worktree. */
const together = (...names: RegExp[]) => {
  const found = names.map(name => sources.find(one => name.test(one.name)))
  return (repository: Repository) => {
    for (const one of found) one?.prepare(repository)
  }
}

/** A caller with a conflict, and a new file. */
function inAMerge(repository: Repository): void {
  const [ours, theirs] = ['ours\n', 'theirs\n']
  const branch = repository.git('branch', '--show-current')
  repository.git('checkout', '--quiet', '-b', 'other')
  repository.write('disputed.txt', theirs)
  repository.commit('theirs')
  repository.git('checkout', '--quiet', branch)
  repository.write('disputed.txt', ours)
  repository.commit('ours')
  expect(() => repository.git('merge', '--quiet', 'other')).toThrow()
  repository.write('of-the-caller.txt', 'theirs\n')
}

describe('brings the files of a lost worktree back, with', () => {
  it.each([
    ['odd names and kinds', together(/newline/, /tab and/, /no UTF-8/, /exec bit/, /symbolic/)],
    ['what is staged, and other kinds', together(/staged and then/, /became a file/, /intent/)],
    ['line ends that are converted', together(/line ends/)],
    ['no index at all', together(/no index/, /staged is|became a directory/)],
  ])('%s', async (_, prepare) => {
    const made = await makeMade(inAMerge)
    prepare(made.agent)
    made.agent.write('of-the-agent.txt', 'its work\n')
    const before = fingerprint(made.agent)
    const source = fingerprint(made.repository)
    const files = filesOf(made.agent)
    const captured = await take(made)
    expect(fingerprint(made.agent)).toEqual(before)
    expect(fingerprint(made.repository)).toEqual(source)
    expect(readdirSync(made.scene.scratch)).toEqual(['snapshot-1-1.bundle'])
    const result = await resultOf(made)
    lose(made)
    const anew = await startAnew(made, captured)
    expect(filesOf(anew.agent)).toEqual(files)
    // What the caller had is still no work of the agent's.
    expect(await resultOf(anew)).toMatchObject({ files: result.files, deletions: result.deletions })
  })

  it('commits that nothing else holds, and what came on top', async () => {
    const made = await makeMade(repository =>
      repository.write('kept.txt', 'edited by the caller\n'),
    )
    made.agent.write('first.txt', 'first\n')
    const head = made.agent.commit('its own')
    made.agent.write('second.txt', 'second\n')
    made.agent.write('first.txt', 'first, edited\n')
    const captured = await take(made)
    lose(made)
    const { agent, ...anew } = await startAnew(made, captured)
    expect(agent.head()).toBe(head)
    expect(agent.git('status', '--porcelain')).toBe(' M first.txt\n?? second.txt')
    expect(read(agent, 'kept.txt')).toBe('edited by the caller\n')
    const { commit } = await resultOf({ ...anew, agent })
    expect(agent.git('rev-parse', `${commit}^2`)).toBe(head)
  })
})

it('takes nothing where nothing has changed, and says where all is as it was', async () => {
  const made = await makeMade(() => undefined)
  expect(await take(made)).toMatchObject({ kind: 'as_base' })
  made.agent.write('new.txt', 'new\n')
  const first = requireTaken(await take(made))
  expect(await take(made, first.seen)).toEqual({ kind: 'unchanged' })
  made.agent.write('new.txt', 'NEW\n')
  const second = requireTaken(await take(made, first.seen))
  expect(second.commit).not.toBe(first.commit)
  made.agent.remove('new.txt')
  const third = await take(made, second.seen)
  expect(third).toMatchObject({ kind: 'as_base' })
})

it('stores nothing where nothing has changed, and looks at all processes once for an attempt', async () => {
  const made = await makeMade(() => undefined)
  const looks = vi.spyOn(processes, 'forBearers')
  onTestFinished(() => looks.mockRestore())
  const script = `#!/bin/sh
    case "$*" in *fast-import*) exit 1 ;; esac
    exec '${realGit()}' "$@"`
  const poor = withGitScript(made.scene, script)
  const captured = await take(made, null, limits, nobody, poor)
  if (captured.kind !== 'as_base') throw new Error(captured.kind)
  expect(looks).toHaveBeenCalledTimes(1)
  expect(await take(made, captured.seen, limits, nobody, poor)).toEqual({ kind: 'unchanged' })
  expect(looks).toHaveBeenCalledTimes(1)
})

it('leaves out what cannot be kept, by name; too much, a lost tree and a call to leave are refused', async () => {
  const made = await makeMade(() => undefined)
  made.agent.write('new.txt', 'new\n')
  made.agent.git('init', '--quiet', 'inside')
  made.agent.write('inside/theirs.txt', 'theirs\n')
  execFileSync('mkfifo', [`${made.agent.root}/fifo`])
  const captured = requireTaken(await take(made))
  await expect(take(made, null, { ...limits, maxBytes: 2 })).rejects.toMatchObject({
    code: 'changes_too_large',
  })
  const leaving = AbortSignal.abort(new Error('leaving'))
  await expect(take(made, null, limits, leaving)).rejects.toThrow('leaving')
  lose(made)
  const { agent } = await startAnew(made, captured)
  // The files of a repository that the agent has made are files like any other.
  expect(read(agent, 'inside/theirs.txt')).toBe('theirs\n')
  expect(existsSync(join(agent.root, 'inside/.git'))).toBe(false)
  await expect(take(made)).rejects.toMatchObject({ code: 'capture_failed' })
  expect(readdirSync(made.scene.scratch)).toEqual(['snapshot-1-1.bundle'])
})

it('does not begin where the snapshot is damaged, and leaves no ref of it', async () => {
  const made = await makeMade(() => undefined)
  made.agent.write('new.txt', 'new\n')
  const { commit } = requireTaken(await take(made))
  writeFileSync(fileOf(made), 'no bundle')
  const { scene, record, base } = made
  const task = nextTask()
  await scene.worktrees.holdBase(record.commonDir, task, base)
  const holding = scene.worktrees.holdStart(record.commonDir, task, commit, fileOf(made))
  await expect(holding).rejects.toMatchObject({ code: 'no_snapshot' })
  await scene.worktrees.dropBase(record.commonDir, task)
  expect(made.repository.git('for-each-ref', `refs/holdfast/${task}/`)).toBe('')
})

it('a worktree that somebody has unlocked is locked again', async () => {
  const { scene, record, repository } = await makeMade(() => undefined)
  expect(await scene.worktrees.keepLocked(record)).toBe('locked')
  repository.git('worktree', 'unlock', record.path)
  expect(await scene.worktrees.keepLocked(record)).toBe('again')
  const [, own] = await scene.worktrees.listRegistered(record.commonDir)
  expect(own?.lockReason).toBe(`holdfast ${record.id}`)
  rmSync(record.path, { recursive: true })
  repository.git('worktree', 'remove', '-f', '-f', record.path)
  expect(await scene.worktrees.keepLocked(record)).toBe('refused')
})
