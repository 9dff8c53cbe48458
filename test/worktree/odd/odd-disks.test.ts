/** What a disk may do: files of other kinds, files that nobody may read, that move, that are many. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, truncateSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Base } from '../../../src/domain/task.ts'
import type { CollectedResult } from '../../../src/ports/worktrees.ts'
import { eventually } from '../../eventually.ts'
import { otherUserTest, plainUserTest } from '../../other-users.ts'
import { runAsNobody } from '../as-nobody.ts'
import {
  leftovers,
  limits,
  makeRepository,
  makeScene,
  nextTask,
  type Repository,
} from '../scene.ts'
import { carry, changesIn, collect, leftOutOf, sightOf } from './odd.ts'

describe('sockets, FIFOs and devices', () => {
  it('in the place of tracked files are said; the agent finds none', async () => {
    const repository = makeRepository(makeScene())
    const path = (name: string) => repository.at(name).toString()
    for (const name of ['edited.txt', 'kept.txt', 'removed.txt']) repository.remove(name)
    execFileSync('mkfifo', [path('edited.txt')])
    const server = createServer().listen(path('kept.txt'))
    await once(server, 'listening')
    const said = ['edited.txt: not taken: it is a FIFO', 'kept.txt: not taken: it is a socket']
    try {
      execFileSync('mknod', [path('removed.txt'), 'c', '1', '3'], { stdio: 'ignore' })
      said.push('removed.txt: not taken: it is a device')
    } catch {
      // Only root may make one.
    }
    const carried = await carry(repository)
    server.close()
    expect(leftOutOf(carried)).toEqual(said)
    expect(readdirSync(carried.agent.root).sort()).toEqual([
      '.git',
      '.gitignore',
      'directory',
      'script.sh',
    ])
  })

  it('that the agent makes are said in the result', async () => {
    const carried = await carry(makeRepository(makeScene()))
    carried.agent.remove('edited.txt')
    execFileSync('mkfifo', [carried.agent.at('edited.txt').toString()])
    const result = await collect(carried)
    expect(result.leftOut).toEqual(['edited.txt: not taken: it is a FIFO'])
    expect(changesIn(carried, result)).toEqual(['D edited.txt'])
  })
})

describe('files that nobody may read', () => {
  plainUserTest('cost themselves, and not the rest of the result', async () => {
    const repository = makeRepository(makeScene())
    const result = (await runAsNobody(repository.scene, [
      'collect',
      repository.root,
    ])) as CollectedResult
    expect([...result.leftOut].sort()).toEqual([
      'closed.txt: not taken: it cannot be read (EACCES)',
      'edited.txt: not taken: it cannot be read (EACCES)',
      "warning: could not open directory 'closed/': Permission denied",
      "warning: could not open directory 'directory/': Permission denied",
    ])
    const diff = repository.git('diff', '--name-status', 'HEAD', result.commit)
    expect(diff).toBe('A\tfine.txt')
  })
})

describe('a repository that is not to be written to', () => {
  plainUserTest('is refused before the start, and why', async () => {
    const repository = makeRepository(makeScene())
    repository.write('edited.txt', 'edited\n')
    execFileSync('chmod', ['-R', 'a-w', repository.at('.git').toString()])
    expect(await runAsNobody(repository.scene, ['capture', repository.root])).toMatchObject({
      code: 'capture_failed',
      hint: expect.stringContaining('refs/holdfast'),
    })
    execFileSync('chmod', ['-R', 'u+w', repository.at('.git').toString()])
    expect(leftovers(repository)).toEqual([])
  })

  otherUserTest(
    'because it is somebody else’s is refused in git’s words, unless it is trusted',
    async () => {
      const repository = makeRepository(makeScene())
      const open = () => runAsNobody(repository.scene, ['open', repository.root], [], 'root')
      execFileSync('chmod', ['-R', 'a+rX', repository.scene.top])
      expect(await open()).toMatchObject({
        code: 'refused_in_state',
        message: expect.stringContaining('safe.directory'),
      })
      repository.git('config', '--global', 'safe.directory', '*')
      expect(await open()).toMatchObject({ head: repository.head() })
    },
  )
})

/** A shell that writes to a checkout without a pause, until the test is over. */
function disturb(repository: Repository, script: string): ChildProcess {
  const child = spawn('/bin/sh', ['-c', script], { cwd: repository.root, stdio: 'ignore' })
  onTestFinished(async () => {
    const ended = once(child, 'exit')
    if (child.kill('SIGKILL')) await ended
  })
  return child
}

