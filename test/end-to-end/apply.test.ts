/** `apply` as people and programs use it: the built program on a real repository. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type ApplyView, views } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { exactly } from '../exactly.ts'
import { entry, House } from './house.ts'

async function applied(house: House, ...words: string[]): Promise<ApplyView> {
  const { stdout } = await house.run(['apply', ...words, '--json'])
  return views.apply.parse(JSON.parse(stdout))
}

/** A task that has added a file and edited one. */
async function makeResult(house: House, script = 'echo new > new.txt; echo four >> kept.txt') {
  const id = await house.submitScript(script)
  await house.wait(id)
  return id
}

const read = (house: House, name: string) => readFileSync(join(house.repo, name), 'utf8')

test('a result is taken home, looked at, and given back', async () => {
  const house = new House()
  house.makeDirty()
  const id = await makeResult(house)
  const before = house.fingerprint()
  expect(await house.ok(['status', id])).toContain(`not yet (holdfast apply ${id})`)
  expect(await house.ok(['status'])).toContain('not taken yet')

  expect(await applied(house, id, '--check')).toMatchObject({
    id,
    state: 'would_apply',
    taken: null,
  })
  expect(house.fingerprint()).toBe(before)
  const index = readFileSync(join(house.repo, '.git/index'))
  const run = await house.run(['apply', id])
  expect(run).toMatchObject({ code: 0, stdout: 'modified  kept.txt\nadded     new.txt\n' })
  expect(run.stderr).toContain(`applying to ${house.repo}`)
  expect(run.stderr).toContain(`next: git diff · holdfast apply --undo ${id}`)
  expect(read(house, 'kept.txt')).toBe('one\nTWO\nthree\nfour\n')
  expect(readFileSync(join(house.repo, '.git/index'))).toEqual(index)

  const { taken } = await house.task(id)
  expect(new Date(taken ?? '').toISOString()).toBe(taken)
  expect(await house.ok(['status', id])).toMatch(/^taken +\S.* ago$/m)
  expect(await house.ok(['status'])).not.toContain('not taken yet')
  expect(await house.ok(['logs', id])).toContain(`applied to ${house.repo}`)
  expect(await applied(house, id)).toMatchObject({ state: 'in_place', files: [], taken })

  expect(await applied(house, '--undo', id)).toMatchObject({ state: 'undone', taken: null })
  expect(read(house, 'kept.txt')).toBe('one\nTWO\nthree\n')
  expect(house.git('status', '--short')).not.toContain('new.txt')
  expect((await house.task(id)).taken).toBeNull()
  expect(await applied(house, id)).toMatchObject({ state: 'applied' })
})

test('a conflict writes nothing and exits with 5; with markers it can be undone', async () => {
  const house = new House()
  const id = await makeResult(
    house,
    'printf "one\\nAGENT\\nthree\\n" > kept.txt; echo new > new.txt',
  )
  house.write('kept.txt', 'one\nMINE\nthree\n')
  const before = house.fingerprint()
  for (const flag of [[], ['--check']]) {
    const run = await house.run(['apply', id, ...flag])
    expect(run).toMatchObject({
      code: 5,
      stdout: 'conflict  kept.txt: content: Merge conflict in kept.txt\n',
    })
    expect(run.stderr).toContain('1 conflict; nothing was written')
  }
  expect(house.fingerprint()).toBe(before)
  expect((await house.task(id)).taken).toBeNull()

  const written = await house.run(['apply', id, '--conflicts', '--json'])
  expect(written.code).toBe(0)
  expect(views.apply.parse(JSON.parse(written.stdout))).toMatchObject({
    state: 'applied',
    conflicts: [{ path: 'kept.txt' }],
    files: [{ path: 'kept.txt' }, { path: 'new.txt' }],
  })
  expect(read(house, 'kept.txt')).toBe(
    'one\n<<<<<<< YOURS\nMINE\n=======\nAGENT\n>>>>>>> AGENT\nthree\n',
  )
  expect(house.git('diff', '--cached', '--name-only')).toBe('')
  await house.ok(['apply', '--undo', id])
  expect(read(house, 'kept.txt')).toBe('one\nMINE\nthree\n')
  // Resolved by hand it counts as applied.
  await house.ok(['apply', id, '--conflicts'])
  house.write('kept.txt', 'one\nMINE AND AGENT\nthree\n')
  expect(await applied(house, id)).toMatchObject({ state: 'in_place' })
})

