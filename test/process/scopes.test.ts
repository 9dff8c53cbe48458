/**
 * Scopes of an attempt's own, with a program in the place of `systemd-run` that behaves as the real
 * one says of itself: this must pass where no systemd user manager runs.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { makeProcessHost } from '../../src/process/host.ts'
import { makeScopes } from '../../src/process/scopes.ts'
import { eventually } from '../eventually.ts'
import { fixture, isAlive, processes, useAttempts } from './attempts.ts'

const attempts = useAttempts()
const made: string[] = []
afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true })
})

const LIMIT = 1024 ** 3
const WHY_NOT = 'log in where a systemd user manager runs'

/** A manager, and what starts attempts by it. */
function makeManager({ isThere = true, lingers = true, version = 255 } = {}) {
  const tools = mkdtempSync(join(tmpdir(), 'holdfast-scopes-'))
  made.push(tools)
  const at = (name: string) => join(tools, name)
  symlinkSync(fixture('systemd-run'), at('systemd-run'))
  mkdirSync(at('lingering'))
  if (lingers) writeFileSync(join(at('lingering'), userInfo().username), '')
  mkdirSync(at('runtime/systemd'), { recursive: true })
  if (isThere) writeFileSync(at('runtime/systemd/private'), '')
  writeFileSync(at('version'), String(version))
  writeFileSync(at('own'), '0::/user.slice/session-1.scope\n')
  const groups = { root: at('groups'), own: at('own') }
  const toolPath = `${tools}:/usr/bin:/bin`
  const environment = { XDG_RUNTIME_DIR: at('runtime') }
  const scopes = makeScopes({ environment, toolPath, groups, lingering: at('lingering') })
  return {
    at,
    scopes,
    host: makeProcessHost(processes, { toolPath, scopes, groups }),
    /** Each time that it was asked for a scope. */
    asked: (): string[][] => {
      const text = existsSync(at('asked')) ? readFileSync(at('asked'), 'utf8') : ''
      return text
        .split('--\n')
        .slice(0, -1)
        .map(words => words.trimEnd().split('\n'))
    },
  }
}

const inRun = (plan: { runDirectory: string }, name: string) =>
  readFileSync(join(plan.runDirectory, name), 'utf8')

test('an attempt has a scope of its own, which nobody in it notices, and which counts its dead', async () => {
  const { host, asked, at, scopes } = makeManager()
  await scopes.requireWorking()
  const environment = { PATH: '/usr/bin:/bin', XDG_RUNTIME_DIR: '/of/the/caller', A: "it's\n$A" }
  const script = 'env; trap "" TERM; echo "$@"; while :; do sleep 0.05; done'
  const plan = attempts.plan(['/bin/sh', '-c', script, 'agent', 'two  words'], {
    environment,
    memoryBytes: LIMIT,
  })
  await host.launch(plan)
  const unit = `holdfast-${plan.task}-1`
  // One trial, and one for the attempt.
  expect(asked()).toHaveLength(2)
  expect(asked()[1]).toEqual([
    ...['--user', '--scope', '--quiet', '--collect', '--no-ask-password'],
    ...[`--unit=${unit}`, `--description=Holdfast: task ${plan.task}, try 1`],
    ...['-p', `MemoryMax=${LIMIT}`, '-p', 'MemorySwapMax=0', '-p', 'OOMPolicy=continue'],
  ])
  const lines = await eventually('the agent has said all', () => {
    const said = host.readLines(plan.runDirectory, 0, false).lines
    return said.includes('two  words') && said
  })
  expect(lines).toEqual(expect.arrayContaining(['XDG_RUNTIME_DIR=/of/the/caller', "A=it's", '$A']))
  expect(lines.filter(line => line.startsWith('INVOCATION_ID'))).toEqual([])
  expect(isAlive(attempts.identity(plan, 'wrapper'))).toBe(true)
  expect(processes.find(attempts.identity(plan, 'wrapper').pid)?.parent).not.toBe(process.pid)
  expect(host.countMemoryKills(plan.runDirectory)).toBe(null)

  const events = `oom 3\noom_kill 2\noom_group_kill 0\n`
  writeFileSync(at(`groups/user.slice/app.slice/${unit}.scope/memory.events`), events)
  process.kill(attempts.identity(plan, 'pid').pid, 'SIGKILL')
  expect(await attempts.exit(plan)).toEqual({ kind: 'signalled', signal: 9 })
  expect(host.countMemoryKills(plan.runDirectory)).toBe(2)
  // The number may go on where it was torn.
  writeFileSync(join(plan.runDirectory, 'memory.events'), 'oom_kill 2')
  expect(host.countMemoryKills(plan.runDirectory)).toBe(null)
  // What another group has counted is not the attempt's.
  writeFileSync(join(plan.runDirectory, 'memory.events'), events)
  writeFileSync(join(plan.runDirectory, 'cgroup'), '0::/user.slice/session-1.scope\n')
  expect(host.countMemoryKills(plan.runDirectory)).toBe(null)
  await host.stop(plan, { graceful: null, graceMs: 0 })
})

