/** State directories that are none, or not ours: one line, exit 7, and nothing made or changed. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { NOBODY, otherUserTest } from '../other-users.ts'
import { House, PATIENCE, type Ran, type RunOptions } from './house.ts'

/** A user that no list of users names, as containers have them. */
const UNLISTED = 54_321

const program = ['run', 'command', '--', 'true']

function expectStoreTrouble(run: Ran, says: RegExp): void {
  expect(run).toEqual({ code: 7, stdout: '', stderr: expect.stringMatching(says) })
  expect(run.stderr).toMatch(/^holdfast: [^\n]+\n {2}[^\n]+\n$/)
}

/** Each command that writes or reads, and one that only looks for a worker. */
async function expectRefusedByAll(
  house: House,
  home: string,
  says: RegExp,
  options: RunOptions = {},
): Promise<void> {
  const environment = { HOLDFAST_HOME: home, ...options.environment }
  for (const words of [program, ['status'], ['worker', 'stop'], ['worker', 'start']]) {
    expectStoreTrouble(await house.run(words, { ...options, environment }), says)
  }
}

test('a state directory in /proc, or through a file, ends at once', async () => {
  const house = new House()
  await expectRefusedByAll(house, '/proc/nope', /\/proc\/nope.*ENOENT/)
  await expectRefusedByAll(house, '/proc/nope/deeper', /ENOENT/)
  house.write('a-file', '', house.scratch)
  const file = join(house.scratch, 'a-file')
  await expectRefusedByAll(house, file, /a-file is no directory/)
  await expectRefusedByAll(house, join(file, 'home'), /ENOTDIR/)
  symlinkSync('/nowhere/at/all', join(house.scratch, 'dangling'))
  await expectRefusedByAll(house, join(house.scratch, 'dangling'), /ENOENT/)
  await expectRefusedByAll(house, join(house.scratch, 'x'.repeat(300)), /ENAMETOOLONG/)
})

test('a symlink, spaces, a newline, other scripts and .. in its path', async () => {
  const house = new House()
  mkdirSync(join(house.scratch, 'real'))
  symlinkSync('real', join(house.scratch, 'link'))
  const places = ['link', 'with space/and\nnewline', 'Zürich/東京', 'real/../up/./home/']
  for (const place of places) {
    const home = `${house.scratch}/${place}`
    const environment = { HOLDFAST_HOME: home }
    const id = await house.submit(['command', '--', 'sh', '-c', 'echo x > made'], { environment })
    expect(await house.run(['wait', id, '--timeout', PATIENCE], { environment })).toMatchObject({
      code: 0,
    })
    expect(await house.ok(['diff', id], { environment })).toContain('+x')
    const findings = JSON.parse(await house.ok(['doctor', '--json'], { environment })).findings
    expect(findings.filter(({ status }: { status: string }) => status === 'error')).toEqual([])
    await house.ok(['worker', 'stop'], { environment })
    expect(existsSync(join(home, 'store.db'))).toBe(true)
  }
})

test('a relative HOLDFAST_HOME is meant from where the command stands', async () => {
  const house = new House()
  const environment = { HOLDFAST_HOME: '../there' }
  const id = await house.submit(['command', '--', 'true'], { environment })
  const there = { environment: { HOLDFAST_HOME: join(house.scratch, 'there') }, directory: '/' }
  expect((await house.run(['wait', id, '--timeout', PATIENCE], there)).code).toBe(0)
  await house.ok(['worker', 'stop'], there)
})

test('an empty or relative HOME is none; the user’s own home directory counts', async () => {
  const house = new House()
  for (const HOME of ['', 'relative', undefined]) {
    const environment = { HOLDFAST_HOME: undefined, HOME }
    const { stdout } = await house.run(['doctor', '--json'], { environment })
    const { message } = JSON.parse(stdout).findings[0]
    expect(message).toMatch(/^\/.*\/\.holdfast/)
    expect(message).not.toContain(house.scratch)
  }
  expect(existsSync(join(house.repo, '.holdfast'))).toBe(false)
  expect(existsSync(join(house.repo, 'relative'))).toBe(false)
})

