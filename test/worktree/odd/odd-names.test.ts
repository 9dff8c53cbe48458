/** Names that clash, that other systems cannot have, or that git itself refuses. */
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { makeRepository, makeScene } from '../scene.ts'
import { carry, changesIn, collect, leftOutOf, sightOf } from './odd.ts'

const composed = 'caf\u00e9.txt'
const decomposed = 'cafe\u0301.txt'

describe.each([{ ignoreCase: 'false' }, { ignoreCase: 'true' }])(
  'two names that differ in case alone, with core.ignoreCase=$ignoreCase',
  ({ ignoreCase }) => {
    it('are two files, tracked or not', async () => {
      const repository = makeRepository(makeScene())
      repository.write('README', 'upper\n')
      repository.write('readme', 'lower\n')
      repository.write('Source/a.txt', 'upper\n')
      repository.write('source/a.txt', 'lower\n')
      repository.commit()
      repository.git('config', 'core.ignoreCase', ignoreCase)
      repository.write('readme', 'lower, edited\n')
      repository.write('Source/a.txt', 'upper, edited\n')
      repository.write('NEW.txt', 'upper\n')
      repository.write('new.txt', 'lower\n')
      const carried = await carry(repository)
      expect(leftOutOf(carried)).toEqual([])
      expect(sightOf(carried.agent)).toEqual(sightOf(repository))
      carried.agent.write('README', 'the agent’s\n')
      carried.agent.write('source/a.txt', 'the agent’s\n')
      carried.agent.remove('new.txt')
      expect(changesIn(carried, await collect(carried))).toEqual([
        'M README',
        'D new.txt',
        'M source/a.txt',
      ])
    })

    it('are one, where the caller has renamed it', async () => {
      const repository = makeRepository(makeScene())
      repository.git('config', 'core.ignoreCase', ignoreCase)
      renameSync(repository.at('kept.txt'), repository.at('Kept.txt'))
      const carried = await carry(repository)
      expect(sightOf(carried.agent)).toEqual(sightOf(repository))
    })
  },
)

describe.each([{ precompose: 'false' }, { precompose: 'true' }])(
  'two names that are the same letters, with core.precomposeUnicode=$precompose',
  ({ precompose }) => {
    it('are two files', async () => {
      const repository = makeRepository(makeScene())
      repository.write(composed, 'composed\n')
      repository.write(decomposed, 'decomposed\n')
      repository.commit()
      repository.git('config', 'core.precomposeUnicode', precompose)
      repository.write(decomposed, 'edited\n')
      repository.write(`new/${composed}`, 'composed\n')
      repository.write(`new/${decomposed}`, 'decomposed\n')
      const carried = await carry(repository)
      expect(leftOutOf(carried)).toEqual([])
      expect(sightOf(carried.agent)).toEqual(sightOf(repository))
      expect(await collect(carried)).toMatchObject({ files: 0 })
    })
  },
)

it('names of all kinds come along, and back', async () => {
  const repository = makeRepository(makeScene())
  const names = [
    'trailing space ',
    ' leading space',
    'trailing dot.',
    'line\nbreak',
    'carriage\rreturn',
    'tab\tstop',
    '"quoted"',
    "it's",
    'back\\slash',
    '$HOME `x` $(x)',
    '-rf',
    '--',
    ':(exclude)x',
    '*?[a]',
    '#hash',
    '~',
    'con.txt',
    'aux',
    '\u0001control\u007f',
    '\u202Eright-to-left',
    'a.git',
    '.gitx',
    '.git~2',
    'HEAD',
    '.git\u200c',
    'index.lock',
    Buffer.from([0x6c, 0xe9, 0x67, 0x61, 0x6c]),
    Buffer.from([0xff, 0xfe]),
    'x'.repeat(255),
    `${'deep/'.repeat(300)}file`,
  ].map(name => Buffer.from(name))
  for (const [n, name] of names.entries()) if (n % 2 === 0) repository.write(name, 'before\n')
  repository.commit()
  for (const name of names) repository.write(name, 'after\n')
  const carried = await carry(repository)
  const { agent } = carried
  expect(leftOutOf(carried)).toEqual([])
  expect(sightOf(agent)).toEqual(sightOf(repository))
  for (const name of names) agent.write(name, 'the agent’s\n')
  const result = await collect(carried)
  expect(result).toMatchObject({ files: names.length, leftOut: [] })
  // Git prints tree entries in the order of bytes.
  const sorted = names.sort(Buffer.compare).map(name => `M ${name.toString('latin1')}`)
  expect(changesIn(carried, result).sort()).toEqual(sorted.sort())
})

