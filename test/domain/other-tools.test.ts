import { expect, it } from 'vitest'
import { findNameProblem } from '../../src/domain/ids.ts'
import { findOtherTool, lockHolder } from '../../src/domain/other-tools.ts'

it.each([
  ['/home/a/.codex/worktrees/1a2b/repo', 'Codex', 'codex-1a2b'],
  ['/r/.claude/worktrees/fix-login', 'Claude Code', 'fix-login'],
  ['/r/.claude/worktrees/agent-abc', 'Claude Code', 'agent-abc'],
  ['/home/a/.claude-squad/worktrees/me/feature_18ab', 'claude-squad', 'me-feature_18ab'],
  ['/var/tmp/vibe-kanban/worktrees/vk-12ab-task/repo', 'Vibe Kanban', 'vk-12ab-task-repo'],
  ['/r/.claude/worktrees/-odd name!', 'Claude Code', 'odd-name-'],
  ['/r/.claude/worktrees/abcdefghj0', 'Claude Code', 'adopted-abcdefghj0'],
  ['/r/.claude/worktrees/…', 'Claude Code', 'adopted-'],
])('%s is of %s, and called %s', (path, tool, name) => {
  expect(findOtherTool(path, '/home/a/.codex')).toEqual({ tool, name })
  expect(findNameProblem(name)).toBeNull()
})

it.each(['/r', '/r-feature', '/home/b/.codex/worktrees/1a2b/repo', '/r/claude/worktrees/x'])(
  '%s is of no tool that is known',
  path => expect(findOtherTool(path, '/home/a/.codex')).toBeUndefined(),
)

it('a lock may name who holds it', () => {
  expect(lockHolder('claude agent agent-1 (pid 4711 start 99)')).toBe(4711)
  expect(lockHolder('portable disk')).toBeUndefined()
})
