import { describe, expect, test } from 'vitest'
import type { SeenProcess } from '../../src/ports/process-table.ts'
import { selectMembers } from '../../src/process/members.ts'

const WORKTREE = '/state/worktrees/abc'

/** A process that has nothing to do with anything, but for what is said. */
function seen(pid: number, facts: Partial<SeenProcess> = {}): SeenProcess {
  return {
    pid,
    startTime: 100,
    name: 'p',
    parent: 1,
    group: pid,
    session: pid,
    terminal: false,
    mark: null,
    directory: '/',
    ...facts,
  }
}

function membersOf(
  processes: readonly SeenProcess[],
  known: readonly number[] = [],
  ownsSessions = true,
) {
  const members = selectMembers(processes, {
    ownsMark: mark => mark === 'own',
    knows: process => known.includes(process.pid),
    worktree: [WORKTREE],
    ownsSessions,
  })
  return Object.fromEntries(members)
}

const agent = seen(10, { mark: 'own' })

describe('who belongs to an attempt', () => {
  test.each<[string, SeenProcess[], Record<number, string>]>([
    ['who bears its mark', [agent], { 10: 'mark' }],
    ['not who bears none', [agent, seen(11)], { 10: 'mark' }],
    ['a child', [agent, seen(11, { parent: 10 })], { 10: 'mark', 11: 'descent' }],
    [
      'a grandchild',
      [seen(12, { parent: 11 }), seen(11, { parent: 10 }), agent],
      { 10: 'mark', 11: 'descent', 12: 'descent' },
    ],
    ['who shares its session', [agent, seen(11, { session: 10 })], { 10: 'mark', 11: 'session' }],
    ['who shares its group', [agent, seen(11, { group: 10 })], { 10: 'mark', 11: 'session' }],
    [
      "who shares a child's session, and its children",
      [agent, seen(11, { parent: 10 }), seen(12, { session: 11 }), seen(13, { parent: 12 })],
      { 10: 'mark', 11: 'descent', 12: 'session', 13: 'descent' },
    ],
    [
      'not whoever is outside of our PID namespace, as a session',
      [seen(10, { mark: 'own', session: 0, group: 0 }), seen(11, { session: 0, group: 0 })],
      { 10: 'mark' },
    ],
  ])('%s', (_, processes, members) => {
    expect(membersOf(processes)).toEqual(members)
  })

  test('at a terminal, not the shell that it was opened from, nor what else was started there', () => {
    const shell = seen(5, { terminal: true })
    const opener = seen(9, { parent: 5, session: 5, terminal: true })
    const program = seen(10, { mark: 'own', parent: 9, group: 9, session: 5, terminal: true })
    const tool = seen(11, { parent: 10 })
    const job = seen(12, { parent: 5, group: 9, session: 5, terminal: true })
    const all = [shell, opener, program, tool, job]
    expect(membersOf(all, [], false)).toEqual({ 10: 'mark', 11: 'descent' })
  })

  test('who is known by pid and start time, though it bears no mark', () => {
    const processes = [seen(10), seen(11, { parent: 10 })]
    expect(membersOf(processes, [10])).toEqual({ 10: 'mark', 11: 'descent' })
  })
})

describe('who stands in the worktree', () => {
  test.each<[string, Partial<SeenProcess>, boolean]>([
    ['at its top', { directory: WORKTREE }, true],
    ['below', { directory: `${WORKTREE}/src/x` }, true],
    ['beside it, in one with a longer name', { directory: `${WORKTREE}d` }, false],
    ['above', { directory: '/state/worktrees' }, false],
    ['nowhere that we may see', { directory: null }, false],
    ["in it, at the user's own terminal", { directory: WORKTREE, terminal: true }, false],
    [
      'in it, at a terminal of the agent',
      { directory: WORKTREE, terminal: true, mark: 'own' },
      true,
    ],
    ['in it, for another attempt', { directory: WORKTREE, mark: 'other' }, false],
  ])('%s', (_, facts, belongs) => {
    expect(Object.keys(membersOf([seen(20, facts)]))).toEqual(belongs ? ['20'] : [])
  })

  test('brings its children, but not its session, which may be anybody’s', () => {
    const there = seen(20, { directory: WORKTREE, session: 5 })
    const processes = [there, seen(21, { parent: 20 }), seen(5), seen(22, { session: 5 })]
    expect(membersOf(processes)).toEqual({ 20: 'directory', 21: 'descent' })
  })
})

describe('an attempt that this one delegated is left alone', () => {
  const other = seen(30, { mark: 'other', parent: 10 })

  test('though it is a child', () => {
    expect(membersOf([agent, other])).toEqual({ 10: 'mark' })
  })

  test('with what is reached only through it, wherever that stands', () => {
    const tool = seen(31, { parent: 30, directory: WORKTREE })
    const inSession = seen(32, { session: 30, directory: WORKTREE })
    expect(membersOf([agent, other, tool, inSession])).toEqual({ 10: 'mark' })
  })

  test('but not what is reached in another way too', () => {
    const both = seen(31, { parent: 30, session: 10 })
    expect(membersOf([agent, other, both])).toEqual({ 10: 'mark', 31: 'session' })
  })
})
