/** Agents that are talked to while they work: real wrappers, pumps and agents, killed in all ways. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { LocalIdentity } from '../../src/ports/process-table.ts'
import { makeProcessHost } from '../../src/process/host.ts'
import { eventually } from '../eventually.ts'
import { killIfThere } from '../kill-if-there.ts'
import { isAlive, processes, type TestAttempt, useAttempts } from './attempts.ts'

const attempts = useAttempts()
const { host } = attempts

const BRIEF = JSON.stringify({ prompt: 'Fix “it”\n🚀' })

const talkTo = (argv: readonly [string, ...string[]], changes = {}) =>
  attempts.launch(argv, { brief: BRIEF, ...changes })

const stdoutOf = ({ runDirectory }: TestAttempt) =>
  readFileSync(join(runDirectory, 'stdout'), 'utf8')

const whenPrinted = (attempt: TestAttempt, text: string) =>
  eventually(`the agent prints ${text.slice(0, 40)}`, () => stdoutOf(attempt).endsWith(text))

/** The process that hands over what is said. */
const pumpOf = (attempt: TestAttempt): Promise<LocalIdentity> =>
  eventually('the pump is there', () => {
    const [pump] = host
      .findProcesses(attempt)
      .filter(({ command }) => command.includes('tail') && command.includes('-f'))
    return pump && attempts.answerFor(pump.pid)
  })

const stop = (attempt: TestAttempt, graceful: 'SIGINT' | 'SIGTERM' | null = null) =>
  host.stop(attempt, { graceful, graceMs: 100_000 })

const whenAllGone = (attempt: TestAttempt) =>
  eventually('no process of it is left', () => host.findProcesses(attempt).length === 0)

describe('what is said', () => {
  test('arrives, line by line, while the agent works, and is part of the record', async () => {
    const attempt = await talkTo(['/bin/cat'])
    for (const line of ['one', 'zwei “€” 🚀', '{"three":"\\n"}']) {
      host.say(attempt.runDirectory, [line])
      await whenPrinted(attempt, `${line}\n`)
    }
    host.say(attempt.runDirectory, ['a', '', 'b'])
    await whenPrinted(attempt, 'a\n\nb\n')
    expect(host.readSaid(attempt.runDirectory)).toEqual([
      'one',
      'zwei “€” 🚀',
      '{"three":"\\n"}',
      'a',
      '',
      'b',
    ])
    expect((await stop(attempt)).ended).toBe(true)
  })

  test('arrives within a small part of a second', async () => {
    const attempt = await talkTo(['/bin/cat'])
    host.say(attempt.runDirectory, ['first'])
    await whenPrinted(attempt, 'first\n')
    const times: number[] = []
    for (let i = 0; i < 20; i++) {
      const began = performance.now()
      host.say(attempt.runDirectory, [`line ${i}`])
      await whenPrinted(attempt, `line ${i}\n`)
      times.push(performance.now() - began)
    }
    // One of them, so that a machine that is busy does not fail it. Whoever looks once a second is
    // never so quick: each line is said right after a look.
    expect(Math.min(...times)).toBeLessThan(250)
    await stop(attempt)
  })

  test('may have been said before the agent reads, or with its first bytes', async () => {
    const attempt = await talkTo(['/bin/cat'], { stdin: Buffer.from('before\n') })
    host.say(attempt.runDirectory, ['after'])
    await whenPrinted(attempt, 'before\nafter\n')
    await stop(attempt)
  })

  test('arrives whole, however long it is', async () => {
    const attempt = await talkTo(['/bin/cat'])
    const sizes = [64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 1024 * 1024, 5 * 1024 * 1024]
    const lines = sizes.map((size, i) => `${i}${'x'.repeat(size - 2)}${i}`)
    host.say(attempt.runDirectory, lines.slice(0, 3))
    host.say(attempt.runDirectory, lines.slice(3))
    const all = `${lines.join('\n')}\n`
    await eventually('all of it arrives', () => stdoutOf(attempt).length >= all.length)
    expect(stdoutOf(attempt) === all).toBe(true)
    await stop(attempt)
  })

  test('waits for an agent that does not read, and holds up nobody', async () => {
    const attempt = await talkTo(['/bin/sleep', '1000'])
    const began = performance.now()
    for (let i = 0; i < 10; i++) host.say(attempt.runDirectory, ['y'.repeat(1024 * 1024)])
    expect(performance.now() - began).toBeLessThan(100_000)
    expect(statSync(join(attempt.runDirectory, 'stdin')).size).toBe(10 * (1024 * 1024 + 1))
    expect((await stop(attempt)).ended).toBe(true)
  })

  test('is refused with an end in its middle, as a bug', async () => {
    const attempt = await talkTo(['/bin/cat'])
    expect(() => host.say(attempt.runDirectory, ['a\nb'])).toThrow('an end in its middle')
    expect(host.readSaid(attempt.runDirectory)).toEqual([])
    await stop(attempt)
  })

  test.each(['torn in the mid', 'complete but for its end'])(
    'goes on behind a line that was %s, which counts as it stands',
    async torn => {
      const attempt = await talkTo(['/bin/cat'])
      host.say(attempt.runDirectory, ['whole'])
      appendFileSync(join(attempt.runDirectory, 'stdin'), torn)
      expect(host.readSaid(attempt.runDirectory)).toEqual(['whole', torn])
      host.say(attempt.runDirectory, ['next'])
      appendFileSync(join(attempt.runDirectory, 'stdin'), torn)
      host.say(attempt.runDirectory, ['last'])
      await whenPrinted(attempt, `whole\n${torn}\nnext\n${torn}\nlast\n`)
      expect(host.readSaid(attempt.runDirectory)).toEqual(['whole', torn, 'next', torn, 'last'])
      await stop(attempt)
    },
  )
})

