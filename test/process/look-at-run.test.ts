import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { RunFacts } from '../../src/domain/recovery.ts'
import { recoveryVerdict } from '../../src/domain/recovery.ts'
import { makeProcessHost } from '../../src/process/host.ts'
import { eventually } from '../eventually.ts'
import { processes, type TestAttempt, useAttempts } from './attempts.ts'

const attempts = useAttempts()
const { host } = attempts

const look = (attempt: TestAttempt) => host.lookAtRun(attempt.runDirectory)
/** As somebody sees it who has never looked before. */
const lookAfresh = (attempt: TestAttempt) =>
  makeProcessHost(processes).lookAtRun(attempt.runDirectory)

/** Waits until all lookers agree that something holds. */
const seen = (attempt: TestAttempt, what: string, holds: (facts: RunFacts) => boolean) =>
  eventually(what, () => {
    const facts = look(attempt)
    return holds(facts) && holds(lookAfresh(attempt)) && facts
  })

const kill = (attempt: TestAttempt, who: 'pid' | 'wrapper') =>
  process.kill(attempts.identity(attempt, who).pid, 'SIGKILL')

/** Changes one field of `launch.json`, as if the attempt had been launched somewhere else. */
function rewriteLaunch(attempt: TestAttempt, change: object) {
  const path = join(attempt.runDirectory, 'launch.json')
  const record = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...record, ...change }))
}

const end = (attempt: TestAttempt) => host.stop(attempt, { graceful: null, graceMs: 0 })

describe('an attempt under way', () => {
  test('has not been launched while there is no run directory', () => {
    expect(look(attempts.plan(['/bin/true']))).toEqual({
      launchedAt: null,
      agent: null,
      wrapper: null,
      exit: null,
    })
  })

  test('is alive from the launch on', async () => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    expect(look(attempt)).toMatchObject({ agent: 'alive', exit: null })
    expect(look(attempt).launchedAt).toBeGreaterThan(Date.now() - 60_000)
    await end(attempt)
  })

  test('lives on when its wrapper is killed; how it ends then is not known', async () => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    kill(attempt, 'wrapper')
    await eventually('the wrapper is gone', () =>
      host.findProcesses(attempt).every(p => p.pid !== attempts.identity(attempt, 'wrapper').pid),
    )
    expect(recoveryVerdict(look(attempt), Date.now())).toBe('adopt')
    kill(attempt, 'pid')
    const facts = await seen(attempt, 'both are dead', ({ agent }) => agent === 'dead')
    expect(facts).toMatchObject({ agent: 'dead', wrapper: 'dead', exit: null })
    expect(recoveryVerdict(facts, Date.now())).toBe('reap')
  })

  test('is seen ended by the signal when the agent is killed', async () => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    kill(attempt, 'pid')
    const facts = await seen(attempt, 'the exit is there', ({ exit }) => exit !== null)
    expect(facts.exit).toEqual({ kind: 'signalled', signal: 9 })
  })

  test('is never taken for dead between its end and the word of its wrapper', async () => {
    const all = await Promise.all(
      Array.from({ length: 10 }, () => attempts.launch(['/bin/sleep', '0.1'])),
    )
    for (const attempt of all) {
      const facts = await eventually('it is over', () => {
        const seen = look(attempt)
        return recoveryVerdict(seen, Date.now()) !== 'adopt' && seen
      })
      expect(facts.exit).toEqual({ kind: 'exited', code: 0 })
    }
  })

  test('is dead, and its end unknown, when agent and wrapper are killed at once', async () => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    process.kill(-attempts.identity(attempt, 'wrapper').pid, 'SIGKILL')
    const facts = await seen(attempt, 'both are dead', ({ agent, wrapper }) => {
      return agent === 'dead' && wrapper === 'dead'
    })
    expect(facts.exit).toBeNull()
  })
})

