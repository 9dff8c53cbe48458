/** A result as a branch, and as a pull request: the agent's change alone. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { House } from './house.ts'

async function worked(house: House, script: string): Promise<string> {
  const id = await house.submitScript(script)
  expect((await house.wait(id)).state).toBe('succeeded')
  return id
}

const changesOf = (house: House, branch: string) =>
  house.git('diff', '--name-status', `HEAD...${branch}`).trim()

/** All that is in a branch, as text. */
const bytesOf = (house: House, branch: string) =>
  house
    .git('ls-tree', '-r', '--name-only', '-z', branch)
    .split('\0')
    .filter(name => name !== '')
    .map(name => `${name}: ${house.git('show', `${branch}:${name}`)}`)
    .join('\n')

test('branch makes a branch of the change on the commit of the base, and touches nothing else', async () => {
  const house = new House()
  const id = await worked(house, 'echo agent >> kept.txt; echo new > new.txt')
  house.write('kept.txt', 'edited meanwhile\n')
  const before = house.git('status', '--porcelain=v2', '--branch')
  const [name, commit] = (await house.ok(['branch', id, 'fix/login'])).trim().split(' ')
  expect(name).toBe('fix/login')
  expect(house.git('rev-parse', 'fix/login').trim()).toBe(commit)
  expect(house.git('rev-parse', 'fix/login^').trim()).toBe(house.git('rev-parse', 'HEAD').trim())
  expect(changesOf(house, 'fix/login')).toBe('M\tkept.txt\nA\tnew.txt')
  expect(house.git('show', 'fix/login:kept.txt')).toBe('one\ntwo\nthree\nagent\n')
  expect(house.git('log', '-1', '--format=%an %B', 'fix/login')).toContain(`Holdfast-Task: ${id}`)
  expect(house.git('status', '--porcelain=v2', '--branch')).toBe(before)
  expect((await house.task(id)).taken).not.toBeNull()
  // Once more is no mistake; and what is somebody else's is left alone.
  expect(await house.ok(['branch', id, 'fix/login'])).toContain(commit)
  house.git('branch', 'taken', 'HEAD')
  const refused = await house.run(['branch', id, 'taken'])
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('already')])
  expect(house.git('rev-parse', 'taken')).toBe(house.git('rev-parse', 'HEAD'))
})

test('what was uncommitted stays out, also of the same file', async () => {
  const house = new House()
  house.write('kept.txt', 'one\ntwo\nthree\nfour\nfive\nsix\nseven\n')
  house.git('commit', '--quiet', '--all', '--message=longer')
  house.write('kept.txt', 'ONE of the caller\ntwo\nthree\nfour\nfive\nsix\nseven\n')
  house.write('staged.txt', 'staged by the caller\n')
  house.git('add', 'staged.txt')
  house.write('untracked.txt', 'untracked by the caller\n')
  const id = await worked(house, 'sed -i s/seven/agent/ kept.txt; echo new > new.txt')
  await house.ok(['branch', id, 'alone'])
  expect(changesOf(house, 'alone')).toBe('M\tkept.txt\nA\tnew.txt')
  expect(bytesOf(house, 'alone')).not.toContain('caller')
  expect(house.git('show', 'alone:kept.txt')).toBe('one\ntwo\nthree\nfour\nfive\nsix\nagent\n')
  await house.ok(['branch', id, 'both', '--with-base-changes'])
  expect(changesOf(house, 'both')).toBe('M\tkept.txt\nA\tnew.txt\nA\tstaged.txt\nA\tuntracked.txt')
})

test('a change that needs what was uncommitted is refused, with the way to take both', async () => {
  const house = new House()
  house.write('kept.txt', 'one\nTWO of the caller\nthree\n')
  const id = await worked(house, 'sed -i "s/TWO of the caller/TWO of the agent/" kept.txt')
  const { code, stderr } = await house.run(['branch', id, 'alone'])
  expect([code, stderr]).toEqual([5, expect.stringMatching(/kept\.txt.*\n?.*--with-base-changes/)])
  expect(house.git('branch', '--list', 'alone')).toBe('')
  await house.ok(['branch', id, 'both', '--with-base-changes'])
  expect(house.git('show', 'both:kept.txt')).toBe('one\nTWO of the agent\nthree\n')
})

