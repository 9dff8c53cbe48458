import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { stopMembers } from '../../src/process/stop.ts'
import { eventually } from '../eventually.ts'
import { killIfThere } from '../kill-if-there.ts'
import { isAlive, processes, type TestAttempt, useAttempts } from './attempts.ts'

const attempts = useAttempts()
const { host } = attempts

const forceful = { graceful: null, graceMs: 0 }
const borrowed = (attempt: TestAttempt) => ({ ...attempt, worktree: null })

describe('the forceful end', () => {
  test('is over when nothing lives', async () => {
    const attempt = await attempts.launch(['/bin/true'])
    await attempts.exit(attempt)
    await eventually('the wrapper is gone', () => host.findProcesses(attempt).length === 0)
    expect(await host.stop(attempt, forceful)).toEqual({ ended: true, processes: [] })
  })

  test('has ended all where nobody is met, however long a busy machine takes to look', async () => {
    let now = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
    const slowly = () => {
      now += 1_000
    }
    const source = {
      agent: undefined,
      wrapper: undefined,
      findListener: () => undefined,
      find: () => [],
      chase: { quietLooks: 20, look: slowly },
      liveness: () => 'dead' as const,
    }
    const report = await stopMembers(source, forceful, 10_000).finally(() => clock.mockRestore())
    expect(report).toEqual({ ended: true, processes: [] })
    expect(now).toBe(20_000)
  })

  test('drops what was being written by somebody who was killed', async () => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    for (const name of ['launch.json.new', 'exit.json.new']) {
      writeFileSync(join(attempt.runDirectory, name), '{"sta')
    }
    await host.stop(attempt, forceful)
    const left = readdirSync(attempt.runDirectory).filter(name => name.endsWith('.new'))
    expect(left).toEqual([])
    expect(existsSync(join(attempt.runDirectory, 'launch.json'))).toBe(true)
  })

  test('names whom it ended, and why each was counted', async () => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    // A launch is over right before the agent's `exec`.
    const isSleeping = () => host.findProcesses(attempt).some(p => p.command === '/bin/sleep 1000')
    await eventually('the agent is its own program', isSleeping)
    const report = await host.stop(attempt, forceful)
    expect(report.ended).toBe(true)
    expect(report.processes).toContainEqual({
      pid: attempts.identity(attempt, 'pid').pid,
      command: '/bin/sleep 1000',
      because: 'mark',
    })
    expect(report.processes.map(p => p.pid)).toContain(attempts.identity(attempt, 'wrapper').pid)
    expect(report.processes).toHaveLength(2)
  })

  test('ends who ignores every polite request', async () => {
    const attempt = await attempts.launch(['deaf.sh'])
    await attempts.lines(attempt, 1)
    expect(await host.stop(attempt, { graceful: 'SIGTERM', graceMs: 300 })).toMatchObject({
      ended: true,
    })
  })

  test('ends who is suspended', async () => {
    const attempt = await attempts.launch(['deaf.sh'])
    await attempts.lines(attempt, 1)
    process.kill(-attempts.identity(attempt, 'wrapper').pid, 'SIGSTOP')
    expect((await host.stop(attempt, forceful)).ended).toBe(true)
  })

  test('ends who forks without end', async () => {
    const attempt = await attempts.launch(['storm.sh'])
    await attempts.lines(attempt, 1)
    expect(host.findProcesses(attempt).length).toBeGreaterThan(20)
    let report = await host.stop(borrowed(attempt), forceful)
    // One call ends after some seconds, whatever lives: on a loaded machine a thousand take longer.
    while (!report.ended) report = await host.stop(borrowed(attempt), forceful)
    expect(host.findProcesses(attempt)).toEqual([])
  })

  test('ends who is another process at each look', async () => {
    const attempt = await attempts.launch(['relay.sh', '3000', '2980'])
    await attempts.lines(attempt, 1)
    expect((await host.stop(borrowed(attempt), forceful)).ended).toBe(true)
    // One look may miss it; it would live for seconds.
    for (let i = 0; i < 50; i++) expect(host.findProcesses(attempt)).toEqual([])
  })

  test('ends an agent whose wrapper is gone', async () => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    process.kill(attempts.identity(attempt, 'wrapper').pid, 'SIGKILL')
    await eventually('nothing of it lives', async () => (await host.stop(attempt, forceful)).ended)
    expect(isAlive(attempts.identity(attempt, 'pid'))).toBe(false)
  })

  test('refuses a run directory of another attempt', async () => {
    const attempt = await attempts.launch(['/bin/true'])
    await attempts.exit(attempt)
    const { task } = attempts.plan(['/bin/true'])
    await expect(host.stop({ ...attempt, task }, forceful)).rejects.toThrow('another attempt')
  })
})

