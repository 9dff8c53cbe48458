/** Leaving: without a trace if it is asked for, and losing nothing unasked. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { crashPoints } from '../../src/domain/crash-points.ts'
import { loadConfinement } from '../../src/process/confinement/confinement.ts'
import { OUR_NAMES } from '../../src/store/leave-home.ts'
import { views } from '../../src/surfaces/view.ts'
import { confinedTest, visibleParent } from '../confined.ts'
import { eventually } from '../eventually.ts'
import { House } from './house.ts'

/** Everything that must be as it was: what git says, the files of its directory, the home. */
function traceOf(house: House) {
  const gitDirectory = readdirSync(join(house.repo, '.git'), { recursive: true, encoding: 'utf8' })
  return {
    worktrees: house.git('worktree', 'list', '--porcelain'),
    refs: house.git('for-each-ref'),
    git: gitDirectory.filter(name => !name.startsWith('objects/')).sort(),
    config: readFileSync(join(house.repo, '.git/config'), 'utf8'),
    home: readdirSync(house.scratch).sort(),
    files: house.fingerprint(),
  }
}

const purge = async (house: House, ...more: string[]) => {
  const run = await house.run(['uninstall', '--purge', '--json', ...more], { directory: '/' })
  const text = run.stdout === '' ? '{"error":null}' : run.stdout
  return {
    ...run,
    view: 'error' in JSON.parse(text) ? null : views.uninstall.parse(JSON.parse(text)),
  }
}

/** Tasks of all kinds, none of which holds work of its own. */
async function useAll(house: House): Promise<void> {
  house.write('.worktreeinclude', 'ignored.env\n')
  house.write(
    'holdfast.json',
    '{ "setup": ["sh", "-c", "echo x > set-up.txt; mkdir -p made; echo y > made/ignored.env"] }',
  )
  await house.ok(['trust', '--yes'])
  const command = (...words: string[]) => house.submit(['command', ...words])
  const ids = [
    await command('--', 'true'),
    await command('--', 'false'),
    await command('--worktree', 'stays', '--', 'true'),
    await command('--in-place', '--', 'true'),
    await command('--base', 'HEAD', '--', 'true'),
  ]
  await house.run(['wait', ...ids])
  const cancelled = await house.submitScript('exec sleep 300')
  await house.untilState(cancelled, 'running')
  await house.ok(['cancel', cancelled])
}

test('without --purge the worker ends and all else stays, which is said', async () => {
  const house = new House()
  const id = await house.submitScript('echo work > work.txt')
  await house.wait(id)
  const run = await house.run(['uninstall'])
  expect(run.code).toBe(0)
  expect(run.stdout).toContain(`left: ${house.home}: 1 task with their results, 1 worktree`)
  expect(run.stdout).toContain(`left: ${join(house.repo, '.git')}: refs below refs/holdfast/`)
  await eventually('worker and watchdog are gone', () => house.processes().length === 0)
  expect(await house.ok(['diff', id])).toContain('+work')
})

test('it refuses while a task is under way, with and without --purge and --discard', async () => {
  const house = new House()
  const id = await house.submitScript('exec sleep 300')
  await house.untilState(id, 'running')
  for (const words of [[], ['--purge'], ['--purge', '--discard']]) {
    const run = await house.run(['uninstall', ...words])
    expect(run.code).toBe(5)
    expect(run.stderr).toMatch(
      new RegExp(
        `${id} .* has not ended: it is running[^]*holdfast cancel`.replace('[^]', '[\\s\\S]'),
      ),
    )
  }
  expect((await house.task(id)).state).toBe('running')
  await house.ok(['cancel', id])
})