test('commits that the agent made itself are kept, with what it left uncommitted on top', async () => {
  const house = new House()
  const commit = 'git add -A && git commit --quiet --message="by the agent"'
  const id = await worked(house, `echo first > first.txt && ${commit}`)
  await house.ok(['branch', id, 'committed'])
  expect(house.git('log', '--format=%s', 'HEAD..committed').trim()).toBe('by the agent')
  const more = await worked(house, `echo a > a.txt && ${commit} && echo b > b.txt`)
  await house.ok(['branch', more, 'and-more', '--json'])
  const log = house.git('log', '--format=%s', 'HEAD..and-more').trim().split('\n')
  expect(log).toHaveLength(2)
  expect(log[1]).toBe('by the agent')
  expect(changesOf(house, 'and-more')).toBe('A\ta.txt\nA\tb.txt')
})

test('pick commits the change onto HEAD beside what is uncommitted, and says how to undo it', async () => {
  const house = new House()
  house.write('mine.txt', 'untracked by the caller\n')
  const id = await worked(
    house,
    'echo agent >> kept.txt; echo new > new.txt; echo agent >> mine.txt',
  )
  house.write('later.txt', 'later\n')
  house.git('add', 'later.txt')
  const here = { directory: house.repo }
  // It goes on from what no commit has.
  const refused = await house.run(['pick', id], here)
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('mine.txt')])
  house.git('add', 'mine.txt')
  house.git('commit', '--quiet', '--message=mine', '--', 'mine.txt')
  const from = house.git('rev-parse', 'HEAD').trim()
  const { code, stdout, stderr } = await house.run(['pick', id], here)
  expect([code, stdout]).toEqual([0, 'modified  kept.txt\nmodified  mine.txt\nadded     new.txt\n'])
  expect(stderr).toContain(`picking in ${house.repo}`)
  expect(house.git('diff', '--name-status', from, 'HEAD').trim()).toBe(
    'M\tkept.txt\nM\tmine.txt\nA\tnew.txt',
  )
  expect(house.git('status', '--porcelain').trim()).toBe('A  later.txt')
  expect((await house.task(id)).taken).not.toBeNull()
  expect(JSON.parse(await house.ok(['pick', id, '--json'], here))).toMatchObject({
    state: 'in_place',
    to: house.repo,
    undo: null,
  })
  expect(stderr).toContain(`to undo it: holdfast pick --undo ${id}\n`)
  await house.ok(['pick', '--undo', id], here)
  expect(house.git('rev-parse', 'HEAD').trim()).toBe(from)
  expect(house.git('status', '--porcelain').trim()).toBe('A  later.txt')
  const again = JSON.parse(await house.ok(['pick', id, '--json', '--to', house.repo]))
  expect(again).toMatchObject({ state: 'picked', commits: 1, from, branch: 'trunk' })
  expect(again.commit).toBe(house.git('rev-parse', 'HEAD').trim())
})

test('what cannot be a branch is refused', async () => {
  const house = new House()
  const nothing = await worked(house, 'true')
  const id = await worked(house, 'echo new > new.txt')
  const refusal = async (...words: string[]) => {
    const { code, stderr } = await house.run(['branch', ...words])
    return [code, stderr]
  }
  expect(await refusal(nothing, 'x')).toEqual([5, expect.stringContaining('changed nothing')])
  expect(await refusal(id)).toEqual([2, expect.stringContaining('name of a branch')])
  for (const name of ['a b', '@{-1}', 'x..y', 'refs/', 'a~1']) {
    expect(await refusal(id, name)).toEqual([2, expect.stringContaining('is no name')])
  }
  const { code, stderr } = await house.run(['pr', id])
  expect([code, stderr]).toEqual([5, expect.stringContaining('no remote')])
})

