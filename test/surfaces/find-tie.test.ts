/** Which process `--with-caller` means, on processes that stand in a table here. */
import { describe, expect, test } from 'vitest'
import type { Caller } from '../../src/domain/task.ts'
import type { ProcessEntry } from '../../src/ports/process-table.ts'
import { findTie, requireInSight } from '../../src/surfaces/find-tie.ts'

const place = { machine: 'm', boot: 'b', pidNamespace: 'n' }
const entry = (pid: number, parent: number, name: string, session = 20): ProcessEntry => ({
  ...{ pid, parent, name, session },
  ...{ startTime: pid * 10, group: pid, terminal: true },
})
/** A shell in a terminal, Claude Code in it, and in that a command of ours. */
const usual = [
  entry(1, 0, 'init', 1),
  entry(20, 1, 'bash'),
  entry(30, 20, 'claude'),
  entry(40, 30, 'sh'),
  entry(50, 40, 'node'),
]
const tableOf = (entries: readonly ProcessEntry[], own = 50) => ({
  place: () => place,
  self: () => ({ ...place, pid: own, startTime: own * 10 }),
  find: (pid: number) => entries.find(one => one.pid === pid),
})
const caller = (kind: Caller['kind'], id: string | null = 'x'): Caller => ({
  ...{ kind, id, directory: '/' },
})
const orphan = [...usual.slice(0, 4), entry(50, 1, 'node', 50)]

const found: [string, Caller, Record<string, string>, readonly ProcessEntry[], number | null][] = [
  ['a session that says its pid', caller('claude'), { CLAUDE_PID: '30' }, usual, 30],
  ['a session of before, by its name', caller('claude'), {}, usual, 30],
  ['a pid that is no ancestor’s', caller('claude'), { CLAUDE_PID: '31' }, usual, null],
  ['a session that is gone', caller('claude'), { CLAUDE_PID: '30' }, orphan, null],
  ['the shell of a terminal', caller('terminal'), {}, usual, 20],
  ['a command that a terminal runs alone', caller('terminal'), {}, orphan, null],
  ['a program', caller('program', null), {}, usual, 40],
  ['a program that has left its child', caller('program', null), {}, orphan, null],
  ['a client that speaks for others', caller('mcp'), {}, usual, null],
]

test.each(found)('%s', (_, who, environment, entries, pid) => {
  const find = () => findTie(who, environment, tableOf(entries))
  if (pid === null) {
    expect(find).toThrow(expect.objectContaining({ code: 'refused_in_state' }))
  } else {
    expect(find()).toEqual({ kind: 'process', process: { ...place, pid, startTime: pid * 10 } })
  }
})

test('a leader of another PID namespace is none that could be named', () => {
  const entries = [...usual.slice(0, 4), entry(50, 40, 'node', 0)]
  expect(() => findTie(caller('terminal'), {}, tableOf(entries))).toThrow('who asks')
})

describe('the worker that is to look', () => {
  const tie = findTie(caller('terminal'), {}, tableOf(usual))
  const worker = (where: object) => ({
    identity: { ...place, pid: 7, startTime: 7, ...where },
    ...{ version: '1', startedAt: 1, isSilent: false },
  })
  test('sees it from here', () => {
    for (const one of [undefined, 'unnamed', worker({}), worker({ boot: 'earlier' })] as const) {
      expect(() => requireInSight(tie, one)).not.toThrow()
    }
    expect(() =>
      requireInSight({ kind: 'task', id: 'a' as never }, worker({ machine: 'x' })),
    ).not.toThrow()
  })
  test.each(['machine', 'pidNamespace'])('does not, from another %s', name => {
    expect(() => requireInSight(tie, worker({ [name]: 'other' }))).toThrow('cannot see who asks')
  })
})