it('a path that is longer than a system call may take is said, and the rest taken', async () => {
  const repository = makeRepository(makeScene())
  // Within git's own bounds, because git stands in the checkout; but not below its root.
  const path = `${'d'.repeat(200)}/`.repeat(20)
  repository.git(
    '-c',
    'core.longPaths=true',
    'update-index',
    '--add',
    '--cacheinfo',
    `100644,${repository.git('rev-parse', 'HEAD:kept.txt')},${path}kept.txt`,
  )
  repository.write('edited.txt', 'edited\n')
  const carried = await carry(repository)
  expect(carried.agent.git('ls-files', '-s')).toBe(repository.git('ls-files', '-s'))
  expect(carried.agent.git('diff', '--name-only')).toContain('edited.txt')
})

it.each(['.GIT', 'git~1', '.git ', '.Git/x', '.git.'])(
  'the disguise of .git %j is said before the start, as git would refuse it',
  async name => {
    const repository = makeRepository(makeScene())
    repository.write(`inside/${name}`, 'not a repository\n')
    repository.write('fine.txt', 'fine\n')
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([`inside/${name}: not taken: git refuses this name`])
    expect(carried.agent.git('status', '--porcelain', '-uall')).toBe('?? fine.txt')
  },
)

describe('symbolic links', () => {
  it('outward, dangling, odd, and to directories, come along as they are', async () => {
    const repository = makeRepository(makeScene())
    symlinkSync('directory', repository.at('old'))
    repository.commit()
    rmSync(repository.at('old'))
    symlinkSync('../..', repository.at('old'))
    symlinkSync('/etc/passwd', repository.at('outward'))
    symlinkSync('/nowhere', repository.at('dangling'))
    symlinkSync('dangling-loop', repository.at('dangling-loop'))
    symlinkSync(Buffer.from([0x2f, 0xff, 0x0a]), repository.at('bytes'))
    symlinkSync('.git/config', repository.at('into-git'))
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([])
    expect(sightOf(carried.agent)).toEqual(sightOf(repository))
    carried.agent.remove('outward')
    carried.agent.write('outward', 'a file now\n')
    const result = await collect(carried)
    expect(changesIn(carried, result)).toEqual(['T outward'])
  })

  it('in place of a directory, by the caller and back by the agent', async () => {
    const repository = makeRepository(makeScene())
    mkdirSync(repository.at('../outside'))
    repository.write('../outside/a.txt', 'not yours\n')
    repository.remove('directory')
    symlinkSync('../outside', repository.at('directory'))
    const carried = await carry(repository)
    const { agent } = carried
    expect(sightOf(agent)).toEqual(sightOf(repository))
    agent.remove('directory')
    agent.write('directory/a.txt', 'a\n')
    const result = await collect(carried)
    expect(changesIn(carried, result)).toEqual(['D directory', 'A directory/a.txt'])
  })

  it('in place of a directory, by the agent: nothing behind it is taken', async () => {
    const repository = makeRepository(makeScene())
    mkdirSync(repository.at('../outside'))
    repository.write('../outside/a.txt', 'not yours\n')
    const carried = await carry(repository)
    carried.agent.remove('directory')
    symlinkSync(repository.at('../outside'), carried.agent.at('directory'))
    const result = await collect(carried)
    expect(changesIn(carried, result)).toEqual([
      'A directory',
      'D directory/a.txt',
      'D directory/b.txt',
    ])
  })

  it('with core.symlinks=false are small files, for caller, agent and result alike', async () => {
    const repository = makeRepository(makeScene())
    symlinkSync('kept.txt', repository.at('link'))
    symlinkSync('kept.txt', repository.at('other'))
    repository.commit()
    repository.git('config', 'core.symlinks', 'false')
    repository.git('checkout', '-q', '-f', 'HEAD')
    repository.remove('link')
    repository.remove('other')
    repository.write('link', 'edited.txt')
    repository.write('other', 'kept.txt')
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([])
    expect(sightOf(carried.agent)).toEqual(sightOf(repository))
    expect(repository.git('ls-tree', carried.base.changes?.snapshot ?? '', 'link')).toMatch(
      /^120000/,
    )
    carried.agent.write('other', 'script.sh')
    const result = await collect(carried)
    expect(changesIn(carried, result)).toEqual(['M other'])
    expect(repository.git('ls-tree', result.commit, 'other')).toMatch(/^120000/)
  })
})