/** A remote on this disk; and, for those who have it, a `gh` that writes down what it is asked. */
function withRemote(house: House, gh: string | null): string {
  const remote = join(house.scratch, 'remote.git')
  house.git('clone', '--quiet', '--bare', house.repo, remote)
  house.git('remote', 'add', 'origin', remote)
  house.git('fetch', '--quiet', 'origin')
  house.git('remote', 'set-head', 'origin', '--auto')
  const bin = join(house.scratch, 'bin')
  mkdirSync(bin)
  for (const name of ['git', 'sh', 'tail', 'ps']) {
    if (existsSync(`/usr/bin/${name}`)) symlinkSync(`/usr/bin/${name}`, join(bin, name))
  }
  if (gh !== null) {
    house.write('gh', `#!/bin/sh\n${gh}\n`, bin)
    chmodSync(join(bin, 'gh'), 0o755)
  }
  return bin
}

test('pr pushes a branch with no byte of the caller’s, and opens the request', async () => {
  const house = new House()
  house.makeDirty()
  const id = await worked(house, 'echo "by the agent" > new.txt')
  const asked = join(house.scratch, 'asked')
  const bin = withRemote(
    house,
    `[ "$1" = --version ] || { printf '%s\\n' "$@" > '${asked}'; echo https://example.com/pr/1; }`,
  )
  const environment = { PATH: bin }
  const before = house.git('status', '--porcelain=v2')
  const url = await house.ok(['pr', id, '--branch', 'agents/new', '--draft'], { environment })
  expect(url.trim()).toBe('https://example.com/pr/1')
  const remote = join(house.scratch, 'remote.git')
  const pushed = house.gitIn(remote, 'diff', '--name-status', 'trunk', 'agents/new').trim()
  expect(pushed).toBe('A\tnew.txt')
  expect(readFileSync(asked, 'utf8').split('\n').slice(0, 4)).toEqual([
    'pr',
    'create',
    '--head',
    'agents/new',
  ])
  expect(readFileSync(asked, 'utf8')).toContain('--base\ntrunk\n--draft\n')
  expect(house.git('status', '--porcelain=v2')).toBe(before)
})

test('without gh nothing leaves the machine, and the commands are given', async () => {
  const house = new House()
  const id = await worked(house, 'echo "by the agent" > new.txt')
  const environment = { PATH: withRemote(house, null) }
  const { stdout, stderr, code } = await house.run(['pr', id, '--branch', 'x'], { environment })
  expect([code, stderr]).toEqual([0, expect.stringContaining('nothing was pushed')])
  const [push = '', gh = ''] = stdout.split('\n')
  expect(gh).toMatch(/^gh pr create --head x /)
  const remote = join(house.scratch, 'remote.git')
  expect(house.gitIn(remote, 'branch', '--list', 'x')).toBe('')
  // They are commands as they stand, with a space and a letter beyond ASCII in the path.
  const script = join(house.scratch, 'push.sh')
  house.write('push.sh', push, house.scratch)
  execFileSync('sh', [script], { cwd: '/', env: house.environment, stdio: 'pipe' })
  expect(house.gitIn(remote, 'branch', '--list', 'x').trim()).toBe('x')
})

test('a push that is refused is told in git’s own words, and the branch stays', async () => {
  const house = new House()
  const id = await worked(house, 'echo "by the agent" > new.txt')
  const environment = { PATH: withRemote(house, 'exit 0') }
  house.git('remote', 'set-url', 'origin', '/nowhere/at/all')
  const { code, stderr } = await house.run(['pr', id, '--branch', 'x'], { environment })
  expect([code, stderr]).toEqual([5, expect.stringContaining('/nowhere/at/all')])
  expect(house.git('branch', '--list', 'x').trim()).toBe('x')
})