otherUserTest('a home directory that is missing, and a user without any', async () => {
  const house = new House()
  chmodSync(house.scratch, 0o755)
  const options = (user: number) => ({
    user,
    environment: { HOLDFAST_HOME: undefined, HOME: undefined },
  })
  expectStoreTrouble(await house.run(['status'], options(NOBODY)), /\/nonexistent.*EACCES/)
  expectStoreTrouble(await house.run(['status'], options(UNLISTED)), /no home directory/)
})

otherUserTest('the state directory of another user is refused, by name', async () => {
  const house = new House()
  chmodSync(house.scratch, 0o755)
  house.write('.gitconfig', '[safe]\n\tdirectory = *\n', house.scratch)
  await house.ok(['status'])
  // As far as the modes go, everybody might.
  chmodSync(house.home, 0o777)
  const before = readdirSync(house.home)
  await expectRefusedByAll(house, house.home, /not yours: it belongs to user 0/, { user: NOBODY })
  chmodSync(house.home, 0o700)
  expect(readdirSync(house.home)).toEqual(before)

  const theirs = join(house.scratch, 'theirs')
  mkdirSync(theirs)
  const { chownSync } = await import('node:fs')
  chownSync(theirs, NOBODY, NOBODY)
  await expectRefusedByAll(house, theirs, /not yours: it belongs to user 65534/)
  expect(readdirSync(theirs)).toEqual([])
})

test('one that others can write to is made private if it is ours, else refused', async () => {
  const house = new House()
  mkdirSync(house.home)
  chmodSync(house.home, 0o777)
  await house.ok(['status'])
  expect(statSync(house.home).mode & 0o777).toBe(0o700)
  chmodSync(house.home, 0o770)
  await house.ok(['status'])
  expect(statSync(house.home).mode & 0o777).toBe(0o700)

  const shared = join(house.scratch, 'shared')
  mkdirSync(shared)
  writeFileSync(join(shared, 'of-somebody'), '')
  for (const mode of [0o777, 0o1777, 0o775]) {
    chmodSync(shared, mode)
    await expectRefusedByAll(house, shared, /others can write.*\n.*chmod 700/)
    expect(statSync(shared).mode & 0o7777).toBe(mode)
  }
  // An empty one that is shared on purpose, as /tmp is.
  const sticky = join(house.scratch, 'sticky')
  mkdirSync(sticky)
  chmodSync(sticky, 0o1777)
  await expectRefusedByAll(house, sticky, /others can write/)
  expect(readdirSync(sticky)).toEqual([])
})

test('a relative HOLDFAST_HOME from a directory that is gone', async () => {
  const house = new House()
  const gone = join(house.scratch, 'gone')
  mkdirSync(gone)
  const { execFile } = await import('node:child_process')
  const { entry } = await import('./house.ts')
  const script = `cd ${gone}; rmdir ${gone}; exec ${process.execPath} "$0" status`
  const env = { ...house.environment, HOLDFAST_HOME: 'relative' }
  const run = await new Promise<{ code: unknown; stderr: string }>(resolve => {
    execFile('/bin/sh', ['-c', script, entry], { env }, (error, _, stderr) =>
      resolve({ code: error?.code, stderr }),
    )
  })
  expect(run).toEqual({ code: 7, stderr: expect.stringContaining('set HOLDFAST_HOME') })
})

test('code that somebody else could have written is not run', async () => {
  const house = new House({ HOLDFAST_CODE_CACHE: '' })
  await house.ok(['status'])
  const cache = join(realpathSync(house.home), 'cache', 'code')
  const [name = ''] = readdirSync(cache).filter(file => file.endsWith('-status'))
  const file = join(cache, name)
  const written = statSync(file)
  chmodSync(file, 0o666)
  await house.ok(['status'])
  // Not believed, so made anew.
  expect(statSync(file).ino).not.toBe(written.ino)
  expect(statSync(file).mode & 0o777).toBe(0o600)
})
