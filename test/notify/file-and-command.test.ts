import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TaskId } from '../../src/domain/ids.ts'
import type { Notice } from '../../src/domain/notice.ts'
import { makeCommandChannel } from '../../src/notify/command.ts'
import { makeFileChannel } from '../../src/notify/file.ts'
import { DeliveryError } from '../../src/ports/notifier.ts'
import { eventually } from '../eventually.ts'
import { scratchDirectory } from '../scratch.ts'

const task = { id: 'k3v9m2x7qd' as TaskId, name: 'fix-login', agent: 'codex', repository: '/app' }
const notice: Notice = {
  ...{ id: 'n1', event: 'succeeded', at: 1, command: 'holdfast result k3v9m2x7qd' },
  task: { ...task, files: 1, insertions: 2, deletions: 3 },
}
const never = new AbortController().signal

const failure = async (sent: Promise<void>) => {
  const error = await sent.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof DeliveryError) return error
  throw new Error(`no failure, but ${error}`)
}

test('a line is whole after one that a death has torn; what is no plain file is left alone', async () => {
  const directory = scratchDirectory()
  const path = join(directory, 'told')
  writeFileSync(path, '{"torn":')
  const channel = makeFileChannel()
  await channel.send({ kind: 'file', path }, [notice, { ...notice, id: 'n2' }], never)
  const [torn, ...lines] = readFileSync(path, 'utf8').split('\n')
  expect([torn, lines.map(line => line && JSON.parse(line).id)]).toEqual([
    '{"torn":',
    ['n1', 'n2', ''],
  ])
  mkdirSync(join(directory, 'd'))
  execFileSync('mkfifo', [join(directory, 'fifo')])
  for (const name of ['d', 'fifo', 'told/x']) {
    const odd = { kind: 'file', path: join(directory, name) } as const
    expect([name, (await failure(channel.send(odd, [notice], never))).isLasting]).toEqual([
      name,
      true,
    ])
  }
  const early = { kind: 'file', path: join(directory, 'not-yet', 'told') } as const
  expect((await failure(channel.send(early, [notice], never))).isLasting).toBe(false)
})

test('a command that takes too long is ended, with all that it has started', async () => {
  const pids = join(scratchDirectory(), 'pids')
  const script = `sleep 600 & echo $! >'${pids}.new'; mv '${pids}.new' '${pids}'; wait`
  const argv = ['/bin/sh', '-c', script]
  const leave = new AbortController()
  const sent = failure(
    makeCommandChannel(process.env).send({ kind: 'command', argv }, [notice], leave.signal),
  )
  await eventually('it has started another', () => existsSync(pids))
  leave.abort()
  expect((await sent).isLasting).toBe(false)
  const pid = Number(readFileSync(pids, 'utf8'))
  await eventually('that is ended', () => !isAlive(pid))

  const slow = ['/bin/sh', '-c', 'exec sleep 600']
  const late = makeCommandChannel(process.env, 100).send({ kind: 'command', argv: slow }, [], never)
  expect((await failure(late)).message).toContain('took longer than 0.1 s')
  const secret = ['/bin/sh', '-c', 'echo ghp_0123456789abcdefghijABCDEFGHIJ012345 >&2; exit 4']
  const said = makeCommandChannel(process.env).send({ kind: 'command', argv: secret }, [], never)
  expect((await failure(said)).message).toMatch(/ended with 4: .*\[redacted\]/)
  const absent = { kind: 'command', argv: ['/nowhere/at/all'] } as const
  const missing = makeCommandChannel(process.env).send(absent, [notice], never)
  expect((await failure(missing)).isLasting).toBe(true)
})

/** A zombie is not. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false // It is gone.
  }
}