test('where it goes: the caller’s checkout, else where it was asked, else as told', async () => {
  const house = new House()
  const id = await makeResult(house)
  const linked = join(house.scratch, 'linked')
  house.git('worktree', 'add', '--quiet', '--detach', linked)
  const below = join(linked, 'below')
  house.write('file', '', below)
  const run = await house.run(['apply', id], { directory: below })
  expect(run.stderr).toContain(`applying to ${linked}\n`)
  expect(readFileSync(join(linked, 'new.txt'), 'utf8')).toBe('new\n')
  const other = await house.run(['apply', id, '--check'], { directory: '/' })
  expect(other.stderr).toContain(`looking at ${house.repo}\n`)
  // Its own worktree is not where anybody wants it.
  const inside = await house.run(['apply', id, '--check'], { directory: house.worktree(id) })
  expect(inside.stderr).toContain(`looking at ${house.repo}\n`)
  expect(await house.run(['apply', id, '--to', house.worktree(id)])).toMatchObject({ code: 5 })

  expect(await house.run(['apply', id])).toMatchObject({ code: 0 })
  const unclear = await house.run(['apply', '--undo', id], { directory: '/' })
  expect(unclear.code).toBe(5)
  expect(unclear.stderr).toContain('--to DIR')
  await house.ok(['apply', '--undo', id, '--to', below], { directory: '/' })
  // It is still taken: the other checkout has it.
  expect((await house.task(id)).taken).not.toBeNull()
  await house.ok(['apply', '--undo', id], { directory: '/' })
  expect((await house.task(id)).taken).toBeNull()
  const none = await house.run(['apply', '--undo', id, '--json'])
  expect(none.code).toBe(5)
  expect(JSON.parse(none.stdout)).toMatchObject({ error: { code: 'not_applied' } })
})

test('the repository is gone: another clone takes it, from the bundle', async () => {
  const house = new House()
  house.makeDirty()
  const id = await makeResult(house)
  const clone = join(house.scratch, 'clone')
  house.gitIn(house.scratch, 'clone', '--quiet', house.repo, clone)
  rmSync(house.repo, { recursive: true })
  const directory = clone
  const lost = await house.run(['apply', id, '--json'], { directory })
  expect(JSON.parse(lost.stdout)).toMatchObject({ error: { code: 'refused_in_state' } })
  expect(lost.stderr).toContain('--to DIR')
  await house.ok(['apply', id, '--to', '.'], { directory })
  expect(readFileSync(join(clone, 'kept.txt'), 'utf8')).toBe('one\ntwo\nthree\nfour\n')
  expect(house.gitIn(clone, 'for-each-ref', '--format=%(refname)', 'refs/holdfast')).toBe(
    `refs/holdfast/${id}/undo/1\n`,
  )
  await house.ok(['apply', '--undo', id], { directory })
  expect(house.gitIn(clone, 'status', '--short')).toBe('')
})