describe('how an agent ended', () => {
  test.each([
    ['an exit code', 'exit 3', { kind: 'exited', code: 3 }],
    ['the largest exit code', 'exit 255', { kind: 'exited', code: 255 }],
    ['a signal', 'kill -s SEGV $$', { kind: 'signalled', signal: 11 }],
  ])('%s', async (_, script, exit) => {
    const attempt = await attempts.launch(['/bin/sh', '-c', script])
    expect(await attempts.exit(attempt)).toEqual(exit)
    expect(lookAfresh(attempt)).toMatchObject({ agent: 'dead', exit })
  })

  test('half a line and bytes that are no UTF-8 are passed on as what they are', async () => {
    const half = await attempts.launch(['half-a-line.sh'])
    await attempts.exit(half)
    expect(host.readLines(half.runDirectory, 0, false)).toEqual({
      lines: ['one'],
      offset: 4,
      atEnd: true,
    })
    expect(host.readLines(half.runDirectory, 4, true)).toEqual({
      lines: ['tw'],
      offset: 6,
      atEnd: true,
    })
    const garbage = await attempts.launch(['garbage.sh'])
    await attempts.exit(garbage)
    expect(host.readLines(garbage.runDirectory, 0, true).lines).toEqual([
      'ab\ufffd\ufffdc',
      'whole ä',
    ])
    expect(host.readStderrTail(garbage.runDirectory, 5)).toBe('ger\ufffd\n')
  })

  test.each(['', '{', '{"status":', '{"status":"0"}', '{"status":256}', 'null', '{"failure":"x"}'])(
    'a torn or foreign exit.json is unknown, once nobody can complete it (%j)',
    async text => {
      const attempt = await attempts.launch(['/bin/sleep', '1000'])
      writeFileSync(join(attempt.runDirectory, 'exit.json'), text)
      expect(look(attempt).exit).toBeNull()
      await end(attempt)
      expect(look(attempt).exit).toEqual({ kind: 'unknown' })
      expect(lookAfresh(attempt).exit).toEqual({ kind: 'unknown' })
    },
  )
})

describe('processes of another time or place', () => {
  test.each([
    ['boot', { boot: 'another' }, 'dead', 'reap'],
    ['machine', { machine: 'another' }, 'unknown', 'wait'],
    ['PID namespace', { pidNamespace: 'pid:[1]' }, 'unknown', 'wait'],
  ] as const)('another %s', async (_, change, liveness, verdict) => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    const path = join(attempt.runDirectory, 'launch.json')
    const original = readFileSync(path)
    rewriteLaunch(attempt, change)
    const facts = lookAfresh(attempt)
    expect(facts).toMatchObject({ agent: liveness, wrapper: liveness, exit: null })
    expect(recoveryVerdict(facts, Date.now())).toBe(verdict)
    // Nobody is signalled there: the numbers are somebody else's.
    expect(host.findProcesses(attempt)).toEqual([])
    expect(await end(attempt)).toEqual({ ended: liveness === 'dead', processes: [] })
    writeFileSync(path, original)
    expect(lookAfresh(attempt).agent).toBe('alive')
    await end(attempt)
  })

  test('a pid that was given out anew is not the agent', async () => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    await end(attempt)
    // This very process stands for the stranger who got the number.
    for (const who of ['pid', 'wrapper']) {
      writeFileSync(join(attempt.runDirectory, who), `${process.pid} 1\n`)
    }
    expect(lookAfresh(attempt)).toMatchObject({ agent: 'dead', wrapper: 'dead' })
    expect(host.findProcesses(attempt)).toEqual([])
  })

  test('a record that we do not understand says nothing, not even "dead"', async () => {
    const attempt = await attempts.launch(['/bin/sleep', '1000'])
    rewriteLaunch(attempt, { version: 2 })
    const facts = lookAfresh(attempt)
    expect(facts).toMatchObject({ agent: 'unknown', wrapper: 'unknown', exit: null })
    expect(recoveryVerdict(facts, Date.now())).toBe('wait')
    // It can still be ended: the mark has the number of the task and of the attempt.
    expect(await end(attempt)).toMatchObject({ ended: true })
  })
})

describe('a launch that was cut short', () => {
  test('before launch.json was written', async () => {
    const attempt = await attempts.launch(['/bin/true'])
    await attempts.exit(attempt)
    rmSync(join(attempt.runDirectory, 'launch.json'))
    rmSync(join(attempt.runDirectory, 'exit.json'))
    expect(recoveryVerdict(lookAfresh(attempt), Date.now())).toBe('relaunch')
  })

  test.each(['', '12', '12 34'])(
    'before the agent had completely written itself down (%j)',
    async text => {
      const attempt = await attempts.launch(['/bin/true'])
      await seen(attempt, 'the wrapper is gone', ({ wrapper }) => wrapper === 'dead')
      rmSync(join(attempt.runDirectory, 'exit.json'))
      writeFileSync(join(attempt.runDirectory, 'pid'), text)
      expect(lookAfresh(attempt)).toMatchObject({ agent: null, wrapper: 'dead' })
      expect(recoveryVerdict(lookAfresh(attempt), Date.now())).toBe('relaunch')
      rewriteLaunch(attempt, { boot: 'another' })
      expect(lookAfresh(attempt)).toMatchObject({ agent: null, wrapper: 'dead' })
    },
  )
})