test('purged, nothing is left: worktrees, refs, registrations, state directory, home', async () => {
  const house = new House()
  house.makeDirty()
  const before = traceOf(house)
  await useAll(house)
  for (const name of readdirSync(house.home)) expect(OUR_NAMES).toContain(name)
  expect(house.git('worktree', 'list').split('\n').length).toBeGreaterThan(4)
  rmSync(join(house.repo, '.worktreeinclude'))
  rmSync(join(house.repo, 'holdfast.json'))
  const { code, stderr, view } = await purge(house)
  expect([code, view?.objections, stderr]).toEqual([0, [], expect.anything()])
  expect(view?.removed).toEqual(['5 worktrees', '12 refs', house.home])
  expect(traceOf(house)).toEqual(before)
  await eventually('nothing runs', () => house.processes().length === 0)
  expect(await purge(house)).toMatchObject({ code: 0, view: { removed: [], left: [] } })
})

test('results that were never taken are named, and given up only by --discard', async () => {
  const house = new House()
  const before = traceOf(house)
  const id = await house.submitScript('echo work > work.txt')
  await house.wait(id)
  const { code, view } = await purge(house)
  expect(code).toBe(5)
  expect(view?.objections).toEqual([
    expect.stringMatching(`^${id} .* was never taken: succeeded, 1 file`),
  ])
  expect(await house.ok(['diff', id])).toContain('+work')
  expect((await house.run(['uninstall', '--discard'])).code).toBe(2)
  expect((await purge(house, '--discard')).code).toBe(0)
  expect(traceOf(house)).toEqual(before)
})

test('a result that was applied is not lost; what another clone holds of it goes too', async () => {
  const house = new House()
  const clone = join(house.scratch, 'clone')
  house.git('clone', '--quiet', '.', clone)
  const refs = () => house.gitIn(clone, 'for-each-ref', 'refs/holdfast')
  const id = await house.submitScript('echo work > kept.txt')
  await house.wait(id)
  await house.ok(['apply', id, '--to', clone])
  expect(refs()).toContain(id)
  expect((await purge(house)).code).toBe(0)
  expect(refs()).toBe('')
  expect(existsSync(join(clone, '.git/refs/holdfast'))).toBe(false)
  expect(readFileSync(join(clone, 'kept.txt'), 'utf8')).toBe('work\n')
})

test('what an agent left beside its result is named, and kept until it is given up', async () => {
  const house = new House()
  const before = traceOf(house)
  const id = await house.submitScript('echo precious > ignored.env')
  await house.wait(id)
  await house.wait(await house.submitScript('true'))
  const { code, view } = await purge(house)
  expect(code).toBe(5)
  expect(view).toMatchObject({ done: false, removed: ['1 worktree', '0 refs'] })
  expect(view?.objections).toEqual([expect.stringContaining('ignored.env')])
  expect(readFileSync(join(house.worktree(id), 'ignored.env'), 'utf8')).toBe('precious\n')
  expect(await house.ok(['result', id, '--json'])).toContain('succeeded')
  expect((await purge(house, '--discard')).code).toBe(0)
  expect(traceOf(house)).toEqual(before)
})

const points = Object.entries(crashPoints)
  .filter(([group]) => group.startsWith('Leaving for good'))
  .flatMap(([, group]) => Object.keys(group))

test.each([...points, 'retire.renamed', 'retire.unregistered', 'discard.renamed'])(
  'killed at %s, it finishes when it is run again',
  async point => {
    const house = new House()
    const before = traceOf(house)
    const discard = point.startsWith('discard') ? ['--discard'] : []
    const id = await house.submitScript(discard.length > 0 ? 'echo x > ignored.env' : 'true')
    await house.wait(id)
    const armed = join(house.scratch, 'points')
    mkdirSync(armed)
    writeFileSync(join(armed, point), 'kill')
    const environment = { HOLDFAST_CRASH_POINTS: armed }
    const words = ['uninstall', '--purge', ...discard]
    expect((await house.run(words, { environment })).code).toBe(-1)
    expect(existsSync(join(armed, `${point}.reached`))).toBe(true)
    rmSync(armed, { recursive: true })
    expect(await house.run(words)).toMatchObject({ code: 0 })
    expect(traceOf(house)).toEqual(before)
  },
)