test('a scope that cannot be made costs nobody their start, but where it is to limit the memory', async () => {
  const { host, asked, at, scopes } = makeManager({ version: 252 })
  await scopes.requireWorking()
  writeFileSync(at('fails'), 'Failed to start transient scope unit: it is Sunday\n')
  const free = attempts.plan(['/bin/echo', 'here'])
  await host.launch(free)
  expect(await attempts.lines(free, 1)).toEqual(['here'])
  expect(await attempts.exit(free)).toEqual({ kind: 'exited', code: 0 })
  expect(inRun(free, 'scope.log')).toContain('it is Sunday')
  expect(host.countMemoryKills(free.runDirectory)).toBe(null)
  // A policy that this version does not know is not asked for, and no limit.
  expect(asked()[1]?.slice(7)).toEqual([])
  const limited = attempts.plan(['/bin/echo', 'here'], { memoryBytes: LIMIT })
  await expect(host.launch(limited)).rejects.toMatchObject({
    code: 'launch_failed',
    message: expect.stringContaining('it is Sunday'),
  })
  expect(inRun(limited, 'stdout')).toBe('')
  // Nobody asks again for nothing.
  await host.launch(attempts.plan(['/bin/true']))
  expect(asked()).toHaveLength(3)
})

test('a limit that does not hold is refused, before and at the start', async () => {
  const { host, at, scopes } = makeManager()
  writeFileSync(at('ignores-limits'), '')
  await expect(scopes.requireWorking()).rejects.toMatchObject({
    code: 'refused_in_state',
    message: expect.stringContaining('has no say'),
    hint: expect.stringContaining(WHY_NOT),
  })
  const plan = () => attempts.plan(['/bin/sleep', '1000'], { memoryBytes: LIMIT })
  const early = plan()
  await expect(host.launch(early)).rejects.toMatchObject({ code: 'launch_failed' })
  expect(existsSync(early.runDirectory)).toBe(false)
  rmSync(at('ignores-limits'))
  await scopes.requireWorking()
  writeFileSync(at('ignores-limits'), '')
  await expect(host.launch(plan())).rejects.toMatchObject({
    code: 'launch_failed',
    message: expect.stringContaining('not limited'),
  })
})

test('where no manager runs, nobody is asked, and a limit is refused', async () => {
  const { host, asked, at, scopes } = makeManager({ isThere: false })
  await expect(scopes.requireWorking()).rejects.toMatchObject({
    code: 'refused_in_state',
    message: expect.stringContaining('no systemd user manager'),
  })
  const plan = attempts.plan(['/bin/true'])
  await host.launch(plan)
  expect(readdirSync(plan.runDirectory)).not.toContain('cgroup')
  expect(asked()).toEqual([])
  // One that has come up since counts.
  writeFileSync(at('runtime/systemd/private'), '')
  await scopes.requireWorking()
})

test('one that ends at the last logout is used for a limit alone', async () => {
  const { host, asked } = makeManager({ lingers: false })
  await host.launch(attempts.plan(['/bin/true']))
  expect(asked()).toEqual([])
  const plan = attempts.plan(['/bin/true'], { memoryBytes: LIMIT })
  await host.launch(plan)
  await attempts.exit(plan)
  expect(asked()).toHaveLength(2)
})

const realOne = ['/usr/bin', '/bin'].some(path => existsSync(join(path, 'systemd-run')))

test.skipIf(!realOne)(
  'the real systemd-run is told apart from one that reaches nobody',
  async () => {
    const { at } = makeManager()
    const environment = { XDG_RUNTIME_DIR: at('runtime') }
    const scopes = makeScopes({ environment, toolPath: '/usr/bin:/bin' })
    await expect(scopes.requireWorking()).rejects.toMatchObject({
      message: expect.stringMatching(/systemd-run: .*(bus|connect)/i),
    })
  },
)
