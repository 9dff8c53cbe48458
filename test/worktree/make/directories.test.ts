/** Big ignored directories that come along into a new worktree, and never come back as work. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { worktreeIdOf } from '../../../src/domain/ids.ts'
import type { DirectoryOrder } from '../../../src/domain/set-up.ts'
import { fingerprint, limits, makeRepository, makeScene, nextTask } from '../scene.ts'

const generous = { maxBytes: 1e6, maxFiles: 100 }

function makeSource() {
  const scene = makeScene()
  const repository = makeRepository(scene)
  const write = (name: string, content: string) => {
    mkdirSync(join(repository.root, name, '..'), { recursive: true })
    writeFileSync(join(repository.root, name), content)
  }
  write('.gitignore', 'node_modules\nbuilt/\n')
  write('package-lock.json', '{}\n')
  write('app/file', 'tracked\n')
  symlinkSync('/etc', join(repository.root, 'elsewhere'))
  repository.commit('ignore')
  write('node_modules/one/index.js', 'one\n')
  const make = async () => {
    const task = nextTask()
    const checkout = await repository.open()
    const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, limits)
    const path = join(scene.top, 'worktrees', task)
    const { commonDir } = checkout.place
    const record = await scene.worktrees.createWorktree(worktreeIdOf(task), path, base, commonDir)
    const bring = (orders: readonly DirectoryOrder[], bounds = generous) =>
      scene.worktrees.placeDirectories(record, repository.root, orders, bounds)
    return { task, base, record, path, bring }
  }
  return { scene, repository, write, make }
}

test('a copy has the files, modes, times and inner links; what leads out does not come, and is told', async () => {
  const { scene, repository, write, make } = makeSource()
  const inside = (name: string) => join(repository.root, 'node_modules', name)
  chmodSync(inside('one/index.js'), 0o755)
  utimesSync(inside('one/index.js'), 1_000, 2_000)
  write('node_modules/closed/file', 'x\n')
  chmodSync(inside('closed'), 0o500)
  symlinkSync('one', inside('alias'))
  symlinkSync('../app', inside('app'))
  symlinkSync('/etc/passwd', inside('absolute'))
  symlinkSync('../../outside', inside('out'))
  execFileSync('mkfifo', [inside('fifo')])
  const before = fingerprint(repository)
  const { bring, path, record, base, task } = await make()
  const problems = await bring([{ path: 'node_modules', way: 'copy' }])
  expect(problems).toEqual([expect.stringMatching(/^node_modules: 3 in it did not come along/)])
  const placed = (name: string) => join(path, 'node_modules', name)
  const stats = statSync(placed('one/index.js'))
  expect([readFileSync(placed('one/index.js'), 'utf8'), stats.mode & 0o777, stats.mtimeMs]).toEqual(
    ['one\n', 0o755, 2_000_000],
  )
  expect(statSync(placed('closed')).mode & 0o777).toBe(0o500)
  expect([readlinkSync(placed('alias')), realpathSync(placed('app'))]).toEqual([
    'one',
    join(path, 'app'),
  ])
  for (const name of ['absolute', 'out', 'fifo']) expect(existsSync(placed(name))).toBe(false)
  writeFileSync(placed('one/index.js'), 'the agent\n')
  expect(readFileSync(inside('one/index.js'), 'utf8')).toBe('one\n')
  const result = await scene.worktrees.collectResult(record, base, task, scene.scratch)
  expect(result.files).toBe(0)
  expect(fingerprint(repository)).toEqual(before)
  for (const top of [path, repository.root]) chmodSync(join(top, 'node_modules', 'closed'), 0o700)
})

test('nothing comes through a link, over what is there, unignored, or too large; half is taken back', async () => {
  const { write, make, repository } = makeSource()
  write('tracked/x', 'not ignored\n')
  write('built/x', 'b\n')
  symlinkSync('node_modules', join(repository.root, 'alias'))
  const { bring, path } = await make()
  mkdirSync(join(path, 'built'))
  const copy = (name: string) => ({ path: name, way: 'copy' }) as const
  const names = ['elsewhere/ssl', 'alias', 'no/such', 'built', 'tracked', 'node_modules']
  expect(await bring(names.map(copy), { maxBytes: 3, maxFiles: 100 })).toEqual([
    expect.stringContaining('elsewhere is no directory'),
    expect.stringContaining('alias is no directory'),
    expect.stringContaining('no is no directory'),
    expect.stringContaining('there is one already'),
    expect.stringContaining('there is one already'),
    expect.stringContaining('it is too much (at most 100 files and 3 B)'),
  ])
  expect(existsSync(join(path, 'node_modules'))).toBe(false)
  write('app/new/x', 'of nobody\n')
  expect(await bring([copy('app/new')])).toEqual([
    'app/new: not brought along: git does not ignore it here',
  ])
  expect(existsSync(join(path, 'app/new'))).toBe(false)
})

test('a link is made only while the lock files are the same; it is followed by nobody, and no work', async () => {
  const { scene, repository, write, make } = makeSource()
  write('bare/node_modules/x', 'x\n')
  write('built/x', 'b\n')
  const { bring, path, record, base, task } = await make()
  const link = (name: string) => ({ path: name, way: 'symlink' }) as const
  mkdirSync(join(path, 'bare'))
  writeFileSync(join(path, 'package-lock.json'), '{ "other": 1 }\n')
  expect(await bring([link('node_modules'), link('bare/node_modules')])).toEqual([
    `node_modules: not linked: package-lock.json is not the same in ${repository.root}`,
    'bare/node_modules: not linked: there is no lock file beside it to go by',
  ])
  writeFileSync(join(path, 'package-lock.json'), '{}\n')
  expect(await bring([link('node_modules'), link('built')])).toEqual([
    expect.stringMatching(/^built: not linked: git does not ignore a link of this name/),
  ])
  expect(lstatSync(join(path, 'built'), { throwIfNoEntry: false })).toBeUndefined()
  expect(readlinkSync(join(path, 'node_modules'))).toBe(join(repository.root, 'node_modules'))

  const result = await scene.worktrees.collectResult(record, base, task, scene.scratch)
  expect(result.files).toBe(0)
  const kept = join(scene.top, 'kept')
  mkdirSync(kept, { mode: 0o700 })
  const content = await scene.worktrees.takeSnapshot(record, 1, kept, limits, null)
  expect(content.ignored).toMatchObject({ files: 1, bytes: 0 })
  await scene.worktrees.discardWorktree(record.id, record.path, record.commonDir)
  expect(existsSync(path)).toBe(false)
  const own = join(repository.root, 'node_modules', 'one', 'index.js')
  expect(readFileSync(own, 'utf8')).toBe('one\n')
})

test('a clone shares blocks, or, where that cannot be had, does not come, and says so', async () => {
  const { make, repository, scene } = makeSource()
  const { bring, path } = await make()
  let isShared = true
  try {
    const [from, to] = [join(repository.root, 'package-lock.json'), join(scene.top, 'probe')]
    copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE)
  } catch {
    isShared = false
  }
  const problems = await bring([{ path: 'node_modules', way: 'clone' }])
  const why = 'not brought along by clone: this file system cannot share blocks between files'
  expect(problems).toEqual(isShared ? [] : [`node_modules: ${why}`])
  expect(existsSync(join(path, 'node_modules'))).toBe(isShared)
})