test('a store that was ended takes no task, and says how to finish', async () => {
  const house = new House()
  await house.wait(await house.submitScript('true'))
  const armed = join(house.scratch, 'points')
  mkdirSync(armed)
  writeFileSync(join(armed, 'uninstall.store-ended'), 'kill')
  await house.run(['uninstall', '--purge'], { environment: { HOLDFAST_CRASH_POINTS: armed } })
  const run = await house.run(['run', 'command', '--', 'true'])
  expect(run).toMatchObject({
    code: 7,
    stderr: expect.stringContaining('holdfast uninstall --purge'),
  })
  expect((await house.run(['uninstall', '--purge'])).code).toBe(0)
  const id = await house.submitScript('true')
  expect((await house.wait(id)).state).toBe('succeeded')
})

test('a repository that is gone is told of, and does not stop the rest', async () => {
  const house = new House()
  const other = join(house.scratch, 'other')
  mkdirSync(other)
  house.gitIn(other, 'init', '--quiet')
  house.gitIn(other, 'commit', '--quiet', '--allow-empty', '--message=first')
  const gone = (await house.ok(['run', 'command', '--', 'true'], { directory: other })).trim()
  const here = await house.submitScript('true')
  await house.run(['wait', gone, here])
  renameSync(other, `${other} elsewhere`)
  const { code, view } = await purge(house)
  expect(code).toBe(5)
  expect(view?.objections.join()).toContain(`${join(other, '.git')} is gone`)
  expect(view?.removed).toEqual(['1 worktree', '0 refs'])
  const last = await purge(house, '--discard')
  expect(last).toMatchObject({ code: 0 })
  expect(last.view?.left.join()).toContain(`the repository ${join(other, '.git')} is gone`)
  expect(existsSync(house.home)).toBe(false)
})

test('what is not ours in the state directory stays, and so does a worktree of another one', async () => {
  const house = new House()
  const other = join(house.scratch, 'other home')
  const environment = { HOLDFAST_HOME: other }
  const theirs = (await house.ok(['run', 'command', '--', 'true'], { environment })).trim()
  await house.run(['wait', theirs], { environment })
  await house.wait(await house.submitScript('true'))
  writeFileSync(join(house.home, 'notes of mine'), 'x')
  const { code, view } = await purge(house)
  expect([code, view?.left]).toEqual([0, [`${house.home}/notes of mine: it is not Holdfast's`]])
  expect(readdirSync(house.home)).toEqual(['notes of mine'])
  expect(house.git('for-each-ref', '--format=%(refname)', 'refs/holdfast')).toContain(theirs)
  expect(house.git('worktree', 'list', '--porcelain')).toContain(join(other, 'worktrees', theirs))
  await house.ok(['worker', 'stop'], { environment })
})

test('a worktree that the store does not know is not passed over', async () => {
  const house = new House()
  const before = traceOf(house)
  await house.wait(await house.submitScript('true'))
  const stray = join(house.home, 'worktrees', 'straytask1')
  house.git(
    'worktree',
    'add',
    '--quiet',
    '--lock',
    '--reason',
    'holdfast straytask1',
    '--detach',
    stray,
  )
  const { code, view } = await purge(house)
  expect([code, view?.objections]).toEqual([5, [expect.stringContaining(`${stray} is registered`)]])
  expect(existsSync(join(stray, 'kept.txt'))).toBe(true)
  expect((await purge(house, '--discard')).code).toBe(0)
  expect(traceOf(house)).toEqual(before)
})