test('what cannot be applied is refused by name', async () => {
  const house = new House()
  const code = async (...words: string[]) => {
    const { code: exit, stdout } = await house.run(['apply', ...words, '--json'])
    return [exit, JSON.parse(stdout).error.code]
  }
  const going = await house.submitScript('while [ ! -e go ]; do sleep 0.05; done')
  await house.untilState(going, 'running')
  expect(await code(going)).toEqual([3, 'not_finished'])
  house.write('go', '', house.worktree(going))
  await house.wait(going)
  expect(await code()).toEqual([2, 'bad_usage'])
  expect(await code('nobody')).toEqual([4, 'no_such_task'])
  expect(await code(going, '--undo', '--check')).toEqual([2, 'bad_usage'])
  const stranger = join(house.scratch, 'stranger')
  house.gitIn(house.scratch, 'init', '--quiet', stranger)
  expect(await code(going, '--to', stranger)).toEqual([5, 'no_commit'])
  house.gitIn(stranger, 'commit', '--quiet', '--allow-empty', '--message=x')
  expect(await code(going, '--to', stranger)).toEqual([5, 'unrelated_repository'])
  expect(await code(going, '--to', join(house.scratch, 'nowhere'))).toEqual([5, 'refused_in_state'])
  expect(await code(going, '--to', '/')).toEqual([5, 'not_a_repository'])
  expect(await code(going, '--to', 'kept.txt')).toEqual([2, 'bad_usage'])
  house.gitIn(house.repo, 'bisect', 'start')
  expect(await code(going)).toEqual([5, 'operation_in_progress'])
  house.gitIn(house.repo, 'bisect', 'reset')
  const gone = await house.submitScript('exec sleep 300')
  await house.untilState(gone, 'running')
  rmSync(house.worktree(gone), { recursive: true })
  await house.wait(gone)
  expect(await code(gone)).toEqual([5, 'no_result'])
  const idle = await makeResult(house, 'true')
  expect(await applied(house, idle)).toMatchObject({ state: 'nothing', to: null, taken: null })
})

test('twenty at once come one after the other, and none mixes with another', async () => {
  const house = new House()
  const lines = Array.from({ length: 20 }, (_, n) => `line ${n}`)
  house.write('lines.txt', `${lines.join('\n')}\n`)
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=lines')
  const one = await makeResult(house, "sed -i 's/^line 3$/ONE/' lines.txt; echo one > one.txt")
  const two = await makeResult(house, "sed -i 's/^line 15$/TWO/' lines.txt; echo two > two.txt")
  const index = readFileSync(join(house.repo, '.git/index'))
  const before = exactly({ root: house.repo })

  const racing = Array.from({ length: 20 }, (_, n) => house.run(['apply', n % 2 ? one : two]))
  expect((await Promise.all(racing)).map(({ code }) => code)).toEqual(Array(20).fill(0))
  const both = lines.map(line => (line === 'line 3' ? 'ONE' : line === 'line 15' ? 'TWO' : line))
  expect(read(house, 'lines.txt')).toBe(`${both.join('\n')}\n`)
  for (const id of [one, two]) {
    expect(readdirSync(join(house.home, 'tasks', id, 'applied'))).toEqual(['1.json'])
  }

  // The one that came last goes first.
  const isLast = (await house.run(['apply', '--undo', one])).code === 0
  for (const id of isLast ? [two] : [two, one]) await house.ok(['apply', '--undo', id])
  expect(exactly({ root: house.repo })).toEqual(before)

  // And back and forth: whatever wins, it is whole.
  const wild = Array.from({ length: 20 }, (_, n) => ['apply', ...(n % 3 ? ['--undo'] : []), two])
  const ran = await Promise.all(wild.map(words => house.run(words)))
  const refused = ran.filter(({ code }) => code !== 0)
  expect(refused.filter(({ stderr }) => !stderr.includes('applied to'))).toEqual([])
  const isIn = existsSync(join(house.repo, 'two.txt'))
  expect((await house.task(two)).taken === null).toBe(!isIn)
  if (isIn) await house.ok(['apply', '--undo', two])
  expect(exactly({ root: house.repo })).toEqual(before)
  expect(readFileSync(join(house.repo, '.git/index'))).toEqual(index)
})