describe('what the agent gets', () => {
  test('its stdin, and no other descriptor, name or signal of the dialogue', async () => {
    const script = `grep -E '^Sig(Ign|Blk)' /proc/self/status; cd "$0"; ls -1 /proc/self/fd; cat`
    const plain = await attempts.launch(['/bin/sh', '-c', script, '/'])
    await attempts.exit(plain)
    const attempt = await talkTo(['/bin/sh', '-c', script, '/'])
    host.say(attempt.runDirectory, ['hello'])
    await whenPrinted(attempt, 'hello\n')
    expect(stdoutOf(attempt)).toBe(`${stdoutOf(plain)}hello\n`)
    expect(stdoutOf(plain).match(/\t(\w+)/g)).toEqual(Array(2).fill(`\t${'0'.repeat(16)}`))
    await stop(attempt)
  })

  test('SIGINT, as it is by default', async () => {
    const attempt = await talkTo(['/bin/cat'])
    expect((await stop(attempt, 'SIGINT')).ended).toBe(true)
    expect(await attempts.exit(attempt)).toEqual({ kind: 'signalled', signal: 2 })
  })

  test('nothing of a signal that its whole group is sent, if it ignores it: the pump goes on', async () => {
    const attempt = await talkTo(['/bin/sh', '-c', "trap '' HUP INT QUIT TERM; echo deaf; cat"])
    await whenPrinted(attempt, 'deaf\n')
    await pumpOf(attempt)
    const { pid } = attempts.identity(attempt, 'wrapper')
    for (const name of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const) process.kill(-pid, name)
    host.say(attempt.runDirectory, ['still there'])
    await whenPrinted(attempt, 'still there\n')
    await stop(attempt)
  })

  test('its working directory and its arguments as any other', async () => {
    const attempt = await talkTo(['show-arguments.sh', "it's", 'two words', '$HOME'])
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 0 })
    expect(stdoutOf(attempt)).toBe("it's\0two words\0$HOME\0")
    await whenAllGone(attempt)
  })
})