test('what an agent puts beside its worktree is in no result: it is named, and kept', async () => {
  const house = new House()
  const before = traceOf(house)
  const id = await house.submitScript(
    'git worktree add -q ../feature -b fb && echo work > ../feature/work.txt; mkdir ../plain; echo more > ../plain/more.txt',
  )
  expect((await house.wait(id)).state).toBe('succeeded')
  const root = join(house.home, 'worktrees')
  const gone = join(root, 'gone')
  house.git('worktree', 'add', '--quiet', '--detach', gone)
  rmSync(gone, { recursive: true })
  const { code, view } = await purge(house)
  expect(code).toBe(5)
  expect([...(view?.objections ?? [])].sort()).toEqual([
    expect.stringContaining(`${join(root, 'feature')} is registered in`),
    expect.stringContaining(`${gone} is registered in`),
    `${join(root, 'plain')} is of no task`,
  ])
  expect(readFileSync(join(root, 'feature/work.txt'), 'utf8')).toBe('work\n')
  expect(readFileSync(join(root, 'plain/more.txt'), 'utf8')).toBe('more\n')
  expect(await house.ok(['result', id, '--json'])).toContain('succeeded')
  // The branch is the agent's, in the user's repository; it stays also when the rest is given up.
  expect((await purge(house, '--discard')).code).toBe(0)
  const { worktrees, home } = traceOf(house)
  expect({ worktrees, home }).toEqual({ worktrees: before.worktrees, home: before.home })
  expect(existsSync(join(house.repo, '.git/worktrees'))).toBe(false)
  expect(house.git('branch', '--list', 'fb')).toContain('fb')
})

test('what is not ours inside of our directories stays, also after a death in the middle', async () => {
  const house = new House()
  await house.wait(await house.submitScript('true'))
  const armed = join(house.scratch, 'points')
  mkdirSync(armed)
  writeFileSync(join(armed, 'uninstall.store-ended'), 'kill')
  await house.run(['uninstall', '--purge'], { environment: { HOLDFAST_CRASH_POINTS: armed } })
  const mine = ['cache', 'damaged', 'locks', 'set-up', 'tasks', 'trash', 'worktrees'].map(
    name => `${name}/mine.txt`,
  )
  for (const name of mine) house.write(name, 'mine\n', house.home)
  const { code, view } = await purge(house)
  expect([code, view?.removed]).toEqual([0, []])
  expect([...(view?.left ?? [])].sort()).toEqual(
    mine.map(name => `${house.home}/${name}: it is not Holdfast's`),
  )
  for (const name of mine) expect(readFileSync(join(house.home, name), 'utf8')).toBe('mine\n')
})

test('the reference lists what a purge takes for ours, and nothing else', () => {
  const page = readFileSync(
    new URL('../../docs/reference/state-directory.md', import.meta.url),
    'utf8',
  )
  const table = page.slice(0, page.indexOf('## Where it may be'))
  const listed = table.split('\n').flatMap(line => {
    const cell = /^\| (`.*?) \|/.exec(line)?.[1] ?? ''
    // Of what is in a directory of ours, only the directory counts here.
    const names = [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
    const first = names[0] ?? ''
    return names
      .map(name => (name.startsWith('-') ? `${first}${name}` : name))
      .filter(name => !first.includes('/') || name.includes('/'))
      .map(name => name.split('/')[0] ?? '')
  })
  expect(new Set(listed)).toEqual(new Set(OUR_NAMES))
})

confinedTest(
  'after a confined task and terminal nothing stays of the state directory',
  async () => {
    const house = new House({}, visibleParent())
    const id = await house.submitScript('true', '--permissions', 'workspace')
    expect((await house.wait(id)).state).toBe('succeeded')
    const confinement = await loadConfinement({
      home: house.home,
      toolPath: process.env.PATH ?? '',
      isSandboxed: async () => false,
    })
    await confinement.enclose({
      mode: 'workspace',
      worktree: house.repo,
      commonDir: join(house.repo, '.git'),
      workingDirectory: house.repo,
      program: '/bin/sh',
      environment: {},
      scratch: join(house.scratch, 'scratch'),
      own: { readable: [], writable: [] },
      terminal: true,
    })
    expect(await purge(house)).toMatchObject({ code: 0, view: { left: [] } })
    expect(existsSync(house.home)).toBe(false)
  },
)
