/** Ignored files that come along into a new worktree, and never come back as work. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, test } from 'vitest'
import { worktreeIdOf } from '../../../src/domain/ids.ts'
import {
  fingerprint,
  limits,
  makeRepository,
  makeScene,
  nextTask,
  Repository,
  unleased,
} from '../scene.ts'

const generous = { maxBytes: 1e6, maxFiles: 100 }

function makeSource() {
  const scene = makeScene()
  const repository = makeRepository(scene)
  repository.write('.gitignore', '*.ignored\n.env*\nbuild/\nnode_modules/\nsecret.key\n')
  repository.commit('ignore')
  const kept = join(scene.top, 'kept')
  mkdirSync(kept, { mode: 0o700 })
  const take = async (bounds = generous) =>
    scene.worktrees.takeIncluded(await repository.open(), kept, bounds)
  /** A worktree of the repository as it is now. */
  const make = async () => {
    const task = nextTask()
    const checkout = await repository.open()
    const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, limits)
    const path = join(scene.top, 'worktrees', task)
    const { commonDir } = checkout.place
    const id = worktreeIdOf(task)
    const record = await scene.worktrees.createWorktree(id, path, base, commonDir)
    return { task, base, record, agent: new Repository(scene, path) }
  }
  const place = async (made: Awaited<ReturnType<typeof make>>) =>
    scene.worktrees.placeIncluded(made.record, kept)
  return { scene, repository, kept, take, make, place }
}

/** As the file system says it, with a tick before and after. */
async function tickOf(file: string): Promise<bigint> {
  await sleep(20)
  writeFileSync(file, '')
  const { mtimeNs } = statSync(file, { bigint: true })
  await sleep(20)
  return mtimeNs
}

test('without a .worktreeinclude nothing is asked and nothing written', async () => {
  const { kept, take } = makeSource()
  expect(await take()).toBeNull()
  expect(readdirSync(kept)).toEqual([])
})

test('what the patterns name and git ignores comes along: bytes, modes, links, odd names', async () => {
  const { repository, kept, take, make, place } = makeSource()
  repository.write('.worktreeinclude', '.env*\n!.env.example\nnode_modules/\n/build/*.bin\n')
  repository.write('.env', 'SECRET=1\n')
  repository.write('deep/er/.env.local', Buffer.from([0, 255, 10]))
  repository.write('.env.example', 'public\n')
  repository.write('node_modules/.bin/tool', '#!/bin/sh\n')
  chmodSync(repository.at('node_modules/.bin/tool'), 0o755)
  symlinkSync('.bin/tool', repository.at('node_modules/link'))
  repository.write(Buffer.from('node_modules/na\nme \xff', 'latin1'), 'odd\n')
  repository.write('build/a.bin', Buffer.alloc(3_000_000, 7))
  repository.write('build/a.txt', 'not named\n')
  repository.write('not-ignored.env.txt', 'comes with the base anyway\n')
  chmodSync(repository.at('.env'), 0o600)
  const before = fingerprint(repository)
  const taken = await take({ maxBytes: 5e6, maxFiles: 6 })
  expect(taken).toEqual({ files: 6, bytes: 3_000_000 + 9 + 3 + 10 + 4, leftOut: [] })
  expect(fingerprint(repository)).toEqual(before)
  for (const name of readdirSync(kept)) expect(statSync(join(kept, name)).mode & 0o777).toBe(0o600)

  const made = await make()
  for (const name of ['.env', 'deep', 'node_modules', 'build']) repository.remove(name)
  expect(await place(made)).toEqual([])
  const { agent } = made
  const at = (name: string) => agent.at(name)
  expect(readFileSync(at('.env'), 'utf8')).toBe('SECRET=1\n')
  expect(statSync(at('.env')).mode & 0o777).toBe(0o600)
  expect(readFileSync(at('deep/er/.env.local'))).toEqual(Buffer.from([0, 255, 10]))
  expect(statSync(at('node_modules/.bin/tool')).mode & 0o777).toBe(0o755)
  expect(readlinkSync(at('node_modules/link'))).toBe('.bin/tool')
  expect(readFileSync(agent.at(Buffer.from('node_modules/na\nme \xff', 'latin1')), 'utf8')).toBe(
    'odd\n',
  )
  expect(readFileSync(at('build/a.bin'))).toHaveLength(3_000_000)
  expect([existsSync(at('build/a.txt')), existsSync(at('.env.example'))]).toEqual([false, false])
})

