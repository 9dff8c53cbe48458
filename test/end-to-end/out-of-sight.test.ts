/** What cannot be looked at: processes of a container that is gone, a worker that stands still. */
import { execFile } from 'node:child_process'
import { existsSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { entry, House } from './house.ts'

/** A PID namespace of one's own takes root, or user namespaces, which are not everywhere. */
const canUnshare = await promisify(execFile)('unshare', ['-pf', '--mount-proc', 'true']).then(
  () => true,
  () => false,
)

test.skipIf(!canUnshare)(
  'a task of a container that is gone takes no slot, and ends at its user’s word',
  async () => {
    const house = new House()
    const run = `'${process.execPath}' '${entry}' run command --permissions full -- sleep 300`
    const untilItRuns = `until [ -s '${house.home}/tasks/'*/runs/1/pid ]; do sleep 0.05; done`
    // With its first process the whole namespace ends: agent, wrapper, worker and watchdog.
    const script = `${run} && ${untilItRuns}`
    const argv = ['-pf', '--mount-proc', '--kill-child', 'sh', '-c', script]
    const { stdout } = await promisify(execFile)('unshare', argv, {
      cwd: house.repo,
      env: house.environment,
    })
    const lost = stdout.trim()
    expect((await house.task(lost)).reason).toContain('holdfast cancel --lost')

    const cancelling = house.start(['cancel', lost])
    await house.untilState(lost, 'cancelling')
    const other = await house.submitScript('echo here > here.txt')
    expect((await house.wait(other)).state).toBe('succeeded')
    await house.ok(['cancel', '--lost', lost])
    expect((await house.task(lost)).state).toBe('cancelled')
    await eventually('the other cancel saw it too', () => cancelling.exitCode !== null)
  },
)

test('nobody’s word counts for processes that can be looked for', async () => {
  const house = new House()
  const id = await house.submitScript('sleep 300')
  await house.untilState(id, 'running')
  const { code, stderr } = await house.run(['cancel', '--lost', id])
  expect(code).toBe(0)
  expect(stderr).toContain('can be looked for')
  expect(existsSync(join(house.runDirectory(id), 'gone'))).toBe(false)
})

test('a worker that stands still is told, and what it would know is looked at without it', async () => {
  const house = new House()
  const id = await house.submitScript('sleep 300')
  await house.untilState(id, 'running')
  const worker = await house.suspendWorker()
  try {
    process.kill(house.pid(id), 'SIGKILL')
    await eventually('the agent has ended', () =>
      existsSync(join(house.runDirectory(id), 'exit.json')),
    )
    const long = new Date(Date.now() - 60_000)
    utimesSync(join(house.home, 'worker.json'), long, long)
    const { stdout, stderr } = await house.run(['status', '--json'])
    expect(stderr).toContain(`the worker (pid ${worker}) shows no sign of life`)
    expect(JSON.parse(stdout)).toMatchObject({
      worker: { state: 'silent', pid: worker },
      tasks: [{ id, reason: 'the agent has ended; a worker will collect it' }],
    })
    await house.ok(['worker', 'stop'])
  } finally {
    try {
      process.kill(worker, 'SIGCONT')
    } catch {
      // It was stopped for good.
    }
  }
  expect((await house.wait(id)).state).toBe('failed')
})
