import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { makeProcessHost } from '../../src/process/host.ts'
import { launch } from '../../src/process/launch.ts'
import { CONTROL_GROUPS, noScopes } from '../../src/process/scopes.ts'
import { fixture, processes, useAttempts } from './attempts.ts'

const attempts = useAttempts()
const { host } = attempts

const made: string[] = []
afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true })
})

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-tools-'))
  made.push(directory)
  return directory
}

/** A directory with nothing in it but the programs that are named. */
function toolsOnly(...names: string[]): string {
  const directory = makeDirectory()
  for (const name of names) {
    const found = ['/usr/bin', '/bin'].map(at => join(at, name)).find(existsSync)
    if (found === undefined) throw new Error(`this machine has no ${name}`)
    symlinkSync(found, join(directory, name))
  }
  return directory
}

const stdoutOf = (attempt: { runDirectory: string }) =>
  readFileSync(join(attempt.runDirectory, 'stdout'), 'utf8')

describe('what the agent gets', () => {
  test('its arguments, byte for byte', async () => {
    const args = [
      'two words',
      "it's",
      '"$(touch hit)"',
      '`touch hit`',
      '$HOME',
      '',
      'line\nbreak\n',
      '\\n\\',
      '-e',
      '--',
      '*',
      '; exit 1',
      'ärger €',
      '',
    ]
    const attempt = await attempts.launch(['show-arguments.sh', ...args])
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 0 })
    expect(stdoutOf(attempt).split('\0').slice(0, -1)).toEqual(args)
    expect(readdirSync(attempt.worktree)).toEqual([])
  })

  test('its stdin from a file, and then the end of it', async () => {
    const attempt = await attempts.launch(['/bin/cat'], {
      stdin: Buffer.from('a\0b\nc\xff', 'latin1'),
    })
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 0 })
    expect(readFileSync(join(attempt.runDirectory, 'stdout')).toString('latin1')).toBe(
      'a\0b\nc\xff',
    )
  })

  test('exactly the environment of the plan, the mark, and where it stands', async () => {
    const environment = { PATH: '/usr/bin:/bin', status: 'mine', PWD: '/elsewhere', EMPTY: '' }
    const attempt = await attempts.launch(['/usr/bin/env', '-0'], { environment })
    await attempts.exit(attempt)
    const given = new Map(
      stdoutOf(attempt)
        .split('\0')
        .slice(0, -1)
        .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
    const mark = given.get('HOLDFAST_ATTEMPT')
    expect(mark).toMatch(new RegExp(`^${attempt.task}\\.1\\.[\\w-]{12}$`))
    // What a shell adds on its own: dash nothing, bash these two.
    given.delete('_')
    given.delete('SHLVL')
    expect(Object.fromEntries(given)).toEqual({
      ...environment,
      PWD: attempt.worktree,
      HOLDFAST_ATTEMPT: mark,
    })
  })

  test.each(['022', '002', '077'])("the caller's umask (%s)", async umask => {
    const before = process.umask(Number.parseInt(umask, 8))
    try {
      const attempt = await attempts.launch(['/bin/sh', '-c', 'umask'])
      await attempts.exit(attempt)
      expect(stdoutOf(attempt)).toBe(`0${umask}\n`)
      for (const name of readdirSync(attempt.runDirectory)) {
        const { mode } = statSync(join(attempt.runDirectory, name))
        expect([name, (mode & 0o777).toString(8)]).toEqual([name, '600'])
      }
      expect((statSync(attempt.runDirectory).mode & 0o777).toString(8)).toBe('700')
    } finally {
      process.umask(before)
    }
  })

  test('signals as they are by default: a tool of it dies of SIGINT', async () => {
    const attempt = await attempts.launch(['run-tool.sh'])
    await attempts.exit(attempt)
    expect(stdoutOf(attempt)).toBe('tool 130\n')
  })

  test('no signal that it would ignore or that is blocked', async () => {
    const attempt = await attempts.launch(['/bin/grep', '-E', '^Sig(Ign|Blk)', '/proc/self/status'])
    await attempts.exit(attempt)
    expect(stdoutOf(attempt).match(/\t(\w+)/g)).toEqual(Array(2).fill(`\t${'0'.repeat(16)}`))
  })
})

describe('what is written down', () => {
  test('the launch, with the names of variables and none of their values', async () => {
    const before = Date.now()
    const attempt = await attempts.launch(['/bin/true', 'an argument'], {
      environment: { PATH: '/usr/bin:/bin', OPENAI_API_KEY: 'sk-very-secret' },
    })
    await attempts.exit(attempt)
    const text = readFileSync(join(attempt.runDirectory, 'launch.json'), 'utf8')
    expect(text).not.toContain('sk-very-secret')
    const { machine, boot, pidNamespace } = host.self()
    const record = JSON.parse(text)
    expect(record).toEqual({
      version: 1,
      task: attempt.task,
      fence: 1,
      argv: ['/bin/true', 'an argument'],
      workingDirectory: attempt.workingDirectory,
      mark: expect.stringMatching(`^${attempt.task}\\.1\\.`),
      environmentNames: ['OPENAI_API_KEY', 'PATH'],
      machine,
      boot,
      pidNamespace,
      launchedAt: expect.any(Number),
    })
    expect(record.launchedAt).toBeGreaterThanOrEqual(before)
    expect(record.launchedAt).toBeLessThanOrEqual(Date.now())
  })

  test('nothing beside the files of the contract', async () => {
    const attempt = await attempts.launch(['/bin/true'])
    await attempts.exit(attempt)
    expect(readdirSync(attempt.runDirectory).sort()).toEqual([
      'exit.json',
      'launch.json',
      'pid',
      'stderr',
      'stdin',
      'stdout',
      'wrapper',
    ])
    expect(readFileSync(join(attempt.runDirectory, 'exit.json'), 'utf8')).toBe('{"status":0}\n')
  })
})

