/** kill -9 at each step that there is, one after the other, until one run comes through. */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exactly } from '../../exactly.ts'
import { fingerprint } from '../scene.ts'
import { apply, type FinishedTask, finishTask, noTraces, traces, undo } from './apply-scene.ts'

const program = join(import.meta.dirname, 'apply-crash-program.ts')

/** False: it came through. */
function killedAt(nth: number, act: 'apply' | 'undo', task: FinishedTask): boolean {
  const { scene, mine, base, result, task: id } = task
  const order = JSON.stringify({ task: id, base, result: result.commit })
  const words = [program, scene.top, mine.root, act, String(nth), order]
  const { status, signal, stderr } = spawnSync(process.execPath, words, {
    env: scene.environment,
    encoding: 'utf8',
  })
  if (signal !== 'SIGKILL' && status !== 0) throw new Error(stderr)
  return signal === 'SIGKILL'
}

/** What the engine does first: whatever was interrupted is taken back. */
async function mend({ applications, mine, task }: FinishedTask): Promise<void> {
  const target = await mine.open()
  await applications.withTarget(mine.root, async () => {
    const interrupted = applications.findInterrupted(target)
    if (interrupted !== undefined) await applications.undo(interrupted, target)
    for (const application of applications.list(task)) {
      if (!application.isWhole) await applications.undo(application, target)
    }
  })
}

const everything = () =>
  finishTask({
    before: mine => {
      mine.write('swap', 'a file\n')
      mine.write('tree/one.txt', 'one\n')
      symlinkSync('kept.txt', mine.at('link'))
      mine.commit()
    },
    agent: agent => {
      agent.write('edited.txt', 'by the agent\n')
      agent.remove('removed.txt')
      agent.remove('tree')
      agent.write('tree', 'a file now\n')
      agent.remove('swap')
      agent.write('swap/deep/er.txt', 'a directory now\n')
      agent.remove('link')
      symlinkSync('edited.txt', agent.at('link'))
      chmodSync(agent.at('script.sh'), 0o755)
    },
    since: mine => {
      chmodSync(mine.at('edited.txt'), 0o600)
      chmodSync(mine.at('tree'), 0o700)
      mine.write('untracked.txt', 'mine\n')
      mine.write('kept.txt', 'staged\n')
      mine.git('add', 'kept.txt')
    },
  })

test('an application', async () => {
  const task = await everything()
  const before = exactly(task.mine)
  const { index } = fingerprint(task.mine)
  await apply(task)
  const after = exactly(task.mine)
  await undo(task)
  let nth = 1
  for (; killedAt(nth, 'apply', task); nth++) {
    await mend(task)
    // The last ones come when it stands already: a new one clears what is left.
    if (task.applications.list(task.task).length > 0) {
      expect([nth, exactly(task.mine)]).toEqual([nth, after])
      expect(await apply(task)).toEqual({ kind: 'in_place' })
      await undo(task)
    }
    expect([nth, exactly(task.mine)]).toEqual([nth, before])
    expect([nth, { ...traces(task), scratch: [] }]).toEqual([nth, noTraces])
  }
  expect(nth).toBeGreaterThan(15)
  expect(exactly(task.mine)).toEqual(after)
  expect(fingerprint(task.mine).index).toBe(index)
}, 600_000)

test('taking one back', async () => {
  const task = await everything()
  const before = exactly(task.mine)
  await apply(task)
  const after = exactly(task.mine)
  let nth = 1
  for (; killedAt(nth, 'undo', task); nth++) {
    await mend(task)
    // The first ones come when nothing has been touched yet.
    if (task.applications.list(task.task).length > 0) {
      expect([nth, exactly(task.mine)]).toEqual([nth, after])
      await undo(task)
    }
    expect([nth, exactly(task.mine)]).toEqual([nth, before])
    expect([nth, traces(task)]).toEqual([nth, noTraces])
    await apply(task)
  }
  expect(nth).toBeGreaterThan(15)
  expect(exactly(task.mine)).toEqual(before)
}, 600_000)

test('a disk that gets full in the middle: all that was made there goes again', async ({
  skip,
}) => {
  const task = await finishTask({
    agent: agent => {
      agent.write('edited.txt', 'by the agent\n')
      agent.write('large', randomBytes(9_000_000))
      agent.write('zuletzt.txt', 'new\n')
    },
  })
  const { scene, mine, base, result, task: id } = task
  const small = join(scene.top, 'small')
  const clone = join(small, 'clone')
  const order = JSON.stringify({ task: id, base, result: result.commit })
  const script = `mkdir "$1" && mount -t tmpfs -o size=6m tmpfs "$1" && cd "$1" &&
    git clone -q --no-local "$2" clone && cd clone && git status --short && echo mounted
    sha256sum .git/index *.txt; shift 2; "$@"; sha256sum .git/index *.txt
    git status --short; ls -A . .git | grep holdfast; git for-each-ref refs/holdfast`
  const argv = [process.execPath, program, scene.top, clone, 'apply', '0', order]
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['-rm', 'sh', '-c', script, 'sh', small, mine.root, ...argv],
    { env: scene.environment, encoding: 'utf8' },
  )
  const [mounted, ...lines] = stdout.trimEnd().split('\n')
  skip(mounted !== 'mounted', 'this machine lets nobody mount a small disk')
  expect(stderr).toContain('no_space')
  expect(lines).toHaveLength(8)
  expect(lines.slice(4)).toEqual(lines.slice(0, 4))
  expect(traces(task)).toEqual(noTraces)
})
