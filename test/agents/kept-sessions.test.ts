/**
 * What can be learnt of sessions from what agents keep, as the pinned versions were seen to keep it
 * (Claude Code 2.1.329, Pi 0.73.1, OpenCode 1.18.33). Codex is looked at in `taken-session.test.ts`.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { claudeKeptSessions } from '../../src/agents/claude/kept-sessions.ts'
import { codexKeptSessions } from '../../src/agents/codex/kept-sessions.ts'
import { openCodeKeptSessions } from '../../src/agents/opencode/kept-sessions.ts'
import { piKeptSessions } from '../../src/agents/pi/kept-sessions.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import { requireSession } from '../../src/engine/take-session.ts'
import type { Agent } from '../../src/ports/agent.ts'
import type { Store } from '../../src/ports/store.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-sessions-'))
})
afterEach(() => rmSync(home, { recursive: true }))

function write(name: string, content: string, at: number): void {
  const path = join(home, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  utimesSync(path, at / 1000, at / 1000)
}

const [A, B, C] = ['aaaa-1', 'bbbb-2', 'cccc-3'].map(asSessionId) as [never, never, never]

test('the session of a directory that was written last is found, and none that is older', () => {
  const cases = [
    {
      sessions: codexKeptSessions,
      environment: { CODEX_HOME: home },
      name: (id: string) => `sessions/2026/11/30/rollout-2026-11-30T02-15-49-${id}.jsonl`,
      line: (id: string, cwd: string) => ({ type: 'session_meta', payload: { id, cwd } }),
    },
    {
      sessions: piKeptSessions,
      environment: { PI_CODING_AGENT_DIR: home },
      name: (id: string) => `sessions/--w--/2026-11-30T02-16-32-598Z_${id}.jsonl`,
      line: (id: string, cwd: string) => ({ type: 'session', version: 3, id, cwd }),
    },
  ]
  for (const { sessions, environment, name, line } of cases) {
    const put = (id: string, cwd: string, at: number) =>
      write(name(id), `${JSON.stringify(line(id, cwd))}\n{"type":"more"}\n`, at)
    put(A, '/w', 5_000)
    put(B, '/w', 4_000)
    put(C, '/elsewhere', 6_000)
    write(name('torn'), '{"type":"sess', 9_000)
    expect(sessions.newestIn('/w', 3_000, environment)).toBe(A)
    expect(sessions.newestIn('/w', 5_001, environment)).toBeUndefined()
    expect(sessions.find(C, environment)).toMatchObject({ session: C, directory: '/elsewhere' })
    expect(sessions.find(asSessionId('none'), environment)).toBeUndefined()
  }
})

test('a session of Claude Code is open in the process that says so, and only while that lives', () => {
  const environment = { CLAUDE_CONFIG_DIR: home }
  const line = (cwd: string) =>
    `{"type":"queue-operation"}\n${JSON.stringify({ type: 'user', cwd })}\n`
  write(`projects/-some-w/${A}.jsonl`, line('/some/w'), 5_000)
  write(`projects/-some-w/${B}.jsonl`, line('/some/w'), 4_000)
  expect(claudeKeptSessions.newestIn('/some/w', 4_500, environment)).toBe(A)
  const openIn = () => claudeKeptSessions.find(A, environment)?.openIn
  expect(openIn()).toBe('unknown')
  const stat = readFileSync(`/proc/${process.pid}/stat`, 'utf8')
  const procStart = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  const own = { pid: process.pid, sessionId: A, procStart }
  write('sessions/1.json', JSON.stringify({ ...own, procStart: '1' }), 1)
  expect(openIn()).toBe('nobody')
  write('sessions/2.json', JSON.stringify(own), 1)
  expect(claudeKeptSessions.find(A, environment)).toEqual({
    session: A,
    directory: '/some/w',
    openIn: { pid: process.pid },
  })
})

test('a session that its agent binds to a directory is taken over there and nowhere else', async () => {
  const environment = { XDG_DATA_HOME: home }
  mkdirSync(join(home, 'opencode'))
  const database = new DatabaseSync(join(home, 'opencode', 'opencode.db'))
  database.exec(`CREATE TABLE session (id, directory, parent_id, time_updated);
    INSERT INTO session VALUES ('${A}', '/a place', NULL, 5000), ('${B}', '/a place', '${A}', 6000)`)
  database.close()
  expect(openCodeKeptSessions.newestIn('/a place', 4_000, environment)).toBe(A)
  const agent = {
    name: 'opencode',
    capabilities: { continues: 'session' },
    keptSessions: openCodeKeptSessions,
  } as Agent
  const store = { listTasks: async () => [] } as unknown as Store
  const take = (directory: string | null, session = A) =>
    requireSession({ session, agent, environment, directory, idempotencyKey: null }, store)
  expect(await take('/a place')).toMatchObject({ openIn: 'unknown' })
  await expect(take(null)).rejects.toMatchObject({
    code: 'refused_in_state',
    hint: `cd '/a place' && holdfast run -a opencode --session ${A} --in-place …`,
  })
  await expect(take('/a place', C)).rejects.toMatchObject({ code: 'no_such_session' })
})