describe('what is left', () => {
  test('the brief, private, and no pipe', async () => {
    const attempt = await talkTo(['/bin/true'])
    await attempts.exit(attempt)
    expect(host.readBrief(attempt.runDirectory)).toBe(BRIEF)
    expect(statSync(join(attempt.runDirectory, 'brief')).mode & 0o777).toBe(0o600)
    expect(readdirSync(attempt.runDirectory).sort()).toEqual([
      'brief',
      'exit.json',
      'launch.json',
      'pid',
      'stderr',
      'stdin',
      'stdout',
      'wrapper',
    ])
    await whenAllGone(attempt)
  })

  test('no brief of an attempt that is not talked to, and none of one that is gone', async () => {
    const attempt = await attempts.launch(['/bin/true'])
    await attempts.exit(attempt)
    expect(host.readBrief(attempt.runDirectory)).toBeNull()
    expect(host.readBrief('/nowhere/at/all')).toBeNull()
  })

  test.each([
    ['exit 7', { kind: 'exited', code: 7 }],
    ['exec <&-; exit 0', { kind: 'exited', code: 0 }],
    ['read -r line; kill -s SEGV $$', { kind: 'signalled', signal: 11 }],
  ])('the word how it ended, and no process: %s', async (script, exit) => {
    const attempt = await talkTo(['/bin/sh', '-c', script])
    host.say(attempt.runDirectory, ['go'])
    expect(await attempts.exit(attempt)).toEqual(exit)
    await whenAllGone(attempt)
  })

  test('the word that the agent could not be started', async () => {
    const attempt = await talkTo(['/nowhere/agent'])
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 127 })
    await whenAllGone(attempt)
  })

  test('its tools that hold its stdin do not keep it from having ended', async () => {
    const attempt = await talkTo([
      '/bin/sh',
      '-c',
      'exec 3<&0; sleep 1000 <&3 & echo "escaped $!"; exit 3',
    ])
    await attempts.escaped(attempt, 1)
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 3 })
    expect((await stop(attempt)).ended).toBe(true)
  })
})

describe('whoever is killed', () => {
  const start = async () => {
    const attempt = await talkTo(['/bin/sh', '-c', 'cat; echo end'])
    host.say(attempt.runDirectory, ['hello'])
    await whenPrinted(attempt, 'hello\n')
    return {
      attempt,
      pump: await pumpOf(attempt),
      agent: attempts.identity(attempt, 'pid'),
      wrapper: attempts.identity(attempt, 'wrapper'),
    }
  }
  const kill = (...victims: LocalIdentity[]) => {
    for (const { pid } of victims) killIfThere(pid)
  }

  test('the pump: the agent sees the end of its stdin', async () => {
    const { attempt, pump } = await start()
    kill(pump)
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 0 })
    expect(stdoutOf(attempt)).toBe('hello\nend\n')
    await whenAllGone(attempt)
  })

  test('the agent: the wrapper ends the pump, and says how it was', async () => {
    const { attempt, agent } = await start()
    kill(agent)
    expect(await attempts.exit(attempt)).toEqual({ kind: 'signalled', signal: 9 })
    // What it had started reads on no more: nobody is left to hand anything over.
    await whenAllGone(attempt)
  })

  test('the wrapper: agent and pump go on, and a stop ends both', async () => {
    const { attempt, wrapper, agent, pump } = await start()
    kill(wrapper)
    await eventually('the wrapper is dead', () => !isAlive(wrapper))
    host.say(attempt.runDirectory, ['are you there?'])
    await whenPrinted(attempt, 'are you there?\n')
    expect(host.lookAtRun(attempt.runDirectory)).toMatchObject({ agent: 'alive', exit: null })
    const report = await stop(attempt)
    expect(report.ended).toBe(true)
    const pids = report.processes.map(({ pid }) => pid)
    expect(pids).toEqual(expect.arrayContaining([agent.pid, pump.pid]))
  })

  test('wrapper and pump: the agent sees the end, and nothing is left', async () => {
    const { attempt, wrapper, pump } = await start()
    kill(wrapper, pump)
    await whenAllGone(attempt)
    expect(stdoutOf(attempt)).toBe('hello\nend\n')
    expect(host.lookAtRun(attempt.runDirectory)).toMatchObject({
      agent: 'dead',
      wrapper: 'dead',
      exit: null,
    })
  })

  test('pump and agent: the wrapper says how it was', async () => {
    const { attempt, agent, pump } = await start()
    kill(agent, pump)
    expect(await attempts.exit(attempt)).toEqual({ kind: 'signalled', signal: 9 })
    await whenAllGone(attempt)
  })

  test('wrapper and agent: the attempt is over at once, whatever the pump does', async () => {
    const attempt = await talkTo(['/bin/cat'])
    const pump = await pumpOf(attempt)
    kill(attempts.identity(attempt, 'wrapper'), attempts.identity(attempt, 'pid'))
    await eventually('the agent is seen as dead', () => {
      const { agent, wrapper } = host.lookAtRun(attempt.runDirectory)
      return agent === 'dead' && wrapper === 'dead'
    })
    expect((await stop(attempt, 'SIGINT')).ended).toBe(true)
    expect(isAlive(pump)).toBe(false)
  })

  test('all three: nothing is left', async () => {
    const { attempt, wrapper, agent, pump } = await start()
    kill(wrapper, agent, pump)
    expect((await stop(attempt)).ended).toBe(true)
  })
})