describe('tools that slip away are found and ended', () => {
  test.each([
    ['in a session of their own', ['setsid'], 'mark'],
    ['without environment, elsewhere, in a session of their own', ['hide'], 'descent'],
    ['without environment, elsewhere, without parent', ['orphan'], 'session'],
  ])('%s', async (_, how, because) => {
    const attempt = await attempts.launch(['escape.sh', ...how])
    const [tool] = await attempts.escaped(attempt, 1)
    await eventually('the tool is found', () =>
      host.findProcesses(borrowed(attempt)).some(p => p.pid === tool?.pid && p.because === because),
    )
    expect((await host.stop(borrowed(attempt), forceful)).ended).toBe(true)
    expect(tool && isAlive(tool)).toBe(false)
  })

  test('standing in the worktree, with nothing else to tell them by', async () => {
    const attempt = attempts.plan(['/bin/true'])
    await host.launch({
      ...attempt,
      argv: [join(import.meta.dirname, '../fixtures/escape.sh'), 'stand', attempt.worktree],
    })
    const [tool] = await attempts.escaped(attempt, 1)
    await eventually('the tool stands there alone', () =>
      host.findProcesses(attempt).some(p => p.pid === tool?.pid && p.because === 'directory'),
    )
    expect(host.findProcesses(borrowed(attempt)).map(p => p.pid)).not.toContain(tool?.pid)
    // Also once the worktree has been deleted under it.
    rmSync(attempt.worktree, { recursive: true })
    await eventually('nothing of it lives', async () => (await host.stop(attempt, forceful)).ended)
    expect(tool && isAlive(tool)).toBe(false)
  })

  test('although the graceful end made orphans of them', async () => {
    // `sleep` is the agent here, dies of SIGTERM at once, and leaves its tool without a trace.
    const attempt = await attempts.launch(['escape.sh', 'hide'])
    const [tool] = await attempts.escaped(attempt, 1)
    await eventually('the tool has hidden', () =>
      host.findProcesses(attempt).some(p => p.pid === tool?.pid && p.because === 'descent'),
    )
    const report = await host.stop(attempt, { graceful: 'SIGTERM', graceMs: 200_000 })
    expect(report.ended).toBe(true)
    expect(tool && isAlive(tool)).toBe(false)
    expect(report.processes.map(p => p.pid)).toContain(tool?.pid)
    expect(await attempts.exit(attempt)).toEqual({ kind: 'signalled', signal: 15 })
  })
})

describe('the graceful end', () => {
  test('lets the agent end itself, and the wrapper say how', async () => {
    const attempt = await attempts.launch(['obedient.sh'])
    await attempts.lines(attempt, 1)
    const started = performance.now()
    const report = await host.stop(attempt, { graceful: 'SIGTERM', graceMs: 200_000 })
    expect(performance.now() - started).toBeLessThan(100_000)
    expect(report.ended).toBe(true)
    expect(await attempts.lines(attempt, 2)).toEqual(['ready', 'bye'])
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 5 })
  })

  test('wakes an agent that was suspended', async () => {
    const attempt = await attempts.launch(['obedient.sh'])
    await attempts.lines(attempt, 1)
    process.kill(attempts.identity(attempt, 'pid').pid, 'SIGSTOP')
    await host.stop(attempt, { graceful: 'SIGTERM', graceMs: 200_000 })
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 5 })
  })
})

