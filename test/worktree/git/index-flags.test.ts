import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { isPlainIndex } from '../../../src/worktree/git/index-flags.ts'
import { makeRepository, makeScene, type Repository } from '../scene.ts'

const indexOf = (repository: Repository) => readFileSync(join(repository.root, '.git', 'index'))

it.each([
  { version: '2', format: 'sha1' },
  { version: '4', format: 'sha1' },
  { version: '2', format: 'sha256' },
  { version: '4', format: 'sha256' },
] as const)(
  'finds each flag, and a submodule, in an index of version $version with $format',
  config => {
    const { version, format } = config
    const repository = makeRepository(makeScene(), { format })
    // Names of all lengths around the padding, and one that is longer than its field can say.
    for (let n = 1; n <= 17; n++) repository.write(`name/${'x'.repeat(n)}`, '')
    repository.write(
      Array.from({ length: 21 }, () => 'long'.repeat(50))
        .join('/')
        .slice(0, 4030),
      '',
    )
    repository.commit()
    repository.git('update-index', '--index-version', version)
    expect(isPlainIndex(indexOf(repository), format)).toBe(true)
    // The last one: everything before it must have been stepped over rightly.
    for (const option of ['assume-unchanged', 'skip-worktree']) {
      repository.git('update-index', `--${option}`, 'script.sh')
      expect(isPlainIndex(indexOf(repository), format)).toBe(false)
      repository.git('update-index', `--no-${option}`, 'script.sh')
      expect(isPlainIndex(indexOf(repository), format)).toBe(true)
    }
    const commit = repository.head()
    repository.git('update-index', '--add', '--cacheinfo', `160000,${commit},sub`)
    expect(isPlainIndex(indexOf(repository), format)).toBe(false)
    repository.git('update-index', '--force-remove', 'sub')
    repository.write('intended.txt', '')
    repository.git('add', '-N', 'intended.txt')
    expect(isPlainIndex(indexOf(repository), format)).toBe(true)
  },
)

it('does not vouch for a split index, nor for what is no index', () => {
  const repository = makeRepository(makeScene())
  const whole = indexOf(repository)
  repository.git('update-index', '--split-index')
  expect(isPlainIndex(indexOf(repository), 'sha1')).toBe(false)
  expect(isPlainIndex(whole.subarray(0, 200), 'sha1')).toBe(false)
  expect(isPlainIndex(Buffer.from('garbage, and quite some of it'), 'sha1')).toBe(false)
  expect(isPlainIndex(Buffer.alloc(0), 'sha1')).toBe(false)
})