describe('files that move while they are read', () => {
  it('are taken as they were at some moment, or named', async () => {
    const repository = makeRepository(makeScene())
    repository.write('steady.txt', 'steady\n')
    disturb(
      repository,
      'while :; do echo x >> grows.txt; echo y > comes.txt; rm comes.txt; : > shrinks.txt; echo z >> shrinks.txt; done',
    )
    await eventually('it writes', () => existsSync(repository.at('grows.txt')))
    const { scene } = repository
    for (let n = 0; n < 5; n++) {
      const task = `t${String(n).padStart(9, '9')}` as never
      const base: Base = await scene.worktrees.captureBase(
        await repository.open(),
        task,
        scene.scratch,
        { maxBytes: 1e9, maxFiles: 100, changes: 'all', revision: null },
      )
      const snapshot = base.changes?.snapshot ?? ''
      expect(repository.git('show', `${snapshot}:steady.txt`)).toBe('steady')
      expect(repository.git('show', `${snapshot}:grows.txt`)).toMatch(/^(x\n)*x?$/)
      const named = (base.changes?.leftOut ?? []).map(line => line.split(':')[0])
      for (const name of named) expect(['grows.txt', 'comes.txt', 'shrinks.txt']).toContain(name)
    }
    expect(readdirSync(scene.scratch)).toEqual([])
  })
})

describe('what is large', () => {
  it('is taken up to the limit, byte for byte, and refused one byte later', async () => {
    const repository = makeRepository(makeScene())
    repository.write('large.bin', '')
    truncateSync(repository.at('large.bin').toString(), 49_999_999)
    repository.write('small.bin', 'x')
    const carried = await carry(repository)
    expect(sightOf(carried.agent).files).toEqual(sightOf(repository).files)
    repository.write('small.bin', 'xx')
    await expect(carry(repository)).rejects.toMatchObject({
      code: 'changes_too_large',
      message: expect.stringContaining('large.bin (50.0 MB)'),
    })
  })

  it('as a hundred thousand files is refused at the limit, naming where they are', async () => {
    // In memory, where there is such a place: a disk remembers so many files for a minute.
    const repository = makeRepository(
      makeScene({}, existsSync('/dev/shm') ? '/dev/shm' : undefined),
    )
    const script = `
      mkdir many few; cd many
      for d in $(seq 100); do mkdir below$d; (cd below$d; seq 1000 | xargs touch); done
      cd ../few; seq 9 | xargs touch`
    execFileSync('/bin/sh', ['-c', script], { cwd: repository.root })
    const before = leftovers(repository)
    const { worktrees, scratch } = repository.scene
    const checkout = await repository.open()
    await expect(
      worktrees.captureBase(checkout, nextTask(), scratch, limits),
    ).rejects.toMatchObject({
      code: 'changes_too_large',
      message: expect.stringMatching(
        /^more than 2000 files .* most of them in many\/below1\/, many\//,
      ),
      hint: expect.stringContaining('--changes tracked'),
    })
    expect(leftovers(repository)).toEqual(before)
    repository.write('edited.txt', 'edited\n')
    const order = { ...limits, changes: 'tracked' } as const
    const { changes } = await worktrees.captureBase(checkout, nextTask(), scratch, order)
    expect(changes).toMatchObject({ modified: 1, untracked: 0 })
  })
})
