/** Tasks that end with whoever asked: the built program, from `run --with-caller` to the end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { entry, House, untilGo } from './house.ts'
import { McpClient } from './mcp-client.ts'

/** A program that hands a task in, and stays. */
async function makeCaller(house: House): Promise<{ caller: ChildProcess; id: string }> {
  const task = ['command', '--permissions', 'full', '--', '/bin/sh', '-c', untilGo]
  const run = [process.execPath, entry, 'run', '--with-caller', ...task]
  const caller = spawn('/bin/sh', ['-c', '"$@" && exec sleep 1000', 'caller', ...run], {
    cwd: house.repo,
    env: house.environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    caller.kill('SIGKILL')
  })
  const [line] = await once(caller.stdout.setEncoding('utf8'), 'data')
  const id = line.trim()
  await house.underWay(id)
  return { caller, id }
}

test('a task ends with its caller, also past a worker, and not while the caller stands still', async () => {
  const house = new House({ HOLDFAST_SLOTS: '2' })
  const killed = await makeCaller(house)
  const still = await makeCaller(house)
  expect((await house.task(killed.id)).endsWith).toBe(
    `the program that asked (pid ${killed.caller.pid})`,
  )
  still.caller.kill('SIGSTOP')

  const first = await house.workerPid()
  process.kill(first, 'SIGSTOP')
  const gone = once(killed.caller, 'exit')
  killed.caller.kill('SIGKILL')
  await gone
  process.kill(first, 'SIGKILL')
  const card = join(house.home, 'worker.json')
  await eventually('its watchdog has started another', () => {
    return existsSync(card) && JSON.parse(readFileSync(card, 'utf8')).identity.pid !== first
  })
  const why = `the program that asked (pid ${killed.caller.pid}) has ended`
  expect(await house.wait(killed.id)).toMatchObject({ state: 'cancelled', reason: why })
  // The new worker has looked at both. What a task delegates ends with that task, if it is asked to.
  const words = ['command', '--with-caller', '--', '/bin/sh', '-c', 'until false; do sleep 1; done']
  const environment = { HOLDFAST_ATTEMPT: `${still.id}.1.x` }
  const delegate = await house.submit(words, { environment })
  expect((await house.task(delegate)).endsWith).toBe(`task ${still.id}`)
  house.write('go', '', house.worktree(still.id))
  expect(await house.wait(still.id)).toMatchObject({ state: 'succeeded', attempt: 1 })
  const ended = { state: 'cancelled', reason: `task ${still.id} has ended` }
  expect(await house.wait(delegate)).toMatchObject(ended)
  still.caller.kill('SIGKILL')
})

test('who cannot be told is refused, and nothing is handed in', async () => {
  const house = new House()
  const refused = async (environment: Record<string, string>, words: RegExp) => {
    const run = ['run', 'command', '--with-caller', '--', 'true']
    const { code, stdout, stderr } = await house.run(run, { environment })
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' })
    expect(stderr).toMatch(words)
  }
  const session = { CLAUDECODE: '1', CLAUDE_PID: '999999999' }
  await refused(session, /cannot be told which process the session[\s\S]*holdfast cancel/)
  await refused({ HOLDFAST_ATTEMPT: 'k3v9m2x7qd.1.x' }, /is not in this store/)
  expect(JSON.parse(await house.ok(['status', '--json'])).tasks).toEqual([])
})

test('what an MCP client delegates ends with that client, if it is asked to', async () => {
  const house = new House()
  mkdirSync(house.home, { mode: 0o700 })
  house.write('config.json', JSON.stringify({ mcpFullPermissions: true }), house.home)
  const starter = ['/bin/sh', '-c', '"$@"; exit', 'client']
  const client = new McpClient(house, {}, house.repo, starter)
  await client.initialize('2025-11-25')
  const command = ['/bin/sh', '-c', untilGo]
  const asked = { command, permissions: 'full', with_caller: true, idempotency_key: 'k' }
  const { task } = (await client.call('delegate', asked)).structuredContent
  expect(task.endsWith).toBe(`the MCP client that asked (pid ${client.process.pid})`)
  const again = (await client.call('delegate', asked)).structuredContent
  expect([again.task.id, again.isNew]).toEqual([task.id, false])
  await client.kill('SIGKILL')
  const why = `the MCP client that asked (pid ${client.process.pid}) has ended`
  expect(await house.wait(task.id)).toMatchObject({ state: 'cancelled', reason: why })
})
