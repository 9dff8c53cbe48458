/** Which setting holds, where several places say something. */
import { expect, test } from 'vitest'
import {
  type Configuration,
  configuredAgent,
  configuredBounds,
  configuredChoice,
  configuredPermissions,
  configuredRetention,
  defaultBounds,
} from '../../src/domain/configuration.ts'
import type { PermissionMode } from '../../src/domain/permissions.ts'

const configuration = (places: Partial<Configuration>): Configuration => ({
  environment: {},
  repository: {},
  user: {},
  ...places,
})

test('the environment counts before the repository, and that before the user', () => {
  const user = { agent: 'c' }
  const repository = { agent: 'b' }
  const environment = { agent: 'a' }
  expect(configuredAgent(configuration({}))).toBeUndefined()
  expect(configuredAgent(configuration({ user }))).toBe('c')
  expect(configuredAgent(configuration({ user, repository }))).toBe('b')
  expect(configuredAgent(configuration({ user, repository, environment }))).toBe('a')
})

test('a model that stands beside an agent is for that agent alone', () => {
  const set = configuration({
    environment: { effort: 'low' },
    repository: { agent: 'a', model: 'for-a', effort: 'high' },
    user: { model: 'for-all' },
  })
  expect(configuredChoice(set, 'model', 'a')).toBe('for-a')
  expect(configuredChoice(set, 'model', 'b')).toBe('for-all')
  expect(configuredChoice(set, 'effort', 'b')).toBe('low')
})

test.each<[PermissionMode | undefined, 'read-only' | 'workspace' | undefined, string | undefined]>([
  [undefined, undefined, undefined],
  ['full', undefined, 'full'],
  [undefined, 'read-only', 'read-only'],
  ['full', 'workspace', 'workspace'],
  ['read-only', 'workspace', 'read-only'],
  ['workspace', 'read-only', 'read-only'],
])('the user says %s, the repository %s: %s', (mine, theirs, holds) => {
  const set = configuration({ user: { permissions: mine }, repository: { permissions: theirs } })
  expect(configuredPermissions(set)).toBe(holds)
  const environment = { permissions: 'workspace' } as const
  expect(configuredPermissions({ ...set, environment })).toBe('workspace')
})

test('how many worktrees stay, and for how long, is each set by itself', () => {
  expect(configuredRetention(configuration({}))).toEqual({ keep: 15, maxIdleMs: null })
  const set = configuration({
    user: { keepWorktrees: 3, idleDays: 30 },
    environment: { idleDays: 1 },
  })
  expect(configuredRetention(set)).toEqual({ keep: 3, maxIdleMs: 86_400_000 })
})

test('each bound is looked for by itself', () => {
  const set = configuration({ repository: { capture: { maxFiles: 5 } }, user: { capture: {} } })
  expect(configuredBounds(set, 'capture')).toEqual({ ...defaultBounds.capture, maxFiles: 5 })
  expect(configuredBounds(set, 'include')).toEqual(defaultBounds.include)
})
