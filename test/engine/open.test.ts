import { describe, expect, test } from 'vitest'
import type { AgentExit } from '../../src/domain/outcome.ts'
import type { PermissionMode } from '../../src/domain/permissions.ts'
import type { Opened, Task } from '../../src/domain/task.ts'
import type { AttemptEnd } from '../../src/engine/follow-attempt.ts'
import { checkOpener, judgeOpened, settleOpened } from '../../src/engine/open.ts'
import type { Agent } from '../../src/ports/agent.ts'
import type { Confinement } from '../../src/ports/confinement.ts'

const taskOf = (opened: Opened) => ({ request: { id: 'k3v9', agent: 'a', opened } }) as Task
const ui = taskOf({ by: 'agent' })
const editor = taskOf({ by: 'editor', argv: ['/bin/ed'] })
const exited = (code: number): AgentExit => ({ kind: 'exited', code })
const killed = (signal: number): AgentExit => ({ kind: 'signalled', signal })
const ended = (exit: AgentExit): AttemptEnd => ({ kind: 'exited', exit })

describe('what the end of something opened comes to', () => {
  test.each<[string, Task, AttemptEnd, AgentExit, string | null]>([
    ['left by its person', ui, ended(exited(0)), exited(0), null],
    ['left by Ctrl-C', ui, ended(killed(2)), killed(2), null],
    ['its terminal was closed', ui, ended(killed(1)), killed(1), 'terminal_lost'],
    ['whoever opened it was killed', ui, ended(exited(0)), exited(0), 'terminal_lost'],
    ['nobody was left at it', ui, { kind: 'abandoned' }, exited(0), 'terminal_lost'],
    ['it crashed', ui, ended(killed(11)), killed(11), 'agent_crashed'],
    ['the editor says no', editor, ended(exited(1)), exited(1), 'command_failed'],
    ['gone without a word', ui, { kind: 'died' }, { kind: 'unknown' }, 'exit_unknown'],
    [
      'nobody took it',
      ui,
      { kind: 'never_started', why: 'x' },
      { kind: 'unknown' },
      'launch_failed',
    ],
  ])('%s', (name, task, end, exit, code) => {
    const isDeserted = name.includes('was killed')
    const failure = judgeOpened(end, exit, isDeserted, task)
    expect(failure?.code ?? null).toBe(code)
    if (failure !== null) expect(failure.hint).toContain('holdfast open k3v9')
  })
})

test('a user interface is held by its own flags, else by the system, where that can hold one', async () => {
  const settlePermissions = async () =>
    ({ asked: 'workspace', effective: 'workspace', enforcedBy: 'agent' }) as const
  const agent = (holdsPermissions: boolean) =>
    ({ name: 'a', ui: { holdsPermissions }, settlePermissions }) as unknown as Agent
  const settle = (which: Agent, holdsTerminals = true, asked: PermissionMode = 'workspace') => {
    const confinement = { requireWorking: async () => undefined, holdsTerminals } as Confinement
    return settleOpened({ by: 'agent' }, which, asked, {}, confinement)
  }
  expect(await settle(agent(true))).toMatchObject({ effective: 'workspace', enforcedBy: 'agent' })
  expect(await settle(agent(false))).toEqual({
    asked: 'workspace',
    effective: 'workspace',
    enforcedBy: 'system',
  })
  const unheld = { effective: 'full', enforcedBy: 'none' }
  expect(await settle(agent(false), false)).toEqual({ asked: 'workspace', ...unheld })
  expect(await settle(agent(false), true, 'full')).toEqual({ asked: 'full', ...unheld })
  await expect(settle({ name: 'acp' } as Agent)).rejects.toMatchObject({ code: 'bad_usage' })
})

test('no task opens anything', () => {
  const caller = { id: 'k3v9', directory: '/' }
  expect(() => checkOpener({ ...caller, kind: 'task' })).toThrow('only a person can open anything')
  expect(() => checkOpener({ ...caller, kind: 'terminal' })).not.toThrow()
})