test('what does not fit stays behind as a whole, and is named; the small comes along', async () => {
  const { repository, take, make, place } = makeSource()
  repository.write('.worktreeinclude', '.env\nnode_modules/\nbuild/\n')
  repository.write('.env', 'SECRET=1\n')
  for (let n = 0; n < 20; n++) repository.write(`node_modules/p${n}/index.js`, 'x')
  repository.write('build/large', Buffer.alloc(2_000_000))
  const taken = await take({ maxBytes: 1e6, maxFiles: 10 })
  expect(taken).toMatchObject({ files: 1, bytes: 9 })
  expect(taken?.leftOut).toEqual([
    expect.stringMatching(/^node_modules\/: 20 files, 20 B is too much/),
    expect.stringMatching(/^build\/: 1 file, 2\.0 MB is too much to include \(at most 10 files/),
  ])
  const made = await make()
  await place(made)
  expect(existsSync(made.agent.at('.env'))).toBe(true)
  expect(existsSync(made.agent.at('node_modules'))).toBe(false)
})

test('links out of the repository and repositories within stay behind, and are named', async () => {
  const { scene, repository, take, make, place } = makeSource()
  repository.write('.worktreeinclude', '*.ignored\nbuild/\n')
  symlinkSync('/etc/passwd', repository.at('absolute.ignored'))
  symlinkSync('../outside', repository.at('climbing.ignored'))
  mkdirSync(repository.at('build'))
  symlinkSync('../edited.txt', repository.at('build/within'))
  writeFileSync(join(scene.top, 'outside'), 'secret\n')
  const nested = makeRepository(scene, { name: 'repo/build/nested' })
  nested.write('file', 'x')
  const taken = await take()
  expect(taken?.leftOut).toEqual(
    expect.arrayContaining([
      'absolute.ignored: not included: it is a link out of the repository',
      'climbing.ignored: not included: it is a link out of the repository',
      'build/nested/: a repository of its own',
    ]),
  )
  const made = await make()
  expect(await place(made)).toEqual([])
  expect(readlinkSync(made.agent.at('build/within'))).toBe('../edited.txt')
  expect(existsSync(made.agent.at('build/nested'))).toBe(false)
})

test('nothing in the worktree is replaced, and no link there is followed', async () => {
  const { scene, repository, take, make, place } = makeSource()
  repository.write('.worktreeinclude', '.env\nbuild/\n')
  repository.write('.env', 'SECRET=1\n')
  repository.write('build/deep/file', 'x\n')
  await take()
  repository.remove('build')
  const made = await make()
  const outside = join(scene.top, 'outside')
  mkdirSync(outside)
  symlinkSync(outside, made.agent.at('build'))
  made.agent.write('.env', 'of the base\n')
  const problems = await place(made)
  expect([...problems].sort()).toEqual([
    '.env: not included: there is one already',
    'build/deep/file: not included: build is no directory here',
  ])
  expect(readdirSync(outside)).toEqual([])
  expect(readFileSync(made.agent.at('.env'), 'utf8')).toBe('of the base\n')
})

test('what git would not ignore in the worktree does not stay there: it would look like work', async () => {
  const { repository, take, make, place } = makeSource()
  repository.write('.worktreeinclude', 'sec/key.pem\n')
  repository.write('sec/.gitignore', '*\n')
  repository.write('sec/key.pem', 'private\n')
  expect(await take()).toMatchObject({ files: 1 })
  const made = await make()
  expect(await place(made)).toEqual(['sec/key.pem: not included: git does not ignore it here'])
  expect(existsSync(made.agent.at('sec'))).toBe(false)
})

describe('what came from set-up', () => {
  async function makeReady() {
    const source = makeSource()
    const { scene, repository } = source
    repository.write('.worktreeinclude', '.env\n')
    repository.write('.env', 'SECRET=1\n')
    await source.take()
    const made = await source.make()
    await source.place(made)
    made.agent.write('node_modules/p/index.js', 'installed\n')
    made.agent.write('generated.txt', 'made by set-up, and not ignored\n')
    const setUpAt = await tickOf(join(scene.top, 'mark'))
    const { record, base, task } = made
    const results = join(scene.top, 'results')
    mkdirSync(results)
    const collect = () => scene.worktrees.collectResult(record, base, task, results, setUpAt)
    const remove = (commit: Awaited<ReturnType<typeof collect>>['commit']) =>
      scene.worktrees.removeWorktree(unleased(record), commit, scene.trash, setUpAt)
    const names = (commit: string) =>
      repository
        .git('diff', '--name-only', base.changes?.snapshot ?? base.commit, commit)
        .split('\n')
    return { ...source, ...made, collect, remove, names }
  }

  it('is not the agent’s work, also where it is no longer ignored; and is removed with the rest', async () => {
    const { agent, collect, remove, names, record } = await makeReady()
    agent.write('.gitignore', '*.ignored\n')
    agent.write('made.txt', 'by the agent\n')
    const { commit, leftOut } = await collect()
    expect(names(commit)).toEqual(['.gitignore', 'made.txt'])
    expect(leftOut).toEqual([])
    await remove(commit)
    expect(existsSync(record.path)).toBe(false)
  })

  it.each<[string, (agent: Repository) => void, string]>([
    ['was changed', agent => agent.write('.env', 'SECRET=2\n'), '.env'],
    [
      'was changed, and made to look old',
      agent => {
        const { atime, mtime } = lstatSync(agent.at('.env'))
        agent.write('.env', 'SECRET=2\n')
        // Its owner may set these two, and not the time of the inode.
        utimesSync(agent.at('.env'), atime, mtime)
      },
      '.env',
    ],
    ['came later', agent => agent.write('build/out.bin', 'built\n'), 'build/out.bin'],
    [
      'was moved',
      agent => renameSync(agent.at('node_modules/p/index.js'), agent.at('node_modules/q.js')),
      'node_modules/q.js',
    ],
  ])('is work once it %s: it is not removed', async (_name, change, named) => {
    const { agent, collect, remove, record } = await makeReady()
    change(agent)
    const { commit } = await collect()
    await expect(remove(commit)).rejects.toMatchObject({
      code: 'work_left',
      message: expect.stringContaining(named),
    })
    expect(existsSync(record.path)).toBe(true)
  })

  it('is work like any other where it is not known when set-up was over', async () => {
    const { scene, record, collect } = await makeReady()
    const { commit } = await collect()
    await expect(
      scene.worktrees.removeWorktree(unleased(record), commit, scene.trash),
    ).rejects.toMatchObject({ code: 'work_left' })
  })
})

test('what people tell their agents alone comes along without being named, where git ignores it', async () => {
  const { repository, take, make, place } = makeSource()
  const names = ['CLAUDE.local.md', 'AGENTS.override.md', '.claude/settings.local.json']
  for (const name of names) repository.write(name, `${name} of mine\n`)
  repository.write('deeper/CLAUDE.local.md', 'not at the top\n')
  // Git knows nothing of them: they are untracked work like any other.
  expect(await take()).toMatchObject({ files: 0 })
  repository.write('.git/info/exclude', 'CLAUDE.local.md\nAGENTS.override.md\n.claude/\n')
  rmSync(join(repository.scene.top, 'kept'), { recursive: true })
  mkdirSync(join(repository.scene.top, 'kept'), { mode: 0o700 })
  expect(await take()).toMatchObject({ files: 3, leftOut: [] })
  const made = await make()
  expect(await place(made)).toEqual([])
  for (const name of names) {
    expect(readFileSync(made.agent.at(name), 'utf8')).toBe(`${name} of mine\n`)
  }
  expect(existsSync(made.agent.at('deeper/CLAUDE.local.md'))).toBe(false)
})
