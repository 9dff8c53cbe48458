import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { command } from '../../src/agents/command/agent.ts'
import { CUT_NOTE } from '../../src/agents/command/translate.ts'
import type { AgentExit } from '../../src/domain/outcome.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-command-'))
  for (const [name, mode] of [
    ['run.sh', 0o755],
    ['plain.txt', 0o644],
  ] as const) {
    writeFileSync(join(root, name), '#!/bin/sh\n')
    chmodSync(join(root, name), mode)
  }
  mkdirSync(join(root, 'directory'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

function translate(lines: Iterable<string>): string | null {
  let state = command.translator.initial
  for (const line of lines) state = command.translator.translate(state, line).state
  return state.answer
}

describe('the program of a command', () => {
  const find = (name: string) => command.findInstallation({ PATH: `.:${root}` }, [name], root)

  it.each(['run.sh', './run.sh', 'directory/../run.sh'])('is found as %s', async name => {
    expect((await find(name)).program).toBe(join(root, 'run.sh'))
  })

  it.each(['', 'none', './none', './plain.txt', './directory', 'directory'])(
    'is missing as %j',
    async name => {
      await expect(find(name)).rejects.toMatchObject({ code: 'agent_missing' })
    },
  )

  it('is the worktree’s own where it is named relatively', async () => {
    const installation = await find('./run.sh')
    const { argv } = command.planLaunch({
      installation,
      mode: { kind: 'fresh', sessionToBe: '0f6f3e2a-9d8c-4a7b-8c1d-5e4f3a2b1c0d' },
      prompt: new Uint8Array(),
      argv: ['./run.sh', '-x'],
      model: null,
      effort: null,
      permissions: { asked: 'full', effective: 'full', enforcedBy: 'none' },
      asks: false,
      handOver: null,
      worktree: '/w',
      workingDirectory: '/w/sub',
      environment: {},
    })
    expect(argv).toEqual(['/w/sub/run.sh', '-x'])
  })
})

describe('the outcome of a command', () => {
  it.each<[AgentExit, string, string, string?]>([
    [{ kind: 'exited', code: 0 }, 'noise', 'succeeded'],
    [{ kind: 'exited', code: 3 }, 'a\nbad\n', 'command_failed', 'exit code 3: bad'],
    [{ kind: 'exited', code: 127 }, '', 'command_failed', 'exit code 127'],
    [{ kind: 'signalled', signal: 9 }, '', 'agent_crashed', 'killed by signal 9'],
    [{ kind: 'unknown' }, '', 'exit_unknown', 'exit status unknown'],
  ])('%j', (exit, stderr, expected, message) => {
    const outcome = command.judge(command.translator.initial, {
      exit,
      stderr,
      saidAt: 0,
      timeZone: 'UTC',
    })
    expect('failure' in outcome ? outcome.failure.code : outcome.kind).toBe(expected)
    if ('failure' in outcome) expect(outcome.failure.message).toBe(message)
    expect(outcome.kind === 'interrupted').toBe(exit.kind !== 'exited')
  })
})

describe('the answer of a command', () => {
  it('is what it printed', () => {
    expect(translate([])).toBeNull()
    expect(translate(['one', '', 'two'])).toBe('one\n\ntwo')
  })

  it('is the end, from the start of a line, where it printed much', () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}`)
    const answer = translate(lines) ?? ''
    const [note, ...kept] = answer.split('\n')
    expect(note).toBe(CUT_NOTE)
    expect(answer.length).toBeLessThanOrEqual(64 * 1024)
    expect(kept).toEqual(lines.slice(-kept.length))
    expect(kept.length).toBeGreaterThan(2_000)
  })

  it('stays small over one line of 20 MB', () => {
    const answer = translate(['🚀'.repeat(5 * 1024 * 1024)]) ?? ''
    expect(answer.length).toBeLessThanOrEqual(64 * 1024)
    expect(answer.isWellFormed()).toBe(true)
  })
})
