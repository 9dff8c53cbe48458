/** Whose home a session is in: it is settled when it begins, and followed wherever its task goes. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { codex } from '../../src/agents/codex/agent.ts'
import { agentEnvironment, outerEnvironment } from '../../src/domain/environment.ts'
import { asSessionId, makeTaskId, worktreeIdOf } from '../../src/domain/ids.ts'
import type { Task } from '../../src/domain/task.ts'
import { enterHome, environmentOf } from '../../src/engine/agent-home.ts'
import { planSession } from '../../src/engine/move-session.ts'
import { makeTaskFiles } from '../../src/store/task-files.ts'
import { scratchDirectory } from '../scratch.ts'

const SESSION = asSessionId('0199a213-81c0-7800-8aa1-bbab2a035a53')
const RECORD = `sessions/2026/01/02/rollout-2026-01-02T03-04-05-${SESSION}.jsonl`

test('a session stays in the home that it began in, whatever is set by then', async () => {
  const root = scratchDirectory()
  const users = join(root, '.codex')
  mkdirSync(users)
  writeFileSync(join(users, 'AGENTS.md'), 'always\n')
  const files = makeTaskFiles(join(root, 'state'))
  const id = worktreeIdOf(makeTaskId(new Uint8Array(16)))
  const place = { id, kind: 'managed', path: null } as const
  const environment = { HOME: root, CODEX_API_KEY: 'sk', CODEX_HOME: '' }
  const ports = { files, agentHomes: 'worktree' } as const
  const shared = { files, agentHomes: 'shared' } as const
  const own = join(files.agentHome(id), 'codex')

  expect(await enterHome(codex, null, place, environment, shared)).toBe(environment)
  const borrowed = { ...place, kind: 'borrowed', path: '/' } as const
  expect(await enterHome(codex, null, borrowed, environment, ports)).toBe(environment)
  // It began in the user's home before that was set.
  expect(await enterHome(codex, SESSION, place, environment, ports)).toBe(environment)
  expect(existsSync(own)).toBe(false)

  const inner = await enterHome(codex, null, place, environment, ports)
  expect(inner).toMatchObject({ CODEX_HOME: own })
  expect(readFileSync(join(own, 'AGENTS.md'), 'utf8')).toBe('always\n')
  // Whom its agent hands something in with is told of the user's home again.
  expect(agentEnvironment(outerEnvironment(inner))).toEqual(environment)
  expect(outerEnvironment({ HOLDFAST_OUTER: 'no JSON', A: 'b' })).toEqual({ A: 'b' })

  mkdirSync(join(own, RECORD, '..'), { recursive: true })
  writeFileSync(join(own, RECORD), 'of the session\n')
  expect(await enterHome(codex, SESSION, place, environment, shared)).toMatchObject({
    CODEX_HOME: own,
  })
  expect(environmentOf(codex, SESSION, id, environment, files)).toMatchObject({ CODEX_HOME: own })

  const task = { session: SESSION, agent: 'codex', request: { repo: { subdirectory: 'sub' } } }
  const [tree, local] = [
    { root: '/tree', worktree: id },
    { root: '/local', worktree: null },
  ]
  const plan = (from: typeof tree | typeof local, to: typeof tree | typeof local) =>
    planSession(task as Task, { from, to }, environment, { files, agent: async () => codex })
  const out = await plan(tree, local)
  expect(out).toMatchObject({ directory: '/local/sub', argv: ['codex', 'resume', SESSION] })
  expect(existsSync(join(users, 'sessions'))).toBe(false)
  if (out.kind === 'moves') await out.carry()
  expect(readFileSync(join(users, RECORD), 'utf8')).toBe('of the session\n')
  writeFileSync(join(users, RECORD), 'of the session\nand more\n')
  const back = await plan(local, tree)
  const argv = ['env', `CODEX_HOME=${own}`, 'codex', 'resume', SESSION]
  expect(back).toMatchObject({ directory: '/tree/sub', argv })
  if (back.kind === 'moves') await back.carry()
  expect(readFileSync(join(own, RECORD), 'utf8')).toBe('of the session\nand more\n')
})
