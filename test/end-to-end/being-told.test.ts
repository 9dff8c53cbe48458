/** Who is told what became of a task, and what stays in the inbox. */
import {
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { GATHER_MS } from '../../src/domain/delivery.ts'
import { views } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { putProgram } from './hosts.ts'
import { House } from './house.ts'

const ANSWER = 'what the agent says'

/** Each line that was appended to a file, and is whole. */
function linesOf(path: string) {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
}

test('a file and a command are told soon, each once, and the inbox keeps it until somebody has it', async () => {
  const house = new House()
  const heard = join(house.scratch, 'heard.json')
  const script = join(house.scratch, 'hear')
  // It fails the first time.
  writeFileSync(
    script,
    `#!/bin/sh\n[ -e '${heard}.tried' ] || { : >'${heard}.tried'; echo no >&2; exit 3; }\ncat >'${heard}.new'; printf '%s\\n' "$@" >'${heard}.args'; mv '${heard}.new' '${heard}'\n`,
    { mode: 0o755 },
  )
  const command = `command:${JSON.stringify([script, 'a b', '$HOME; x'])}`
  const notify = ['--notify', 'file:told.jsonl', '--notify', command]
  const id = await house.submitScript(`echo '${ANSWER}'; echo made >made.txt`, ...notify)
  const told = join(house.repo, 'told.jsonl')
  await eventually('the file is told', () => linesOf(told).length === 2)
  const { endedAt } = await house.task(id)
  const late = statSync(told).birthtimeMs - Date.parse(endedAt ?? '')
  // At once, also on a busy machine: what waits to be gathered waits for longer.
  expect(late).toBeLessThan(GATHER_MS)
  const lines = linesOf(told)
  expect(lines.map(({ id: own }) => own).sort()).toEqual([`${id}.all_idle.0`, `${id}.succeeded.0`])
  expect(lines.find(({ event }) => event === 'succeeded')).toMatchObject({
    task: { id, agent: 'command', repository: house.repo, files: 1, insertions: 1 },
    command: `holdfast result ${id}`,
  })
  expect(statSync(told).mode & 0o777).toBe(0o600)
  await eventually('the command is told', () => existsSync(heard))
  const { notices } = JSON.parse(readFileSync(heard, 'utf8'))
  expect(notices).toHaveLength(2)
  expect(readFileSync(`${heard}.args`, 'utf8')).toBe('a b\n$HOME; x\n')
  expect(readFileSync(told, 'utf8') + readFileSync(heard, 'utf8')).not.toContain(ANSWER)

  const listed = views.inbox.parse(JSON.parse(await house.ok(['inbox', '--json'])))
  expect(listed.deliveries).toMatchObject([
    { id: `${id}.succeeded`, event: 'succeeded', task: { id }, caller: { kind: 'program' } },
  ])
  // Nobody reads: it was not delivered.
  for (const words of [
    ['wait', id],
    ['result', id],
    ['result', '--json', id],
  ]) {
    const reader = house.start(words)
    reader.stdout?.destroy()
    await new Promise(resolve => reader.once('exit', resolve))
  }
  expect(await house.ok(['inbox'])).toContain(id)
  expect((await house.run(['inbox', '--mine'])).code).toBe(2)
  await house.ok(['wait', id], { directory: '/' })
  expect(await house.ok(['inbox'])).toBe('')
  await eventually('all were sent', () => statesOf(house).every(state => state !== 'owed'))
})

test('a Claude session that asks is told, and its token stands nowhere but in its own file', async () => {
  const house = new House()
  const token = 'token-that-nobody-sees'
  const environment = {
    CLAUDECODE: '1',
    CLAUDE_CODE_SESSION_ID: 'session-1',
    CLAUDE_CODE_MESSAGING_SOCKET: join(house.scratch, 'no-such-socket'),
    CLAUDE_CODE_MESSAGING_TOKEN: token,
  }
  const gate = join(house.scratch, 'gate')
  const wait = ['command', '--', '/bin/sh', '-c', `until [ -e '${gate}' ]; do sleep 0.05; done`]
  const id = await house.submit(wait, { environment })
  const callers = join(house.home, 'callers')
  const [name = ''] = readdirSync(callers)
  expect(readFileSync(join(callers, name), 'utf8')).toBe(token)
  expect(statSync(join(callers, name)).mode & 0o777).toBe(0o600)
  expect(statSync(callers).mode & 0o777).toBe(0o700)
  for (const file of ['store.db', 'store.db-wal', `tasks/${id}/environment.json`]) {
    const path = join(house.home, file)
    expect([file, existsSync(path) && readFileSync(path, 'latin1').includes(token)]).toEqual([
      file,
      false,
    ])
  }
  const quiet = await house.submit(['--notify', 'none', ...wait], { environment })
  const subagent = join(house.repo, '.claude', 'worktrees', 'agent-a1')
  house.git('worktree', 'add', '--quiet', '--detach', subagent)
  const other = { ...environment, CLAUDE_CODE_SESSION_ID: 'session-2' }
  const inner = await house.submit(['--notify', 'none', ...wait], {
    environment: other,
    directory: subagent,
  })
  writeFileSync(gate, '')
  for (const one of [id, quiet, inner]) await house.untilState(one, 'succeeded')
  // The session is gone, and is not waited for.
  await eventually('its token is forgotten', () => readdirSync(callers).length === 0)
  const { findings } = JSON.parse(await house.ok(['doctor', '--json']))
  const dead = () => findings.filter(({ check }: { check: string }) => check === 'deliveries')
  expect(dead()).toMatchObject([
    { status: 'warning', message: expect.stringContaining('session session-1 was not told once') },
  ])
  expect(JSON.stringify(findings)).not.toContain(token)
  await house.ok(['doctor', '--dead-letters', 'drop'])
  expect(await house.ok(['doctor'])).toContain('deliveries: all were sent')
  expect((await house.run(['doctor', '--dead-letters', 'burn'])).code).toBe(2)

  const mine = async (asker: object) =>
    JSON.parse(await house.ok(['inbox', '--mine', '--json'], { environment: { ...asker } }))
      .deliveries
  expect(await mine(other)).toMatchObject([
    { task: { id: inner }, caller: { kind: 'claude', id: 'session-2', subagent: 'agent-a1' } },
  ])
  expect(await mine(environment)).toHaveLength(2)
  const ofSession = await house.ok(['status', '--caller', 'claude:session-1'])
  expect([id, quiet, inner].map(one => ofSession.includes(one))).toEqual([true, true, false])
  expect(await house.ok(['status', '--caller', 'terminal'])).toBe('')
  expect((await house.run(['status', '--caller', 'nobody'])).code).toBe(2)

  expect(JSON.parse(await house.ok(['inbox', '--ack', quiet, '--json']))).toEqual({
    acknowledged: 1,
  })
  expect(await mine(environment)).toHaveLength(1)
  expect((await house.run(['inbox', '--ack'])).code).toBe(2)
  expect((await house.run(['inbox', '--ack', 'no-such-task'])).code).toBe(4)
  expect(await house.ok(['inbox', '--ack-all'])).toBe('2 taken note of\n')
  expect(await house.ok(['inbox'])).toBe('')
})

test('a session of OpenClaw is told by the OpenClaw of whoever asked, not of who started the worker', async () => {
  const house = new House()
  const heard = join(house.scratch, 'heard')
  const words = `"$OPENCLAW_STATE_DIR" "$@" >'${heard}.new'; mv '${heard}.new' '${heard}'`
  putProgram(house.scratch, 'openclaw', `printf '%s\\n' ${words}`)
  house.environment.PATH = `${join(house.scratch, 'bin')}:${house.environment.PATH}`
  await house.ok(['worker', 'start'], { environment: { OPENCLAW_STATE_DIR: '/elsewhere' } })
  await house.submit(['command', '--notify', 'openclaw:agent:main:work', '--', 'true'], {
    environment: { OPENCLAW_STATE_DIR: '/here' },
  })
  await eventually('OpenClaw is told', () => existsSync(heard))
  const told = readFileSync(heard, 'utf8').trim().split('\n')
  expect(told[0]).toBe('/here')
  expect(told).toContain('--session-key=agent:main:work')
})

test('whom to tell is the user’s to say: by a flag, or in their own configuration', async () => {
  const house = new House()
  house.write('holdfast.json', JSON.stringify({ notify: ['command:/bin/evil'] }))
  const refused = await house.run(['run', 'command', '--', 'true'])
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining('notify may not be set here'),
  ])
  house.write('holdfast.json', '{}')
  for (const target of [
    'nowhere',
    'file:',
    'command:',
    'command:[1]',
    'slack:ftp://x',
    'http:x',
    'openclaw: ',
    'openclaw:agent:main:subagent:1',
  ]) {
    const { code, stderr } = await house.run(['run', '--notify', target, 'command', '--', 'true'])
    expect([target, code]).toEqual([target, 2])
    expect(stderr).toContain('for example: desktop')
  }
  const configure = (...notify: string[]) =>
    house.write('config.json', JSON.stringify({ notify }), house.home)
  await house.ok(['status'])
  configure('file:relative')
  const relative = await house.run(['run', 'command', '--', 'true'])
  expect([relative.code, relative.stderr]).toEqual([
    2,
    expect.stringContaining('its path is not absolute'),
  ])
  const told = join(house.scratch, 'told')
  const link = join(house.scratch, 'link')
  configure(`file:${told}`)
  await house.submitScript('true')
  await eventually('whom the configuration names is told', () => linesOf(told).length === 2)
  // A flag comes in its place; and what an agent could have put there is not followed.
  const victim = join(house.scratch, 'victim')
  writeFileSync(victim, 'mine\n')
  symlinkSync(victim, link)
  const id = await house.submitScript('true', '--notify', `file:${link}`)
  await house.untilState(id, 'succeeded')
  await eventually('it is given up', async () =>
    (await house.ok(['doctor'])).includes('it is a symbolic link'),
  )
  expect(readFileSync(victim, 'utf8')).toBe('mine\n')
  expect(linesOf(told)).toHaveLength(2)
  await house.ok(['doctor', '--dead-letters', 'retry'])
  await eventually('it is tried again, and given up', async () =>
    (await house.ok(['doctor'])).includes('it is a symbolic link'),
  )
})

function statesOf(house: House): readonly string[] {
  const store = new DatabaseSync(join(house.home, 'store.db'), { readOnly: true, timeout: 60_000 })
  try {
    const rows = store.prepare("SELECT state FROM deliveries WHERE channel <> 'inbox'").all()
    return rows.map(({ state }) => String(state))
  } finally {
    store.close()
  }
}
