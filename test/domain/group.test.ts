import { expect, test } from 'vitest'
import { MOST_IN_GROUP, makeGroupId, nameMembers, nameOfGroup } from '../../src/domain/group.ts'
import { findNameProblem, type TaskId } from '../../src/domain/ids.ts'

const namesOf = (...given: Parameters<typeof nameMembers>) =>
  nameMembers(...given).map(({ name }) => name)

test('members bear the name of their group and their agent, and a number from the second on', () => {
  expect(namesOf('fix', ['codex', 'claude', 'pi'], 1)).toEqual([
    'fix-codex',
    'fix-claude',
    'fix-pi',
  ])
  expect(namesOf('fix', ['codex'], 3)).toEqual(['fix-codex', 'fix-codex-2', 'fix-codex-3'])
  expect(namesOf('fix', ['codex', 'pi'], 2)).toEqual([
    'fix-codex',
    'fix-codex-2',
    'fix-pi',
    'fix-pi-2',
  ])
})

test.each([
  [['codex'], 1, 'nothing to be compared'],
  [['codex'], 0, 'nothing to be compared'],
  [['codex'], MOST_IN_GROUP + 1, 'more than the 8'],
  [['codex', 'claude', 'pi'], 3, '9 tasks'],
  [['codex', 'pi', 'codex'], 1, 'codex is named twice'],
] as const)('%j × %i is no group', (agents, each, words) => {
  expect(() => nameMembers('fix', agents, each)).toThrow(words)
})

test('a name that would be too long with its agent is refused, and its group is never taken for a task', () => {
  expect(() => nameMembers('n'.repeat(60), ['codex', 'pi'], 1)).toThrow('64 characters')
  const group = makeGroupId('fix', 'k3v9m2x7ab' as TaskId)
  expect(nameOfGroup(group)).toBe('fix')
  expect(findNameProblem(group)).not.toBeNull()
})