describe('others are spared', () => {
  test('a delegated attempt, with its tools, that was started by this one', async () => {
    const attempt = await attempts.launch(['delegate.sh', 'delegated1.1.nonce'])
    const delegated = await attempts.escaped(attempt, 2)
    await eventually('the delegated tool has lost its mark', () =>
      delegated.every(
        one => !readFileSync(`/proc/${one.pid}/environ`, 'utf8').includes(attempt.task),
      ),
    )
    await eventually('nothing of it lives', async () => (await host.stop(attempt, forceful)).ended)
    expect(delegated.map(isAlive)).toEqual([true, true])
    // The shell ends by itself once its tool has.
    for (const one of delegated) killIfThere(one.pid)
  })

  test('another attempt of another task', async () => {
    const [one, other] = [
      await attempts.launch(['/bin/sleep', '1000']),
      await attempts.launch(['/bin/sleep', '1000']),
    ]
    await host.stop(one, forceful)
    expect(host.lookAtRun(other.runDirectory).agent).toBe('alive')
    await host.stop(other, forceful)
  })

  test('this process, though it stands in the worktree', async () => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    const here = { ...attempt, worktree: process.cwd() }
    expect(host.findProcesses(here).map(p => p.pid)).not.toContain(process.pid)
    expect(host.findProcesses(here).map(p => p.pid)).not.toContain(process.ppid)
    await host.stop(attempt, forceful)
  })

  test('who stood in the worktree before the attempt began', async () => {
    const attempt = attempts.plan(['/bin/sleep', '1000'])
    const early = spawn('/bin/sleep', ['1000'], { cwd: attempt.worktree, stdio: 'ignore' })
    const stat = processes.find(early.pid ?? 0)
    // Start times are counted in hundredths of a second.
    await eventually('time has passed', () => {
      const [uptime] = readFileSync('/proc/uptime', 'utf8').split(' ')
      return Number(uptime) * 100 > (stat?.startTime ?? 0) + 2
    })
    await host.launch(attempt)
    await host.stop(attempt, forceful)
    expect(early.exitCode ?? early.signalCode).toBeNull()
    early.kill('SIGKILL')
    await once(early, 'exit')
  })

  const script = ['/usr/bin/script', '/bin/script'].find(existsSync)
  // `script` gives a shell a terminal; where it is missing there is no other way to make one.
  test.skipIf(script === undefined)('the user’s own shell, looking in', async () => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    const user = spawn(script ?? '', ['-qec', 'echo $$; cd "$T"; exec sleep 1000', '/dev/null'], {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', SHELL: '/bin/sh', T: attempt.worktree },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const [line] = (await once(user.stdout, 'data')) as [Buffer]
    const shell = attempts.answerFor(Number(line.toString().trim()))
    await eventually('it stands in the worktree', () => standsIn(shell.pid, attempt.worktree))
    expect(processes.find(shell.pid)?.terminal).toBe(true)
    // Without a terminal, standing there is enough.
    const daemon = spawn('/bin/sleep', ['1000'], {
      cwd: attempt.worktree,
      stdio: 'ignore',
      detached: true,
    })
    expect(await host.stop(attempt, forceful)).toMatchObject({ ended: true })
    expect(isAlive(shell)).toBe(true)
    await eventually('the daemon is ended', () => daemon.signalCode === 'SIGKILL')
    process.kill(shell.pid, 'SIGKILL')
    await once(user, 'exit')
  })
})

function standsIn(pid: number, directory: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/cwd/..`).includes(directory.split('/').at(-1) ?? '')
  } catch {
    return false // it is just starting
  }
}
