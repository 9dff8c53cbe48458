/** Whoever asked may be killed in any way: the agent lives on. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readStat } from '../../src/process/linux/stat.ts'
import { eventually } from '../eventually.ts'
import { killIfThere } from '../kill-if-there.ts'
import { fixture, type TestAttempt, useAttempts } from './attempts.ts'

const attempts = useAttempts()
const { host } = attempts

/** Starts a program that launches the attempt and lives on. */
async function launchFromAnother(attempt: TestAttempt) {
  const { stdin: _, ...plan } = attempt
  const launcher = spawn(process.execPath, [fixture('launcher.ts'), JSON.stringify(plan)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(launcher.stdout, 'data')) as [Buffer]
  expect(line.toString()).toBe('launched\n')
  const pid = launcher.pid
  if (pid === undefined) throw new Error('the launcher has no pid')
  return { pid, gone: once(launcher, 'exit') }
}

/** A process and all that descends from it, as a caller finds them that cleans up after itself. */
function treeOf(root: number): readonly number[] {
  const stats = readdirSync('/proc').flatMap(name => readStat(Number(name)) ?? [])
  const tree = [root]
  for (const pid of tree) tree.push(...stats.filter(s => s.parent === pid).map(s => s.pid))
  return tree
}

describe('an agent outlives its launcher', () => {
  test.each<[string, (pid: number) => void]>([
    ['killed alone', pid => process.kill(pid, 'SIGKILL')],
    ['killed with its process group', pid => process.kill(-pid, 'SIGKILL')],
    [
      'killed with all that descends from it',
      pid => {
        for (const one of treeOf(pid)) killIfThere(one)
      },
    ],
    ['hung up', pid => process.kill(-pid, 'SIGHUP')],
  ])('%s', async (_, kill) => {
    const attempt = attempts.plan(['/bin/sh', '-c', 'echo started; sleep 1000; echo never'])
    const launcher = await launchFromAnother(attempt)
    kill(launcher.pid)
    await launcher.gone
    expect(host.lookAtRun(attempt.runDirectory)).toMatchObject({ agent: 'alive', exit: null })
    expect(await attempts.lines(attempt, 1)).toEqual(['started'])
    // And whoever comes next has it in hand.
    process.kill(attempts.identity(attempt, 'pid').pid, 'SIGTERM')
    expect(await attempts.exit(attempt)).toEqual({ kind: 'signalled', signal: 15 })
    await eventually(
      'nothing of it lives',
      async () => (await host.stop(attempt, { graceful: null, graceMs: 0 })).ended,
    )
  })
})
