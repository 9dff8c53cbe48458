/** Worktrees of other tools are taken over: nothing in them changes, and nothing takes them away. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { House } from './house.ts'

interface Finding {
  readonly check: string
  readonly status: string
  readonly message: string
  readonly repair: {
    readonly plan: string
    readonly state: string
    readonly problem: string
  } | null
}

async function lookAt(house: House, ...words: string[]) {
  const { code, stdout } = await house.run(['doctor', '--json', ...words])
  const { findings } = JSON.parse(stdout) as { findings: Finding[] }
  return { code, findings: findings.filter(({ check }) => check === 'repositories') }
}

test('doctor names them, takes over what it is told to, and lets go of it in the end', async () => {
  const house = new House()
  const codexHome = join(house.scratch, 'codex')
  house.environment.CODEX_HOME = codexHome
  await house.wait(await house.submitScript('true'))
  const claudes = join(house.repo, '.claude', 'worktrees', 'fix-login')
  const codexs = join(codexHome, 'worktrees', '1a2b', 'repo')
  const dead = 'claude agent agent-1 (pid 999999999 start 1)'
  house.git('worktree', 'add', '--quiet', '--lock', '--reason', dead, '-b', 'their-branch', claudes)
  mkdirSync(join(codexHome, 'worktrees', '1a2b'), { recursive: true })
  house.git('worktree', 'add', '--quiet', '--detach', codexs)
  house.git('config', 'remote.backup.url', '/nowhere')
  house.git('config', 'remote.backup.mirror', 'true')
  house.git('config', 'remote.all.push', '+refs/*:refs/*')
  house.git('config', 'remote.plain.push', '+refs/heads/*:refs/heads/*')
  house.write('kept.txt', 'edited by Claude\n', claudes)
  house.write('new.txt', 'new\n', claudes)
  const status = (tree: string) => house.gitIn(tree, 'status', '--porcelain=v2', '--branch')
  const before = [status(claudes), status(codexs)]

  const first = await lookAt(house)
  expect(first.code).toBe(0)
  expect(first.findings.map(({ status: how, message }) => [how, message])).toEqual([
    ['ok', `${codexs} is a worktree of Codex`],
    ['ok', `${claudes} is a worktree of Claude Code`],
    ['warning', expect.stringContaining('a push to backup of')],
    ['warning', expect.stringContaining('a push to all of')],
  ])
  // To repair is not to take what is another tool's.
  const fixed = await lookAt(house, '--fix')
  expect(fixed.findings[0]?.repair).toMatchObject({ state: 'possible' })

  const shell = spawn('sleep', ['300'], { cwd: claudes, stdio: 'ignore' })
  try {
    const busy = await lookAt(house, '--adopt', claudes)
    expect(busy.code).toBe(1)
    expect(busy.findings[1]?.repair?.problem).toContain(`sleep (${shell.pid})`)
    expect(busy.findings[0]?.repair?.state).toBe('possible')
  } finally {
    shell.kill('SIGKILL')
  }
  const odd = await house.run(['doctor', '--adopt', house.repo])
  expect([odd.code, odd.stderr]).toEqual([
    5,
    expect.stringContaining('no worktree of another tool'),
  ])
  // A lock that names nobody is somebody's word.
  house.git('worktree', 'lock', '--reason', 'mine', codexs)
  const all = await lookAt(house, '--adopt')
  expect(all.findings.map(({ repair }) => repair?.state)).toEqual([
    'failed',
    'done',
    undefined,
    undefined,
  ])
  expect(all.findings[0]?.repair?.problem).toContain('is locked: mine')
  expect([status(claudes), status(codexs)]).toEqual(before)
  expect(house.git('worktree', 'list', '--porcelain')).toContain('locked holdfast fix-login-')

  // Once more is no mistake.
  expect((await lookAt(house, '--adopt', claudes)).code).toBe(0)
  // A task works in it, from the state that it has; no rule takes it away.
  const id = (
    await house.ok([
      'run',
      'command',
      '--worktree',
      'fix-login',
      '--',
      'sh',
      '-c',
      'cat new.txt > by-us',
    ])
  ).trim()
  expect((await house.wait(id)).state).toBe('succeeded')
  expect((await house.task(id)).worktree).toMatchObject({ path: claudes, kind: 'permanent' })
  expect(readFileSync(join(claudes, 'by-us'), 'utf8')).toBe('new\n')
  await house.ok(['gc', '--keep', '0', '--disk', '0'])
  await house.ok(['uninstall', '--purge', '--discard'])
  expect(existsSync(house.home)).toBe(false)
  expect(readFileSync(join(claudes, 'by-us'), 'utf8')).toBe('new\n')
  expect(house.git('worktree', 'list', '--porcelain')).not.toContain('locked holdfast')
  expect(house.gitIn(claudes, 'branch', '--show-current').trim()).toBe('their-branch')
}, 600_000)

test('a branch that a vanished worktree holds is named', async () => {
  const house = new House()
  await house.wait(await house.submitScript('true'))
  const gone = join(house.scratch, 'gone')
  house.git('worktree', 'add', '--quiet', '-b', 'held', gone)
  rmSync(gone, { recursive: true })
  const { code, findings } = await lookAt(house)
  expect(code).toBe(0)
  expect(findings).toEqual([
    expect.objectContaining({ status: 'warning', message: expect.stringContaining('branch held') }),
  ])
})
