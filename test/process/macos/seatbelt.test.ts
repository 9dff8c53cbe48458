/** The profile as text: nothing here can run it. */
import { expect, test } from 'vitest'
import { seatbeltProfile } from '../../../src/process/macos/seatbelt.ts'

const confines = {
  mode: 'workspace',
  worktree: '/Users/u/.holdfast/worktrees/k3v9',
  commonDir: '/Users/u/my "repo"/.git',
  workingDirectory: '/Users/u/.holdfast/worktrees/k3v9',
  program: '/opt/homebrew/bin/tool',
  environment: {},
  scratch: '/Users/u/.holdfast/tasks/k3v9/scratch',
  own: { readable: [], writable: [] },
} as const
const hidden = { directories: ['/Users/u/.ssh', '/Users/u/.holdfast'], files: ['/Users/u/.netrc'] }
const linesOf = (mode: 'workspace' | 'read-only', more: object = {}) =>
  seatbeltProfile({ ...confines, ...more, mode }, hidden)
    .trimEnd()
    .split('\n')

/** Of two rules that fit, the later one holds. */
const isAfter = (lines: readonly string[], later: string, earlier: string) => {
  expect(lines).toContain(earlier)
  expect(lines.indexOf(later)).toBeGreaterThan(lines.indexOf(earlier))
}

test('each rule is closed, and strings are quoted', () => {
  for (const line of linesOf('workspace')) {
    const plain = line.replace(/"(?:[^"\\]|\\.)*"/g, '')
    expect([line, plain.split('(').length]).toEqual([line, plain.split(')').length])
    expect(line).toMatch(/^\(.*\)$/)
  }
  expect(linesOf('workspace').join('\n')).toContain('"/Users/u/my \\"repo\\"/.git"')
})

test('without a network it reaches this machine alone, and else whatever we can', () => {
  const lines = linesOf('workspace', { network: 'none' })
  isAfter(lines, '(allow network-outbound (remote ip "localhost:*"))', '(deny network*)')
  expect(lines.filter(line => /^\(allow network/.test(line)).length).toBe(3)
  expect(linesOf('workspace').join('\n')).not.toContain('network-bind')
})

test('the worktree is written to by workspace alone, its .git and the repository by none', () => {
  const worktree = '(allow file-write* (subpath "/Users/u/.holdfast/worktrees/k3v9"))'
  const lines = linesOf('workspace')
  isAfter(lines, worktree, '(deny file-write*)')
  const dotGit = '(deny file-write* (subpath "/Users/u/.holdfast/worktrees/k3v9/.git"))'
  isAfter(lines, dotGit, worktree)
  isAfter(lines, '(deny file-write* (subpath "/Users/u/my \\"repo\\"/.git"))', worktree)
  expect(linesOf('read-only')).not.toContain(worktree)
})

test('what is hidden is neither read nor connected to, but for what the task needs of it', () => {
  const lines = linesOf('workspace')
  const state = '(deny file-read* file-write* network-outbound (subpath "/Users/u/.holdfast"))'
  isAfter(lines, '(allow file-read* (subpath "/Users/u/.holdfast/worktrees/k3v9"))', state)
  isAfter(lines, '(allow file-read* (subpath "/Users/u/.holdfast/tasks/k3v9/scratch"))', state)
  isAfter(lines, '(allow file-write* (subpath "/Users/u/.holdfast/tasks/k3v9/scratch"))', state)
  expect(lines).toContain(
    '(deny file-read* file-write* network-outbound (literal "/Users/u/.netrc"))',
  )
})

test('of an agent’s own places the inner ones count, and in a loose one only locks are made', () => {
  const agent = '/Users/u/.agent'
  const own = {
    readable: [agent, `${agent}/data/auth.json`],
    writable: [`${agent}/data`],
    loose: [{ path: agent, locks: ['x.lock'] }],
  }
  const lines = seatbeltProfile({ ...confines, own }, hidden).split('\n')
  const written = '(allow file-write* (subpath "/Users/u/.agent/data"))'
  isAfter(lines, '(deny file-write* (subpath "/Users/u/.agent/data/auth.json"))', written)
  isAfter(lines, '(allow file-write* (subpath "/Users/u/.agent/x.lock"))', '(deny file-write*)')
  expect(lines).toContain('(allow file-read* (subpath "/Users/u/.agent"))')
  expect(lines).not.toContain('(deny file-write* (subpath "/Users/u/.agent"))')
})

test('no process outside is signalled', () => {
  isAfter(linesOf('workspace'), '(allow signal (target same-sandbox))', '(deny signal)')
})
