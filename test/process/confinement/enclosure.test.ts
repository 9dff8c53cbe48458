/** An attempt within a confinement is launched, followed and ended as any other. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import type { Confines } from '../../../src/ports/confinement.ts'
import type { LaunchPlan } from '../../../src/ports/process-host.ts'
import { loadConfinement } from '../../../src/process/confinement/confinement.ts'
import { confinedTest, visibleScratch } from '../../confined.ts'
import { eventually } from '../../eventually.ts'
import { isAlive, type TestAttempt, useAttempts } from '../attempts.ts'

const attempts = useAttempts()
const { host } = attempts

/** Launches a program within confines, in a worktree outside of `/tmp`. */
async function launchConfined(
  argv: readonly [string, ...string[]],
  changes: Partial<LaunchPlan> = {},
  mode: Confines['mode'] = 'workspace',
): Promise<TestAttempt> {
  const root = visibleScratch()
  const worktree = join(root, 'worktree')
  const commonDir = join(root, 'common')
  for (const path of [worktree, commonDir]) mkdirSync(path)
  writeFileSync(join(worktree, '.git'), `gitdir: ${commonDir}\n`)
  const plan = attempts.plan(argv, { ...changes, workingDirectory: worktree })
  const confinement = await loadConfinement({
    home: join(plan.runDirectory, '../../..'),
    toolPath: process.env.PATH ?? '',
    isSandboxed: async () => false,
  })
  const enclosure = await confinement.enclose({
    mode,
    worktree,
    commonDir,
    workingDirectory: worktree,
    program: plan.argv[0],
    environment: plan.environment,
    scratch: join(root, 'scratch'),
    own: { readable: [], writable: [] },
  })
  const attempt = { ...plan, worktree, enclosure }
  await host.launch(attempt)
  return attempt
}

const stdoutOf = ({ runDirectory }: TestAttempt) => readFileSync(join(runDirectory, 'stdout'))
const sh = (script: string) => ['/bin/sh', '-c', script] as const
const NAP = '/bin/sleep 1000'

/** The process of it that sleeps, once it has become that. */
const napOf = (attempt: TestAttempt) =>
  eventually('somebody sleeps', () =>
    host.findProcesses(attempt).find(({ command }) => command === NAP),
  )

describe('a confined agent', () => {
  confinedTest('gets arguments, stdin and environment unchanged, but for its caches', async () => {
    const stdin = Buffer.alloc(300_000, 'a\0b\nc\xff', 'latin1')
    const environment = { PATH: '/usr/bin:/bin', TMPDIR: '/elsewhere', EMPTY: '', NAME: 'ä b' }
    const script = 'env -0; printf "%s\\0" "$@"; cat'
    const args = ['a b', '$HOME', '', 'line\nbreak\n', '-e', '--']
    const attempt = await launchConfined(['/bin/sh', '-c', script, 'sh', ...args], {
      stdin,
      environment,
    })
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 0 })
    const output = stdoutOf(attempt)
    expect(output.subarray(-stdin.length).equals(stdin)).toBe(true)
    const fields = output.subarray(0, -stdin.length).toString('utf8').split('\0').slice(0, -1)
    expect(fields.slice(-args.length)).toEqual(args)
    const given = Object.fromEntries(
      fields.slice(0, -args.length).map(line => {
        const at = line.indexOf('=')
        return [line.slice(0, at), line.slice(at + 1)]
      }),
    )
    delete given._
    delete given.SHLVL
    expect(given).toEqual({
      ...environment,
      TMPDIR: '/tmp',
      GOCACHE: '/tmp/.cache/go-build',
      UV_CACHE_DIR: '/tmp/.cache/uv',
      npm_config_cache: '/tmp/.cache/npm',
      PWD: attempt.worktree,
      HOLDFAST_ATTEMPT: expect.stringMatching(`^${attempt.task}\\.1\\.`),
    })
    const record = readFileSync(join(attempt.runDirectory, 'launch.json'), 'utf8')
    expect(record).not.toContain('ä b')
    expect(JSON.parse(record).enclosure).toEqual(attempt.enclosure)
  })

  confinedTest('writes much, and all of it arrives', async () => {
    const attempt = await launchConfined(sh('head -c 50000000 /dev/zero; echo end >&2'))
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 0 })
    expect(stdoutOf(attempt)).toHaveLength(50_000_000)
    expect(host.readStderrTail(attempt.runDirectory, 100)).toBe('end\n')
  })

  confinedTest('ends as it does without: by exit code and by signal', async () => {
    const ends = {
      'exit 0': { kind: 'exited', code: 0 },
      'exit 7': { kind: 'exited', code: 7 },
      'exit 255': { kind: 'exited', code: 255 },
      'kill -s SEGV $$': { kind: 'signalled', signal: 11 },
      'kill -s KILL $$': { kind: 'signalled', signal: 9 },
      'exec /nowhere/program': { kind: 'exited', code: 127 },
    }
    for (const [script, end] of Object.entries(ends)) {
      const attempt = await launchConfined(sh(script))
      expect([script, await attempts.exit(attempt)]).toEqual([script, end])
    }
  })

  confinedTest(
    'ends at once, whatever it leaves running, and that is found and ended',
    async () => {
      const attempt = await launchConfined(sh(`setsid ${NAP} & echo started; exit 3`))
      expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 3 })
      await napOf(attempt)
      await eventually(
        'nothing of it lives',
        async () => (await host.stop(attempt, { graceful: null, graceMs: 0 })).ended,
      )
      expect(host.findProcesses(attempt)).toEqual([])
    },
  )

  confinedTest('has default signals, and no terminal', async () => {
    const script = 'grep -E "^Sig(Ign|Blk)" /proc/self/status; cat /proc/self/stat'
    const attempt = await launchConfined(sh(script))
    await attempts.exit(attempt)
    const output = stdoutOf(attempt).toString()
    expect(output.match(/\t(\w+)/g)).toEqual(Array(2).fill(`\t${'0'.repeat(16)}`))
    expect(output.split(') ').at(-1)?.split(' ')[4]).toBe('0')
  })
})