describe('around it', () => {
  test('a confinement that stays hands its stdin on', async () => {
    const enclosure = {
      argv: ['/bin/sh', '-c', '"$@"; exit $?', 'around'],
      generations: 1,
    } as const
    const attempt = await talkTo(['/bin/cat'], { enclosure })
    host.say(attempt.runDirectory, ['inside'])
    await whenPrinted(attempt, 'inside\n')
    expect((await stop(attempt, 'SIGINT')).ended).toBe(true)
  })

  test('a set-up reads nothing of what is for the agent', async () => {
    const mark = join(attempts.plan(['/bin/true']).worktree, 'mark')
    const setUp = {
      argv: ['/bin/sh', '-c', 'cat; echo done'] as const,
      workingDirectory: '/',
      environment: {},
      mark,
    }
    const attempt = await talkTo(['/bin/cat'], { setUp, stdin: Buffer.from('for the agent\n') })
    await whenPrinted(attempt, 'for the agent\n')
    expect(existsSync(mark)).toBe(true)
    await stop(attempt)
  })

  test('no launch without the tools that it takes: it fails, and leaves nothing', async () => {
    const plan = attempts.plan(['/bin/cat'], { brief: BRIEF })
    const tools = join(plan.worktree, 'tools')
    mkdirSync(tools)
    for (const name of ['setsid', 'sync', 'mv']) symlinkSync(`/usr/bin/${name}`, join(tools, name))
    const poor = makeProcessHost(processes, { toolPath: tools })
    await expect(poor.launch(plan)).rejects.toMatchObject({ code: 'launch_failed' })
    expect(host.findProcesses(plan)).toEqual([])
  })
})

describe('a watch on the output', () => {
  test('calls back when the agent writes, and no more once it is given back', async () => {
    const attempt = await talkTo(['/bin/cat'])
    let calls = 0
    const watch = host.watchOutput(attempt.runDirectory, () => {
      calls += 1
    })
    expect(watch.isOn()).toBe(true)
    host.say(attempt.runDirectory, ['one'])
    await eventually('it calls', () => calls > 0)
    expect(stdoutOf(attempt)).toBe('one\n')
    watch.stop()
    watch.stop()
    expect(watch.isOn()).toBe(false)
    const before = calls
    host.say(attempt.runDirectory, ['two'])
    await whenPrinted(attempt, 'two\n')
    expect(calls).toBe(before)
    await stop(attempt)
  })

  test('of a run directory that is gone, or goes, does nothing', async () => {
    const nowhere = host.watchOutput('/nowhere/at/all', () => expect.unreachable())
    expect(nowhere.isOn()).toBe(false)
    nowhere.stop()
    const attempt = await attempts.launch(['/bin/true'])
    await attempts.exit(attempt)
    const watch = host.watchOutput(attempt.runDirectory, () => undefined)
    rmSync(attempt.runDirectory, { recursive: true })
    watch.stop()
  })
})
