/** What a death between two writes leaves is found, and cleared away; what has a row is not. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compose } from '../../src/compose.ts'
import type { TaskId } from '../../src/domain/ids.ts'
import { findLeftovers, reconcile } from '../../src/engine/reconcile.ts'
import { systemClock } from '../../src/system-clock.ts'
import { scratchDirectory } from '../scratch.ts'

async function scene() {
  const scratch = scratchDirectory()
  const repo = join(scratch, 'repo')
  mkdirSync(repo)
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@localhost']
  const git = (...words: string[]) =>
    execFileSync('git', [...identity, ...words], { cwd: repo, encoding: 'utf8' })
  git('init', '--quiet')
  git('commit', '--quiet', '--allow-empty', '--message=first')
  const holdfast = compose({ ...process.env, HOLDFAST_HOME: join(scratch, 'home') }, 'unused')
  const ports = {
    store: await holdfast.store(),
    files: await holdfast.files(),
    worktrees: await holdfast.worktrees(),
    clock: systemClock,
  }
  return { holdfast, git, repo, ports }
}

test('an abandoned submission goes when it is old: directory, environment and ref', async () => {
  const { holdfast, git, repo, ports } = await scene()
  const id = 'abandoned1' as TaskId
  await ports.files.create(id, join(repo, '.git'))
  await ports.files.writeRequest(id, new Uint8Array([1]), { TOKEN: 'secret' })
  git('update-ref', `refs/holdfast/${id}/base`, 'HEAD')
  expect(await reconcile(ports)).toEqual([])
  const anHourAgo = new Date(Date.now() - 3_600_000)
  utimesSync(ports.files.directory(id), anHourAgo, anHourAgo)
  expect(await findLeftovers(ports)).toMatchObject([{ kind: 'abandoned_submission' }])
  expect(await reconcile(ports)).toEqual([`abandoned submission ${id}`])
  expect(existsSync(ports.files.directory(id))).toBe(false)
  expect(git('for-each-ref', 'refs/holdfast')).toBe('')
  await holdfast.close()
})

test('the environment of an ended task goes, and nothing else of it; a queued one keeps it', async () => {
  const { holdfast, repo, ports } = await scene()
  for (const [id, ends] of [
    ['endedtask1', true],
    ['queuedtsk1', false],
  ] as const) {
    const task = id as TaskId
    await ports.files.create(task, join(repo, '.git'))
    await ports.files.writeRequest(task, new Uint8Array([1]), { TOKEN: 'secret' })
    await ports.store.submitTask({
      id: task,
      name: id,
      agent: 'command',
      model: null,
      effort: null,
      permissions: { asked: 'full', effective: 'full', enforcedBy: 'none' },
      argv: ['true'],
      retryOnCrash: false,
      repo: { root: repo, commonDir: join(repo, '.git'), subdirectory: '' },
      base: { commit: 'c'.repeat(40) as never, changes: null },
      caller: { kind: 'program', id: null, directory: repo },
      createdAt: 1,
    })
    if (ends) await ports.store.transition(task, null, { kind: 'cancel_requested' }, 2)
    writeFileSync(join(ports.files.directory(task), 'result.patch'), 'patch')
  }
  expect(await reconcile(ports)).toEqual(['environment of ended task endedtask1'])
  const ended = ports.files.directory('endedtask1' as TaskId)
  expect(existsSync(join(ended, 'environment.json'))).toBe(false)
  expect(existsSync(join(ended, 'result.patch'))).toBe(true)
  expect(await ports.files.readEnvironment('queuedtsk1' as TaskId)).toEqual({ TOKEN: 'secret' })
  await holdfast.close()
})
