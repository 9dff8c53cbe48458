/** The wrapper's text in each shell that it may meet as `/bin/sh`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadExit, loadIdentity } from '../../src/process/run-directory.ts'
import { lookAtSetUp, SET_UP_FILES, setUpScript } from '../../src/process/set-up.ts'
import { wrapperArgv } from '../../src/process/wrapper.ts'
import { eventually } from '../eventually.ts'
import { killIfThere } from '../kill-if-there.ts'
import { fixture, isAlive, processes } from './attempts.ts'

const find = (name: string) =>
  `/bin:${process.env.PATH}`
    .split(':')
    .map(at => join(at, name))
    .find(existsSync)

/** Its pid, as the leader of its own group. A signal to -0 would be one to ourselves. */
function groupOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('the wrapper did not start')
  return child.pid
}

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-wrapper-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe.each(['dash', 'bash', 'busybox'])('in %s', name => {
  const program = find(name)
  // Each of them is a plain POSIX shell when it is called `sh`.
  const shellTest = program === undefined ? test.skip : test

  const start = (
    argv: string[],
    options: {
      cwd?: string
      env?: Record<string, string>
      files?: string[]
      enclosure?: readonly string[]
      umask?: number
      isTalkedTo?: boolean
    } = {},
  ) => {
    symlinkSync(program ?? '', join(root, 'sh'))
    for (const file of options.files ?? ['stdin', 'stdout', 'stderr', 'wrapper', 'pid']) {
      writeFileSync(join(root, file), '')
    }
    const [command, ...args] = wrapperArgv(
      {
        shell: join(root, 'sh'),
        toolPath: '/usr/bin:/bin',
        identify: processes.shellIdentify,
      },
      {
        runDirectory: root,
        workingDirectory: options.cwd ?? root,
        argv,
        enclosure: options.enclosure ?? null,
        umask: options.umask ?? null,
        groups: null,
        input: options.isTalkedTo === true ? 'talk' : 'read',
      },
    )
    const env = { PATH: '/nowhere', ...options.env }
    const child = spawn(command, args, { env, stdio: 'ignore', detached: true })
    return { child, ended: once(child, 'exit') }
  }
  const started = () =>
    eventually('the agent has written itself down', () => loadIdentity(root, 'pid'))

  shellTest('keeps the exit code', async () => {
    await start(['/bin/sh', '-c', 'exit 7']).ended
    expect(loadExit(root)).toEqual({ kind: 'ended', exit: { kind: 'exited', code: 7 } })
  })

  shellTest('keeps the signal', async () => {
    await start(['/bin/sh', '-c', 'kill -s SEGV $$']).ended
    expect(loadExit(root)).toEqual({ kind: 'ended', exit: { kind: 'signalled', signal: 11 } })
  })

  shellTest('writes both down by pid and start time, and the agent keeps its pid', async () => {
    const { child, ended } = start(['/bin/sh', '-c', 'echo $$; exec /bin/sleep 1000'])
    const agent = await started()
    await eventually('the agent speaks', () => readFileSync(join(root, 'stdout'), 'utf8') !== '')
    expect(readFileSync(join(root, 'stdout'), 'utf8')).toBe(`${agent.pid}\n`)
    expect(isAlive(agent)).toBe(true)
    const wrapper = loadIdentity(root, 'wrapper')
    expect(wrapper?.pid).toBe(child.pid)
    expect(wrapper && isAlive(wrapper)).toBe(true)
    process.kill(agent.pid, 'SIGKILL')
    await ended
    expect(loadExit(root)).toEqual({ kind: 'ended', exit: { kind: 'signalled', signal: 9 } })
  })

  shellTest(
    'outlives hang-up and polite signals, and still tells how the agent ended',
    async () => {
      const { child, ended } = start([fixture('deaf.sh')], { env: { PATH: '/usr/bin:/bin' } })
      const agent = await started()
      await eventually('the agent is deaf', () => readFileSync(join(root, 'stdout'), 'utf8') !== '')
      // To the whole group, as a terminal does.
      for (const name of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const) {
        process.kill(-groupOf(child), name)
      }
      expect(isAlive(agent)).toBe(true)
      process.kill(agent.pid, 'SIGKILL')
      await ended
      // Its tool is an orphan now, in the same group, and deaf as well; if it came to start one.
      killIfThere(-groupOf(child))
      expect(loadExit(root)).toEqual({ kind: 'ended', exit: { kind: 'signalled', signal: 9 } })
    },
  )

  shellTest(
    'the agent has the umask that was asked for, and its last word is private',
    async () => {
      for (const [umask, mode] of [
        [0o022, 0o644],
        [0o007, 0o660],
        [0, 0o666],
      ] as const) {
        rmSync(join(root, 'sh'), { force: true })
        rmSync(join(root, 'exit.json'), { force: true })
        const file = join(root, `made-${umask}`)
        const { ended } = start(['/bin/sh', '-c', ': >"$0"', file], { umask })
        await ended
        expect(statSync(file).mode & 0o777).toBe(mode)
        expect(statSync(join(root, 'exit.json')).mode & 0o777).toBe(0o600)
      }
    },
  )

  shellTest('where there is no room for its last word, it waits until there is', async () => {
    // A directory in its place fails the write as a full disk does.
    mkdirSync(join(root, 'exit.json.new'))
    const { child } = start(['/bin/sh', '-c', 'exit 7'])
    await started()
    await eventually('it tries again', () =>
      processes
        .scan('X', 0, () => undefined)
        .some(({ group, name }) => {
          return group === groupOf(child) && name === 'sleep'
        }),
    )
    rmSync(join(root, 'exit.json.new'), { recursive: true })
    await eventually('it has said it', () => loadExit(root).kind === 'ended')
    expect(loadExit(root)).toEqual({ kind: 'ended', exit: { kind: 'exited', code: 7 } })
  })

  shellTest('tells that it could not enter the working directory', async () => {
    await start(['/bin/true'], { cwd: join(root, 'gone') }).ended
    expect(loadExit(root)).toEqual({ kind: 'not_started', failure: 'cwd' })
    expect(loadIdentity(root, 'pid')).toBeUndefined()
  })

  shellTest('tells that the agent never started when its files are gone', async () => {
    await start(['/bin/true'], { files: ['stdout', 'stderr', 'wrapper', 'pid'] }).ended
    expect(loadExit(root)).toEqual({ kind: 'not_started', failure: 'start' })
  })

  shellTest("is not misled by shell options in the caller's environment", async () => {
    await start(['/bin/sh', '-c', 'exit 3'], { env: { SHELLOPTS: 'errexit:nounset', ENV: '/x' } })
      .ended
    expect(loadExit(root)).toEqual({ kind: 'ended', exit: { kind: 'exited', code: 3 } })
  })

  describe('with a set-up', () => {
    const mark = () => join(root, "the mark's place")
    const order = (...argv: [string, ...string[]]) => {
      for (const file of SET_UP_FILES) writeFileSync(join(root, file), '')
      const environment = { TOLD: "it's $HOME `x`" }
      const plan = { argv, workingDirectory: root, environment, mark: mark() }
      writeFileSync(join(root, 'set-up'), setUpScript(root, plan))
    }
    const env = { PATH: '/usr/bin:/bin', IFS: 'x', TOLD: 'of the agent', OLDPWD: '/' }
    const said = (name: string) => readFileSync(join(root, name), 'utf8')

    shellTest(
      'runs it first, in the same process, and with nothing left of it for the agent',
      async () => {
        order('/bin/sh', '-c', 'echo "$TOLD $PWD $#: $1"; cat; echo $PPID', 'sh', "an 'odd' $word")
        await start(['/bin/sh', '-c', 'echo "$TOLD"; echo $$; ls'], { env }).ended
        const [told, pid, ...files] = said('stdout').trim().split('\n')
        expect(said('set-up.log')).toBe(`it's $HOME \`x\` ${root} 1: an 'odd' $word\n${pid}\n`)
        expect(told).toBe('of the agent')
        expect(files).toContain("the mark's place")
        expect(loadIdentity(root, 'set-up.pid')).toEqual(loadIdentity(root, 'pid'))
        expect(statSync(mark()).mode & 0o777).toBe(0o600)
        expect(lookAtSetUp(root)).toMatchObject({ failure: null })
      },
    )

    shellTest('starts no agent where it fails, and says how it did', async () => {
      order('/bin/sh', '-c', 'echo half done; exit 7')
      await start(['/bin/echo', 'the agent'], { env }).ended
      expect(said('stdout')).toBe('')
      expect(loadExit(root)).toEqual({ kind: 'not_started', failure: 'start' })
      expect(lookAtSetUp(root)).toMatchObject({ failure: 7, words: 'half done' })
      expect(existsSync(mark())).toBe(false)
    })

    shellTest('means a program by its name, and no builtin or function of the shell', async () => {
      order('identify')
      await start(['/bin/echo'], { env }).ended
      expect(lookAtSetUp(root)).toMatchObject({ failure: 127 })
    })

    shellTest('starts no agent where it is killed, and nothing is said', async () => {
      order('/bin/sh', '-c', 'echo begun; exec /bin/sleep 1000')
      const { child, ended } = start(['/bin/echo', 'the agent'], { env })
      await eventually('it runs', () => said('set-up.log') === 'begun\n')
      const shell = loadIdentity(root, 'set-up.pid')
      expect(shell).toBeDefined()
      process.kill(shell?.pid ?? Number.NaN, 'SIGKILL')
      await ended
      // The set-up itself is an orphan now, in the same group.
      process.kill(-groupOf(child), 'SIGKILL')
      expect(said('stdout')).toBe('')
      expect(lookAtSetUp(root)).toMatchObject({ failure: null })
      expect(existsSync(mark())).toBe(false)
    })

    shellTest('neither set-up nor agent begins once the attempt is void', async () => {
      order('/bin/echo', 'set-up')
      writeFileSync(join(root, 'void'), '')
      await start(['/bin/echo', 'the agent'], { env }).ended
      expect(said('set-up.log') + said('stdout')).toBe('')
    })
  })

  shellTest(
    'writes down who holds it, once what is put around the agent lets it start',
    async () => {
      // Stands for a confinement that stays: the agent is its child.
      const enclosure = ['/bin/sh', '-c', '"$@"; exit $?', 'around']
      const script = 'cat; echo "$$"; ls /proc/$$/fd; exit 5'
      const { ended } = start(['/bin/sh', '-c', script], {
        enclosure,
        env: { PATH: '/usr/bin:/bin' },
      })
      await ended
      expect(loadExit(root)).toEqual({ kind: 'ended', exit: { kind: 'exited', code: 5 } })
      const [own = '', ...descriptors] = readFileSync(join(root, 'stdout'), 'utf8').split('\n')
      expect(own).toMatch(/^[0-9]+$/)
      expect(loadIdentity(root, 'pid')?.pid).not.toBe(Number(own))
      expect(readFileSync(join(root, 'pid'), 'utf8')).toBe(
        readFileSync(join(root, 'holder'), 'utf8'),
      )
      expect(descriptors.filter(name => ['3', '4'].includes(name))).toEqual([])
    },
  )

  shellTest('tells that the agent never started when what is put around it fails', async () => {
    await start(['/bin/true'], { enclosure: ['/bin/sh', '-c', 'echo no >&2; exit 1', 'around'] })
      .ended
    expect(loadExit(root)).toEqual({ kind: 'not_started', failure: 'start' })
    expect(loadIdentity(root, 'pid')).toBeUndefined()
    expect(readFileSync(join(root, 'stderr'), 'utf8')).toBe('no\n')
  })
})