test('an interrupt before the first file stops it; after that it is finished', async () => {
  const house = new House()
  // Git waits here, while it makes the new files: before anything is decided.
  house.write('.gitattributes', 'new.txt filter=slow\n')
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=attributes')
  const id = await makeResult(house)
  const at = (name: string) => join(house.scratch, name)
  const slow = `touch '${at('waits')}'; while [ ! -e '${at('go')}' ]; do sleep 0.02; done; cat`
  house.git('config', 'filter.slow.smudge', slow)
  const before = exactly({ root: house.repo })

  const stopped = house.start(['apply', id])
  let said = ''
  stopped.stderr?.on('data', chunk => {
    said += chunk
  })
  await eventually('git makes the new files', () => existsSync(at('waits')))
  stopped.kill('SIGINT')
  writeFileSync(at('go'), '')
  expect(await once(stopped, 'close')).toEqual([130, null])
  expect(said).toContain('interrupted; nothing was written')
  expect(exactly({ root: house.repo })).toEqual(before)

  const points = at('points')
  mkdirSync(points)
  const armed = join(points, 'apply.journal-written')
  writeFileSync(armed, 'stand')
  const finished = house.run(['apply', id], { environment: { HOLDFAST_CRASH_POINTS: points } })
  await eventually('it is about to write', () => existsSync(`${armed}.pid`))
  process.kill(Number.parseInt(readFileSync(`${armed}.pid`, 'utf8'), 10), 'SIGINT')
  writeFileSync(`${armed}.go`, '')
  expect(await finished).toMatchObject({ code: 130, stderr: expect.stringContaining('applied to') })
  expect(read(house, 'new.txt')).toBe('new\n')
  await house.ok(['apply', '--undo', id])
  expect(exactly({ root: house.repo })).toEqual(before)
})

test('a disk that is too small: nothing is written', async ({ skip }) => {
  const house = new House()
  const small = join(house.scratch, 'small')
  const script = `mkdir "$1" && mount -t tmpfs -o size=3m tmpfs "$1" && git clone -q --no-local "$2" "$1/clone" && cd "$1/clone" &&
    sha256sum .git/index kept.txt > "$3/before"; shift 3; "$@"; echo "exit $?"
    sha256sum .git/index kept.txt; git status --short; ls .git | grep holdfast`
  const id = await makeResult(
    house,
    'head -c 8000000 /dev/urandom > large; echo edited >> kept.txt',
  )
  const words = ['-rm', 'sh', '-c', script, 'sh', small, house.repo, house.scratch]
  const command = [process.execPath, entry, 'apply', id, '--to', '.']
  const ran = spawnSync('unshare', [...words, ...command], {
    env: house.environment,
    encoding: 'utf8',
  })
  const before = join(house.scratch, 'before')
  skip(!existsSync(before), 'this machine lets nobody mount a small disk')
  expect(ran.stderr).toContain('more space than is free')
  expect(ran.stdout).toBe(`exit 5\n${readFileSync(before, 'utf8')}`)
})

test('people are told how to take a result, programs are not', async ({ skip }) => {
  const house = new House()
  const waited = await house.run(['run', 'command', '--wait', '--', 'sh', '-c', 'echo x > new.txt'])
  expect(waited.stderr).toMatch(/take it: holdfast apply [a-z0-9]{10}$/m)
  const id = /holdfast apply (\w+)/.exec(waited.stderr)?.[1] ?? ''
  const next = `next: holdfast apply ${id}`
  for (const command of ['result', 'diff']) {
    expect((await house.run([command, id])).stderr).not.toContain('next:')
  }
  const onTerminal = (command: string) => {
    const line = `'${process.execPath}' '${entry}' ${command} ${id}`
    const options = { env: house.environment, encoding: 'utf8', cwd: house.repo } as const
    return spawnSync('script', ['-qec', line, '/dev/null'], options)
  }
  const first = onTerminal('result')
  skip(first.error !== undefined, 'there is no `script` here, which makes a terminal')
  expect(first.stdout).toContain(next)
  expect(onTerminal('diff').stdout).toContain(next)
  await house.ok(['apply', id])
  expect(onTerminal('result').stdout).not.toContain('next:')
})