describe('the end of a confined agent', () => {
  confinedTest('is asked for in order, of the agent itself', async () => {
    const script = `trap 'echo in order; kill $!; exit 4' INT; echo ready; ${NAP} & wait`
    const attempt = await launchConfined(sh(script))
    await attempts.lines(attempt, 1)
    const report = await host.stop(attempt, { graceful: 'SIGINT', graceMs: 200_000 })
    expect(report.ended).toBe(true)
    expect(stdoutOf(attempt).toString()).toBe('ready\nin order\n')
    expect(await attempts.exit(attempt)).toEqual({ kind: 'exited', code: 4 })
  })

  confinedTest(
    'takes along what forked twice into sessions and directories of its own',
    async () => {
      const away = `(setsid sh -c "cd /; (setsid env -i ${NAP} &) ; exec ${NAP}" &); exec ${NAP}`
      const attempt = await launchConfined(sh(away))
      await eventually('all three sleep', () => {
        const found = host.findProcesses(attempt).filter(({ command }) => command === NAP)
        return found.length === 3
      })
      await eventually(
        'nothing of it lives',
        async () => (await host.stop(attempt, { graceful: 'SIGTERM', graceMs: 50 })).ended,
      )
      expect(host.findProcesses(attempt)).toEqual([])
    },
  )

  confinedTest('may be the death of any of the processes around it', async () => {
    for (const who of ['wrapper', 'pid'] as const) {
      const attempt = await launchConfined(sh(`echo ready; exec ${NAP}`))
      await attempts.lines(attempt, 1)
      const victim = attempts.identity(attempt, who)
      process.kill(victim.pid, 'SIGKILL')
      await eventually(`the ${who} is gone`, () => !isAlive(victim))
      const run = await eventually('that is seen', () => {
        const facts = host.lookAtRun(attempt.runDirectory)
        return who === 'wrapper' ? facts : facts.agent === 'dead' && facts.exit !== null && facts
      })
      if (who === 'wrapper') expect(run).toMatchObject({ agent: 'alive', exit: null })
      else expect(run.exit).toEqual({ kind: 'signalled', signal: 9 })
      // The agent itself lives on, and is found.
      await napOf(attempt)
      await eventually(
        'nothing of it lives',
        async () => (await host.stop(attempt, { graceful: null, graceMs: 0 })).ended,
      )
      expect(host.findProcesses(attempt)).toEqual([])
    }
  })

  confinedTest('is seen, when the agent itself is killed from outside', async () => {
    const attempt = await launchConfined(sh(`echo ready; exec ${NAP}`))
    await attempts.lines(attempt, 1)
    process.kill((await napOf(attempt)).pid, 'SIGKILL')
    expect(await attempts.exit(attempt)).toEqual({ kind: 'signalled', signal: 9 })
  })
})

confinedTest(
  'a confinement that cannot be set up is a launch that failed, in its words',
  async () => {
    const attempt = await launchConfined(['/bin/true'])
    await attempts.exit(attempt)
    const argv = [...(attempt.enclosure?.argv ?? [])] as unknown as [string, ...string[]]
    argv.splice(-1, 0, '--ro-bind', '/nowhere/at all', '/mnt')
    const plan = attempts.plan(['/bin/true'], { enclosure: { argv, generations: 2 } })
    await expect(host.launch(plan)).rejects.toMatchObject({
      code: 'launch_failed',
      message: expect.stringMatching(/could not be confined: .*\/nowhere\/at all/),
    })
    expect(existsSync(plan.runDirectory)).toBe(true)
    expect(host.findProcesses(plan)).toEqual([])
  },
)