describe('an agent that cannot be executed has ended, and says why on stderr', () => {
  test('missing: 127', async () => {
    const attempt = await attempts.launch(['/nowhere/agent'])
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 127 })
    expect(host.readStderrTail(attempt.runDirectory, 1000)).toContain('/nowhere/agent')
  })

  test('not executable: 126', async () => {
    const attempt = attempts.plan(['/etc/passwd'])
    await host.launch(attempt)
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 126 })
  })
})

describe('a launch is refused', () => {
  test.each([
    ['run directory', { runDirectory: 'tasks/run' }],
    ['working directory', { workingDirectory: '.' }],
    ['program', { argv: ['sh'] as const }],
  ])('as a bug, at once, with a relative %s', async (_, changes) => {
    const plan = { ...attempts.plan(['/bin/true']), ...changes }
    await expect(host.launch({ ...plan, argv: [...plan.argv] as [string] })).rejects.toThrow(
      'not an absolute path',
    )
    expect(existsSync(plan.runDirectory)).toBe(false)
  })

  test('as a bug, in a run directory that was used before', async () => {
    const attempt = await attempts.launch(['/bin/true'])
    await attempts.exit(attempt)
    await expect(host.launch(attempt)).rejects.toThrow('has been used before')
  })

  test('when the working directory is gone', async () => {
    const plan = attempts.plan(['/bin/true'], { workingDirectory: '/nowhere/at all' })
    await expect(host.launch(plan)).rejects.toMatchObject({
      code: 'launch_failed',
      message: 'cannot enter the working directory /nowhere/at all',
    })
    expect(host.lookAtRun(plan.runDirectory)).toMatchObject({
      agent: null,
      wrapper: 'dead',
      exit: null,
    })
    expect(host.findProcesses(plan)).toEqual([])
  })

  test('when the run directory cannot be made', async () => {
    const plan = attempts.plan(['/bin/true'], { runDirectory: '/etc/passwd/run' })
    await expect(host.launch(plan)).rejects.toMatchObject({ code: 'launch_failed' })
  })

  test('when the arguments are too long for the system', async () => {
    const plan = attempts.plan(['/bin/true', 'x'.repeat(3_000_000)])
    await expect(host.launch(plan)).rejects.toMatchObject({ code: 'launch_failed' })
  })

  test('when the agent has not started in time; nothing of it is left', async () => {
    const slow = makeDirectory()
    writeFileSync(join(slow, 'setsid'), '#!/bin/sh\nsleep 1000 &\necho $! >"$TEST_OUT"\n')
    chmodSync(join(slow, 'setsid'), 0o755)
    const plan = attempts.plan(['/bin/true'])
    const out = join(plan.worktree, 'out')
    const late = makeProcessHost(processes, { toolPath: slow, launchLimitMs: 1_000 })
    const environment = { ...plan.environment, TEST_OUT: out }
    await expect(late.launch({ ...plan, environment })).rejects.toMatchObject({
      code: 'launch_failed',
      message: 'the agent process did not start within 1000 ms',
    })
    // On a slow machine it may not have come as far as this by then.
    const started = existsSync(out) ? readFileSync(out, 'utf8').trim() : 'nobody'
    expect(existsSync(`/proc/${started}/exe`)).toBe(false)
  })

  test('naming setsid, where there is neither that nor perl', async () => {
    const plan = attempts.plan(['/bin/true'])
    await expect(
      makeProcessHost(processes, { toolPath: toolsOnly() }).launch(plan),
    ).rejects.toMatchObject({
      code: 'launch_failed',
      message: expect.stringContaining('setsid'),
    })
  })
})

test('a wrapper that is killed before it has started the agent is noticed at once', async () => {
  const plan = attempts.plan(['/bin/true'])
  const tools = {
    processes,
    shell: fixture('dying-shell.sh'),
    toolPath: '/usr/bin:/bin',
    scopes: noScopes,
    groups: CONTROL_GROUPS,
  }
  let hasEnded = false
  const launching = launch(plan, { ...tools, limitMs: 600_000 }, async () => {
    hasEnded = true
  })
  const began = performance.now()
  await expect(launching).rejects.toMatchObject({
    code: 'launch_failed',
    message: 'the wrapper died before there was an agent',
  })
  expect(performance.now() - began).toBeLessThan(200_000)
  expect(hasEnded).toBe(true)
})

test('perl stands in for setsid', async () => {
  const attempt = attempts.plan(['/bin/sh', '-c', 'cat /proc/self/stat'])
  await makeProcessHost(processes, { toolPath: toolsOnly('perl', 'mv', 'sync') }).launch(attempt)
  expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 0 })
  const [, , , , , session] = stdoutOf(attempt).split(' ')
  expect(Number(session)).toBe(attempts.identity(attempt, 'wrapper').pid)
})

test('twenty launches at once do not get in the way of each other', async () => {
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, i) => attempts.launch(['show-arguments.sh', `${i}`])),
  )
  const exits = await Promise.all(all.map(attempt => attempts.exit(attempt)))
  expect(exits).toEqual(Array(20).fill({ kind: 'exited', code: 0 }))
  expect(all.map(stdoutOf)).toEqual(all.map((_, i) => `${i}\0`))
})

test('a program that is a script without a first line is run by the shell', async () => {
  const attempt = attempts.plan(['/bin/true'])
  const script = join(attempt.worktree, 'script')
  mkdirSync(attempt.worktree, { recursive: true })
  writeFileSync(script, 'exit 4\n', { mode: 0o755 })
  await host.launch({ ...attempt, argv: [script, fixture('')] })
  expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 4 })
})
