/**
 * The contract of `src/ports/process-table.ts`, for each system. Linux is the real thing; macOS asks
 * the stand-ins of its programs (`test/fixtures/macos/`), which answer for real processes here.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ProcessTable } from '../../src/ports/process-table.ts'
import { makeProcessHost } from '../../src/process/host.ts'
import { readStat } from '../../src/process/linux/stat.ts'
import { makeLinuxTable } from '../../src/process/linux/table.ts'
import { makeMacosTable } from '../../src/process/macos/table.ts'
import { eventually } from '../eventually.ts'
import { fixture, useAttempts } from '../process/attempts.ts'
import { scratchDirectory } from '../scratch.ts'

const VARIABLE = 'HOLDFAST_TEST_MARK'

/** `seesAllMarks`: not those of the system's own programs. */
const systems = [
  { name: 'linux', make: makeLinuxTable, seesAllMarks: true, tick: 0.01 },
  {
    name: 'macos',
    make: () => makeMacosTable(fixture('macos/stand-ins')),
    seesAllMarks: false,
    tick: 1,
  },
] as const

/** A program that waits, and whose environment every system shows. */
function startWaiting(
  options: { mark?: string; cwd?: string; detached?: boolean; more?: Record<string, string> } = {},
): ChildProcess & { readonly pid: number } {
  const { mark, cwd = '/', detached = false, more = {} } = options
  const child = spawn(process.execPath, ['-e', 'console.log("up");setInterval(()=>{},1e6)'], {
    cwd,
    detached,
    env: { ...more, ...(mark === undefined ? {} : { [VARIABLE]: mark }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(async () => {
    if (child.kill('SIGKILL')) await once(child, 'exit')
  })
  const { pid } = child
  if (pid === undefined) throw new Error('it did not start')
  return Object.assign(child, { pid })
}

/** In the middle of its `exec`, which `spawn` does not wait for, it shows neither words nor variables. */
const untilStarted = (pid: number) =>
  eventually('it shows its environment', () => readFileSync(`/proc/${pid}/environ`, 'utf8') !== '')

/** As seen by somebody to whom no mark is shown. */
const unmarked = (processes: ProcessTable): ProcessTable => ({
  ...processes,
  scan: (_, since) => processes.scan('HOLDFAST_NO_SUCH_VARIABLE', since, () => undefined),
  makeChase: () => ({ look: () => undefined, quietLooks: 1 }),
})

const up = async (child: ChildProcess) => {
  if (child.stdout !== null) await once(child.stdout, 'data')
}

function bearersOf(processes: ProcessTable): Map<number, string> {
  const found = new Map<number, string>()
  processes.forBearers(VARIABLE, ({ pid }, mark) => found.set(pid, mark))
  return found
}

describe.each(systems)('the process table of $name', ({ make, seesAllMarks, tick }) => {
  const processes = make()
  const identityOf = (pid: number) => {
    const entry = processes.find(pid)
    if (entry === undefined) throw new Error(`process ${pid} is not found`)
    return { pid, startTime: entry.startTime }
  }

  test('says where it is, and says the same from another process’s view', () => {
    expect(processes.place()).toEqual(make().place())
    expect(processes.place().boot).not.toBe('')
    expect(Object.keys(processes.place()).sort()).toEqual(['boot', 'machine', 'pidNamespace'])
  })

  test('knows this process, which lives', () => {
    const self = processes.self()
    expect(self).toEqual({ ...processes.place(), ...identityOf(process.pid) })
    expect(processes.liveness(self)).toBe('alive')
  })

  test.each([
    ['another start time', { startTime: 1 }],
    ['a later start time', { startTime: 4e9 }],
    ['a number that is nobody’s', { pid: 3_999_999 }],
    ['no number', { pid: Number.NaN }],
    ['number 0', { pid: 0 }],
  ])('a process of %s is dead', (_, change) => {
    expect(processes.liveness({ ...processes.self(), ...change })).toBe('dead')
  })

  test('a process lives until it has ended, and also while it is stopped', async () => {
    const child = startWaiting()
    const identity = identityOf(child.pid)
    const watched = processes.watch(identity)
    onTestFinished(watched.close)
    const other = processes.watch({ ...identity, startTime: identity.startTime - 1 })
    const lives = () => [processes.liveness(identity), watched.liveness()]
    expect(lives()).toEqual(['alive', 'alive'])
    expect(lives()).toEqual(['alive', 'alive'])
    expect([other.liveness(), other.liveness()]).toEqual(['dead', 'dead'])
    expect(processes.isSuspended(identity)).toBe(false)
    child.kill('SIGSTOP')
    await eventually('it is stopped', () => readStat(child.pid)?.state === 'T')
    expect(lives()).toEqual(['alive', 'alive'])
    expect(processes.isSuspended(identity)).toBe(true)
    expect(processes.isSuspended({ ...identity, startTime: identity.startTime - 1 })).toBe(false)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(lives()).toEqual(['dead', 'dead'])
    expect(processes.find(child.pid)).toBeUndefined()
  })

  test('one that nobody has collected is dead, soon at the latest', async () => {
    // `exec` makes the shell a program that never heard of its child; the child ends after that.
    const gate = join(scratchDirectory(), 'gate')
    const child = `until [ -e '${gate}' ]; do sleep 0.02; done`
    const parent = spawn('/bin/sh', ['-c', `(${child}) & echo $!; exec sleep 1000`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    onTestFinished(async () => {
      parent.kill('SIGKILL')
      await once(parent, 'exit')
    })
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const identity = identityOf(Number(line.toString()))
    await eventually(
      'its parent has forgotten it',
      () => readStat(parent.pid ?? 0)?.name === 'sleep',
    )
    const watched = processes.watch(identity)
    onTestFinished(watched.close)
    expect(watched.liveness()).toBe('alive')
    writeFileSync(gate, '')
    await eventually('it is dead', () => processes.liveness(identity) === 'dead')
    expect(watched.liveness()).toBe('dead')
    expect(readStat(identity.pid)?.state).toBe('Z')
    expect(processes.find(identity.pid)).toBeUndefined()
    expect(processes.scan(VARIABLE, 0, () => undefined).map(({ pid }) => pid)).not.toContain(
      identity.pid,
    )
  })

  test('says who a process is: its name, parent, group, session and terminal', async () => {
    const child = startWaiting({ detached: true })
    await up(child)
    expect(processes.find(child.pid)).toMatchObject({
      pid: child.pid,
      name: expect.stringMatching(/^(?:node|MainThread)/),
      parent: process.pid,
      group: child.pid,
      session: child.pid,
      terminal: false,
    })
    const [own, beside] = [processes.find(process.pid), startWaiting()]
    expect(processes.find(beside.pid)?.session).toBe(own?.session)
  })

  describe('a scan', () => {
    test('sees marks and directories', async () => {
      const top = realpathSync(scratchDirectory())
      const cwd = join(top, 'jo sé \\ (x)')
      mkdirSync(cwd)
      const more = { BEFORE: `a = b ${VARIABLE}=no`, [`NOT_${VARIABLE}`]: 'no', 'with.dot': '=' }
      const marked = startWaiting({ mark: 'task.1.a-b_c', cwd, more })
      const plain = startWaiting({ cwd, more: { OTHER: '1' } })
      await Promise.all([up(marked), up(plain)])
      const shown: (string | number)[] = []
      const seen = processes.scan(VARIABLE, 0, ({ pid }, mark) => {
        if (pid === marked.pid || pid === plain.pid) shown.push(pid, mark)
      })
      expect(shown).toEqual([marked.pid, 'task.1.a-b_c'])
      expect(seen.find(({ pid }) => pid === marked.pid)).toMatchObject({
        ...identityOf(marked.pid),
        parent: process.pid,
        group: processes.find(process.pid)?.group,
        mark: 'task.1.a-b_c',
        directory: cwd,
      })
      const other = seen.find(({ pid }) => pid === plain.pid)
      expect(other).toMatchObject({ mark: null, directory: cwd })
    })

    test('leaves out pid 1, this process and all that it descends from', () => {
      const seen = new Set(processes.scan(VARIABLE, 0, () => undefined).map(({ pid }) => pid))
      for (let pid = process.pid; pid > 0; pid = readStat(pid)?.parent ?? 0) {
        expect(seen).not.toContain(pid)
      }
      expect(seen).not.toContain(1)
    })

    test('leaves out who started earlier', async () => {
      const early = startWaiting({ mark: 'early' })
      await up(early)
      const { startTime } = identityOf(early.pid)
      const late = await eventually('a process starts later', async () => {
        const child = startWaiting({ mark: 'late' })
        await up(child)
        return identityOf(child.pid).startTime > startTime && child
      })
      const since = identityOf(late.pid).startTime
      const bearers: string[] = []
      const seen = processes.scan(VARIABLE, since, (_, mark) => bearers.push(mark))
      expect(seen.map(({ pid }) => pid)).toContain(late.pid)
      expect(seen.map(({ pid }) => pid)).not.toContain(early.pid)
      expect(bearers).toContain('late')
      expect(bearers).not.toContain('early')
    })
  })

  test('a chase meets each newcomer with a mark, and nobody twice', async () => {
    const before = startWaiting({ mark: 'before' })
    await up(before)
    const chase = processes.makeChase(VARIABLE, 0)
    expect(chase.quietLooks).toBeGreaterThan(1)
    const met: number[] = []
    const look = () => chase.look(({ pid }) => void met.push(pid))
    look()
    expect(met).toContain(before.pid)
    const after = startWaiting({ mark: 'after' })
    await up(after)
    startWaiting()
    for (let i = 0; i < 3; i++) look()
    expect(met.filter(pid => pid === before.pid || pid === after.pid)).toEqual([
      before.pid,
      after.pid,
    ])
  })

  test('bearers of a variable are found, but for this process', async () => {
    const mark = `1,2,macos,${encodeURIComponent('/a b/ü')}`
    const child = startWaiting({ mark })
    const other = startWaiting()
    await Promise.all([up(child), up(other)])
    const bearers = bearersOf(processes)
    expect(bearers.get(child.pid)).toBe(mark)
    expect(bearers.has(other.pid)).toBe(false)
    expect(bearers.has(process.pid)).toBe(false)
  })

  test('the environment of the system’s own programs is seen, or not, as the platform page says', async () => {
    const child = spawn('/bin/sleep', ['1000'], { env: { [VARIABLE]: 'x' }, stdio: 'ignore' })
    onTestFinished(() => void child.kill('SIGKILL'))
    const pid = child.pid ?? 0
    await untilStarted(pid)
    expect(bearersOf(processes).has(pid)).toBe(seesAllMarks)
  })

  test('commands are told on one line, cut, and in brackets where there is none', async () => {
    const words = ['-e', 'setInterval(()=>{},1e6)', 'two  words', 'a\nb', 'x'.repeat(300)]
    const child = spawn(process.execPath, words, { stdio: 'ignore', env: { SECRET: 'hidden' } })
    onTestFinished(() => void child.kill('SIGKILL'))
    const pid = child.pid ?? 0
    await untilStarted(pid)
    const entry = processes.find(pid)
    if (entry === undefined) throw new Error('it did not start')
    const gone = { ...entry, pid: 3_999_999, name: 'gone' }
    const commands = processes.commandsOf([entry, gone])
    expect(commands.get(gone.pid)).toBe('[gone]')
    expect(commands.get(pid)).toMatch(
      /^\S+node -e setInterval\(\(\)=>\{\},1e6\) two words a( |\^J)b x+…$/,
    )
    expect(commands.get(pid)).toHaveLength(201)
    expect(commands.get(pid)).not.toContain('hidden')
  })

  test.each(['/bin/dash', '/bin/bash', '/bin/busybox'])(
    'a shell writes down who it is, as the table sees it (%s)',
    async shell => {
      if (spawnSync(shell, ['-c', ':']).status !== 0) return
      const script = `${processes.shellIdentify}
f() { identify; echo "$# $1"; }
f "two words"
echo "$# $1"
env | grep -c HOLDFAST_
exec sleep 1000`
      const argv = shell.endsWith('busybox') ? ['sh'] : []
      const child = spawn(shell, [...argv, '-c', script, 'name', 'one'], {
        env: { PATH: '/usr/bin:/bin', IFS: 'x', LC_ALL: 'C.UTF-8', TZ: 'Asia/Tokyo' },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      onTestFinished(async () => {
        child.kill('SIGKILL')
        await once(child, 'exit')
      })
      let said = ''
      child.stdout.on('data', chunk => {
        said += chunk
      })
      await eventually('it has said all', () => said.split('\n').length > 4)
      const [identity, ...rest] = said.trim().split('\n')
      const { pid, startTime } = identityOf(child.pid ?? 0)
      expect(identity).toBe(`${pid} ${startTime}`)
      expect(rest).toEqual(['1 two words', '1 one', '0'])
    },
  )

  test('what starts a session lets go of the program, which leads it', async () => {
    const [command, ...args] = processes.ownSession('/usr/bin:/bin')
    const starter = spawn(command, [...args, '/bin/sh', '-c', 'echo $$; exec sleep 1000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    const said = once(starter.stdout, 'data') as Promise<[Buffer]>
    expect(await once(starter, 'exit')).toEqual([0, null])
    const pid = Number((await said)[0].toString())
    onTestFinished(() => void process.kill(pid, 'SIGKILL'))
    expect(pid).not.toBe(starter.pid)
    expect(processes.find(pid)).toMatchObject({ session: pid, group: pid, terminal: false })
    expect(processes.find(pid)?.parent).not.toBe(starter.pid)
    expect(() => processes.ownSession(scratchDirectory())).toThrow(
      expect.objectContaining({ code: 'launch_failed' }),
    )
  })

  describe('under the process host', () => {
    const attempts = useAttempts(processes)
    const { host } = attempts
    const forceful = { graceful: null, graceMs: 0 }

    test('an attempt lives, ends, and says how', async () => {
      const attempt = await attempts.launch(['/bin/sh', '-c', 'read x; exit 7'], {
        stdin: Buffer.from('x\n'),
      })
      expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 7 })
      expect(host.lookAtRun(attempt.runDirectory).agent).toBe('dead')
    })

    test('an attempt is ended with the tools of it that slipped away', async () => {
      const attempt = await attempts.launch(['escape.sh', 'hide'])
      const [tool] = await attempts.escaped(attempt, 1)
      expect(host.lookAtRun(attempt.runDirectory).agent).toBe('alive')
      await eventually('the tool has hidden', () =>
        host
          .findProcesses(attempt)
          .some(({ pid, because }) => pid === tool?.pid && because === 'descent'),
      )
      const report = await host.stop(attempt, forceful)
      expect(report.ended).toBe(true)
      expect(report.processes.map(({ pid }) => pid)).toContain(tool?.pid)
      expect(host.lookAtRun(attempt.runDirectory).agent).toBe('dead')
    })

    test('who stands in the worktree is found there', async () => {
      const attempt = attempts.plan(['/bin/true'])
      const argv = [fixture('escape.sh'), 'stand', attempt.worktree] as const
      await host.launch({ ...attempt, argv: [...argv] })
      const [tool] = await attempts.escaped(attempt, 1)
      await eventually('the tool stands there alone', () =>
        host.findProcesses(attempt).some(({ pid, because }) => {
          return pid === tool?.pid && because === 'directory'
        }),
      )
      await eventually(
        'nothing of it lives',
        async () => (await host.stop(attempt, forceful)).ended,
      )
    })

    test('an agent whose launch was given up never starts, however late its wrapper comes', async () => {
      const attempt = attempts.plan(['/bin/sh', '-c', 'touch started'])
      const slow = scratchDirectory()
      // What starts the session is held up, and is not the attempt's by any sign but the mark.
      const [starter] = processes.ownSession('/usr/bin:/bin')
      writeFileSync(
        join(slow, basename(starter)),
        `#!/bin/sh\n(while [ ! -e '${slow}/go' ]; do sleep 0.05; done; exec env -u HOLDFAST_ATTEMPT ${starter} "$@") &\n`,
        { mode: 0o755 },
      )
      const late = makeProcessHost(unmarked(processes), {
        toolPath: `${slow}:/usr/bin:/bin`,
        launchLimitMs: 200,
      })
      await expect(late.launch(attempt)).rejects.toMatchObject({ code: 'launch_failed' })
      writeFileSync(join(slow, 'go'), '')
      await eventually('the wrapper has given up', () =>
        existsSync(join(attempt.runDirectory, 'exit.json')),
      )
      expect(readFileSync(join(attempt.runDirectory, 'exit.json'), 'utf8')).toBe(
        '{"failure":"start"}\n',
      )
      expect(readFileSync(join(attempt.runDirectory, 'pid'), 'utf8')).toBe('')
      expect(existsSync(join(attempt.worktree, 'started'))).toBe(false)
    })

    test('an attempt of another boot is dead, and one of another machine unknown', () => {
      const self = processes.self()
      expect(host.liveness({ ...self, boot: 'x' })).toBe('dead')
      expect(host.liveness({ ...self, machine: 'x' })).toBe('unknown')
      expect(host.liveness({ ...self, startTime: self.startTime - 1 / tick })).toBe('dead')
    })
  })
})
