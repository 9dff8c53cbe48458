/** Submodules: the caller's come along with their changes, and the agent's work in them comes back. */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { RepositoryResult } from '../../../src/domain/outcome.ts'
import { baseTreeCommit } from '../../../src/domain/task.ts'
import {
  fingerprint,
  limits,
  makeLinked,
  makeRepository,
  makeScene,
  nextTask,
  Repository,
} from '../scene.ts'
import { ALLOWED, makeDirty, makeFresh, makeSuper, setTrap, within } from '../submodules.ts'
import { type Carried, carry, changesIn, collect, leftOutOf, sightOf } from './odd.ts'

const PARTS = ['.', 'lib/sub', 'lib/sub/deep']

/** Repository and submodules, each as a person or git sees it. */
const sightsOf = (repository: Repository) =>
  PARTS.map(part => [part, sightOf(within(repository, part)), within(repository, part).head()])

const fingerprintsOf = (repository: Repository) =>
  PARTS.map(part => fingerprint(within(repository, part)))

/** What was kept of the repositories inside. */
function keptBy({ results }: Carried) {
  const directory = join(results, 'repositories')
  if (!existsSync(directory)) return []
  const list: RepositoryResult[] = JSON.parse(
    readFileSync(join(directory, 'repositories.json'), 'utf8'),
  )
  return list.map(about => {
    const file = (of: string) => join(results, about.directory, `result.${of}`)
    const patch = existsSync(file('patch')) ? readFileSync(file('patch'), 'utf8') : null
    const bundle = existsSync(file('bundle')) ? file('bundle') : null
    return { ...about, text: patch, bundle }
  })
}

describe('submodules that nobody has initialised', () => {
  it('are empty for the agent too, and nothing is said', async () => {
    const repository = makeFresh()
    makeDirty(repository)
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([])
    expect(carried.base.submodules).toBeUndefined()
    expect(sightOf(carried.agent)).toEqual(sightOf(repository))
    expect(readdirSync(carried.agent.at('lib/sub'))).toEqual([])
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })
  })

  it('and the agent initialises: its commits and edits are kept, patch and bundle', async () => {
    const repository = makeFresh()
    const carried = await carry(repository)
    const { agent } = carried
    agent.git(...ALLOWED, 'submodule', '-q', 'update', '--init', '--recursive')
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })
    expect(keptBy(carried)).toEqual([])

    const sub = within(agent, 'lib/sub')
    sub.git('checkout', '-q', '-b', 'agents')
    sub.write('committed.txt', 'committed\n')
    sub.commit('by the agent')
    sub.write('edited.txt', 'not committed\n')
    const deep = within(agent, 'lib/sub/deep')
    deep.write('untracked.txt', 'not committed\n')
    const { files, leftOut, repositories } = await collect(carried)
    expect(files).toBe(0)
    const kept = join(carried.results, 'repositories')
    const apart = 'not in the patch, a repository of its own'
    expect([...leftOut].sort()).toEqual([
      `lib/sub/deep: ${apart}: 1 file +1 -0, kept in ${kept}/1`,
      `lib/sub: ${apart}: 2 files +2 -3, 1 commit, kept in ${kept}/0`,
      `lib/sub: not taken: this submodule stands on ${sub.head()}, which only its own repository has`,
    ])
    expect(repositories).toEqual([
      {
        path: 'lib/sub',
        directory: 'repositories/0',
        files: 2,
        insertions: 2,
        deletions: 3,
        commits: 1,
      },
      {
        path: 'lib/sub/deep',
        directory: 'repositories/1',
        files: 1,
        insertions: 1,
        deletions: 0,
        commits: 0,
      },
    ])
    const [first, second] = keptBy(carried)
    expect(first?.text).toContain('+++ b/committed.txt')
    expect(first?.text).toContain('+not committed')
    expect(second?.text).toContain('+++ b/untracked.txt')
    // Whoever has the submodule can take it.
    const taker = new Repository(repository.scene, join(repository.scene.top, 'origin-sub'))
    taker.git('fetch', '-q', first?.bundle ?? '', 'refs/heads/agents:refs/heads/taken')
    expect(taker.git('show', 'taken:committed.txt')).toBe('committed')
    taker.git(
      'apply',
      '--check',
      '--directory=',
      join(carried.results, 'repositories/0/result.patch'),
    )
  })
})

describe('submodules that the caller has populated', () => {
  it('come along, clean, as deep as they go', async () => {
    const repository = makeSuper()
    const before = fingerprintsOf(repository)
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([])
    expect(sightsOf(carried.agent)).toEqual(sightsOf(repository))
    expect(carried.agent.git('submodule', 'status', '--recursive')).toBe(
      repository.git('submodule', 'status', '--recursive').replaceAll(/ \(.*?\)/g, match => match),
    )
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })
    expect(keptBy(carried)).toEqual([])
    expect(fingerprintsOf(repository)).toEqual(before)
  })

  it('come along with staged, unstaged and untracked changes, which are not the agent’s', async () => {
    const repository = makeSuper()
    for (const part of PARTS) makeDirty(within(repository, part))
    const before = fingerprintsOf(repository)
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([])
    expect(sightsOf(carried.agent)).toEqual(sightsOf(repository))
    expect(fingerprintsOf(repository)).toEqual(before)
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })

    within(carried.agent, 'lib/sub').write('kept.txt', 'edited\nagent\n')
    within(carried.agent, 'lib/sub/deep').write('untracked.txt', 'mine\nagent\n')
    expect(await collect(carried)).toMatchObject({ files: 0 })
    const added = keptBy(carried).map(({ path, text }) => [path, text?.match(/^[-+]\w.*$/gm)])
    expect(added).toEqual([
      ['lib/sub', ['+agent']],
      ['lib/sub/deep', ['+agent']],
    ])
    expect(fingerprintsOf(repository)).toEqual(before)
  })

  it('come along on other commits than are recorded, staged or not, pushed or not', async () => {
    const repository = makeSuper()
    const sub = within(repository, 'lib/sub')
    sub.write('staged.txt', 'never pushed\n')
    sub.commit('never pushed, and staged')
    repository.git('add', 'lib/sub')
    sub.write('after.txt', 'never pushed\n')
    sub.commit('never pushed, nor staged')
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([])
    expect(sightsOf(carried.agent)).toEqual(sightsOf(repository))
    const { staged, snapshot } = carried.base.changes ?? {}
    expect(repository.git('rev-parse', `${staged}:lib/sub`)).toBe(sub.git('rev-parse', 'HEAD~'))
    expect(repository.git('rev-parse', `${snapshot}:lib/sub`)).toBe(sub.head())
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })
  })

  it('come along through the harshest gc, and with the repository’s own rules', async () => {
    const repository = makeSuper()
    const sub = within(repository, 'lib/sub')
    sub.git('config', 'filter.upper.clean', 'tr a-z A-Z')
    sub.git('config', 'filter.upper.smudge', 'tr A-Z a-z')
    sub.write('.gitattributes', '*.up filter=upper\n')
    sub.write('x.up', 'shout\n')
    sub.write('hidden.txt', 'ignored by a rule of the repository\n')
    sub.write('../../.git/modules/lib/sub/info/exclude', 'hidden.txt\n')
    sub.git('update-index', '--assume-unchanged', 'kept.txt')
    sub.write('kept.txt', 'hidden edit\n')
    const carried = await carry(repository)
    const inside = within(carried.agent, 'lib/sub')
    expect(readFileSync(inside.at('x.up'), 'utf8')).toBe('shout\n')
    expect(inside.git('status', '--porcelain')).toBe(sub.git('status', '--porcelain'))
    expect(existsSync(inside.at('hidden.txt'))).toBe(false)
    sub.git('reset', '-q', '--hard')
    sub.git('clean', '-q', '-fdx')
    sub.git('reflog', 'expire', '--expire=now', '--all')
    sub.git('gc', '-q', '--prune=now')
    inside.write('x.up', 'shout\nagent\n')
    expect(await collect(carried)).toMatchObject({ files: 0 })
    expect(keptBy(carried).map(({ text }) => text?.match(/^[-+]\w.*$/gm))).toEqual([['+AGENT']])
  })

  it('and the agent commits in: what is new is kept, and what is there already is not', async () => {
    const repository = makeSuper()
    const carried = await carry(repository)
    const sub = within(carried.agent, 'lib/sub')
    sub.write('first.txt', 'first\n')
    sub.commit('first')
    sub.git('tag', '-a', '-m', 'tagged', 'agents-tag')
    sub.write('stashed.txt', 'stashed\n')
    sub.git('add', 'stashed.txt')
    sub.git('stash', '-q')
    sub.git('checkout', '-q', '--detach')
    sub.write('second.txt', 'second\n')
    sub.commit('second')
    carried.agent.git('add', 'lib/sub')
    carried.agent.git('commit', '-q', '-m', 'bump')
    const result = await collect(carried)
    expect(changesIn(carried, result)).toEqual([])
    const [kept] = keptBy(carried)
    // Two commits, and the two that a stash is made of.
    expect(kept).toMatchObject({ path: 'lib/sub', commits: 4 })
    const heads = repository.git('bundle', 'list-heads', kept?.bundle ?? '')
    expect(
      heads
        .split('\n')
        .map(line => line.split(' ')[1])
        .sort(),
    ).toEqual([
      `refs/holdfast/${carried.task}/head`,
      `refs/holdfast/${carried.task}/result`,
      'refs/stash',
      'refs/tags/agents-tag',
    ])
    within(repository, 'lib/sub').git('fetch', '-q', kept?.bundle ?? '', 'refs/holdfast/*:refs/x/*')
  })

  it('and the agent moves to a commit that others have: the result says which', async () => {
    const repository = makeSuper()
    const origin = new Repository(repository.scene, join(repository.scene.top, 'origin-sub'))
    origin.write('upstream.txt', 'upstream\n')
    const upstream = origin.commit('upstream')
    const carried = await carry(repository)
    const sub = within(carried.agent, 'lib/sub')
    sub.git('fetch', '-q')
    sub.git('checkout', '-q', upstream)
    const result = await collect(carried)
    expect(changesIn(carried, result)).toEqual(['M lib/sub'])
    expect(repository.git('rev-parse', `${result.commit}:lib/sub`)).toBe(upstream)
    expect(keptBy(carried)).toEqual([])
    expect(result.leftOut).toEqual([])
  })

  it('and the agent removes, empties, replaces', async () => {
    const repository = makeSuper()
    const carried = await carry(repository)
    const { agent } = carried
    agent.git('rm', '-q', '-f', 'lib/sub')
    expect(changesIn(carried, await collect(carried))).toEqual(['M .gitmodules', 'D lib/sub'])
    agent.write('lib/sub', 'a file\n')
    expect(changesIn(carried, await collect(carried))).toEqual(['M .gitmodules', 'T lib/sub'])
    agent.remove('lib/sub')
    symlinkSync('/etc', agent.at('lib/sub'))
    expect(changesIn(carried, await collect(carried))).toEqual(['M .gitmodules', 'T lib/sub'])
  })

  it('and the agent makes files of: they are files of the result', async () => {
    const repository = makeSuper()
    const carried = await carry(repository)
    const { agent } = carried
    agent.git('rm', '-q', '--cached', 'lib/sub')
    agent.remove('lib/sub/.git')
    agent.remove('lib/sub/deep/.git')
    agent.write('lib/sub/edited.txt', 'the agent’s\n')
    const untracked = changesIn(carried, await collect(carried))
    expect(untracked).toContain('D lib/sub')
    expect(untracked).toContain('A lib/sub/edited.txt')
    expect(untracked).toContain('A lib/sub/deep/kept.txt')
    agent.git('add', '-A')
    expect(changesIn(carried, await collect(carried))).toEqual(untracked)
    expect(keptBy(carried)).toEqual([])
  })

  it('and another commit or no changes asked for: as that commit names them', async () => {
    const repository = makeSuper()
    const sub = within(repository, 'lib/sub')
    const old = sub.head()
    sub.write('newer.txt', 'newer\n')
    sub.commit('newer')
    repository.commit('newer')
    sub.write('untracked.txt', 'mine\n')
    const carried = await carry(repository, { changes: 'none' })
    expect(within(carried.agent, 'lib/sub').git('status', '--porcelain')).toBe('')
    expect(existsSync(carried.agent.at('lib/sub/newer.txt'))).toBe(true)
    const older = await carry(repository, { revision: 'HEAD~' })
    expect(within(older.agent, 'lib/sub').head()).toBe(old)
    expect(existsSync(older.agent.at('lib/sub/newer.txt'))).toBe(false)
    expect(existsSync(older.agent.at('lib/sub/deep/kept.txt'))).toBe(true)
    const oldest = await carry(repository, { revision: 'HEAD~2' })
    expect(existsSync(oldest.agent.at('lib'))).toBe(false)
    expect(await collect(older)).toMatchObject({ files: 0, leftOut: [] })
  })

  it('and are dropped with the base, in each repository', async () => {
    const repository = makeSuper()
    const { scene, record, task } = await carry(repository)
    const held = () =>
      PARTS.map(part => within(repository, part).git('for-each-ref', 'refs/holdfast/')).join('')
    expect(held()).toContain(`refs/holdfast/${task}/base`)
    await scene.worktrees.dropBase(record.commonDir, task)
    expect(held()).toBe('')
    const other = await carry(repository)
    await collect(other)
    expect(await scene.worktrees.dropRefs(record.commonDir, [other.task])).toBe(4)
    expect(held()).toBe('')
  })

  it('and are held for a task that starts from the same base', async () => {
    const repository = makeSuper()
    within(repository, 'lib/sub').write('untracked.txt', 'mine\n')
    const carried = await carry(repository)
    const { scene, record, base } = carried
    const again = 't999999999' as typeof carried.task
    await scene.worktrees.holdBase(record.commonDir, again, base)
    const [inner] = base.submodules ?? []
    const sub = within(repository, 'lib/sub')
    expect(sub.git('rev-parse', `refs/holdfast/${again}/base`)).toBe(
      inner === undefined ? '' : baseTreeCommit(inner.base),
    )
  })
})

it('a task that works in the checkout itself: only what it does is its work', async () => {
  const repository = makeSuper()
  for (const part of PARTS) makeDirty(within(repository, part))
  makeRepository(repository.scene, { name: 'repo/nested' })
  const { scene } = repository
  const checkout = await repository.open()
  const base = await scene.worktrees.captureBase(checkout, nextTask(), scene.scratch, limits)
  const record = scene.worktrees.borrowCheckout(checkout, 'in-place')
  const results = join(scene.top, 'in-place')
  mkdirSync(results)
  const carried: Carried = {
    scene,
    repository,
    base,
    record,
    results,
    task: nextTask(),
    agent: repository,
  }
  const leftOut = ['nested/: not taken: a repository inside the repository']
  expect(await collect(carried)).toMatchObject({ files: 0, leftOut })
  within(repository, 'lib/sub').write('kept.txt', 'edited\nagent\n')
  const result = await collect(carried)
  expect(result).toMatchObject({ files: 0, repositories: [{ path: 'lib/sub', files: 1 }] })
  expect(keptBy(carried)[0]?.text?.match(/^[-+]\w.*$/gm)).toEqual(['+agent'])
})

describe('what cannot come along is said before the start:', () => {
  it('submodules of a linked worktree, which go away with it', async () => {
    const main = makeSuper()
    const linked = makeLinked(main)
    linked.git(...ALLOWED, 'submodule', '-q', 'update', '--init')
    const carried = await carry(linked)
    expect(leftOutOf(carried)).toEqual([
      'lib/sub: not taken: a submodule whose repository does not lie in the main one; the task finds it empty',
    ])
    expect(readdirSync(carried.agent.at('lib/sub'))).toEqual([])
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })
  })

  it('a submodule that keeps its repository inside of itself', async () => {
    const repository = makeRepository(makeScene())
    const inner = makeRepository(repository.scene, { name: 'repo/inner' })
    repository.git('-c', 'advice.addEmbeddedRepo=false', 'add', 'inner')
    repository.commit()
    inner.write('edited.txt', 'edited\n')
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([
      'inner: not taken: a submodule whose repository does not lie in the main one; the task finds it empty',
    ])
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })
  })

  it('but what is too much in a submodule is too much for the task', async () => {
    const repository = makeSuper()
    for (const n of [1, 2, 3]) within(repository, 'lib/sub').write(`${n}.txt`, '')
    await expect(carry(repository, { maxFiles: 2 })).rejects.toMatchObject({
      code: 'changes_too_large',
    })
    for (const part of PARTS) {
      expect(within(repository, part).git('for-each-ref', 'refs/holdfast/')).toBe('')
    }
  })

  it('files in the place of a submodule, and one without a commit', async () => {
    const repository = makeFresh()
    repository.write('lib/sub/lost.txt', 'in the way\n')
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual(['lib/sub: not taken: files in the place of a submodule'])
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })
    repository.remove('lib/sub')
    mkdirSync(repository.at('lib/sub'))
    within(repository, 'lib/sub').git('init', '-q')
    expect(leftOutOf(await carry(repository))).toEqual([
      expect.stringMatching(/^lib\/sub: not taken: .*no commit/),
    ])
  })

  it('and files that the agent puts there are kept', async () => {
    const repository = makeFresh()
    const carried = await carry(repository)
    carried.agent.write('lib/sub/new.txt', 'where no repository is\n')
    const { files } = await collect(carried)
    expect(files).toBe(0)
    expect(keptBy(carried)).toMatchObject([
      { path: 'lib/sub', text: expect.stringContaining('+where no repository is') },
    ])
  })
})

describe('repositories that are no submodules', () => {
  it('of the caller are said before the start, and are nobody’s work', async () => {
    const repository = makeRepository(makeScene())
    makeRepository(repository.scene, { name: 'repo/nested' })
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual(['nested/: not taken: a repository inside the repository'])
    expect(existsSync(carried.agent.at('nested'))).toBe(false)
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })
    // As where a task works in the checkout itself.
    makeRepository(repository.scene, { name: `worktrees/${carried.task}/nested` })
    expect(await collect(carried)).toMatchObject({
      files: 0,
      leftOut: ['nested/: not taken: a repository inside the repository'],
    })
  })

  it('that the agent makes are plain files of the result, and their commits are kept', async () => {
    const carried = await carry(makeRepository(makeScene()))
    const { agent } = carried
    mkdirSync(agent.at('made/inside'), { recursive: true })
    const made = within(agent, 'made')
    made.git('init', '-q')
    made.write('.gitignore', 'junk\n')
    made.write('junk', 'ignored\n')
    made.write('a.txt', 'committed\n')
    made.commit('in a repository of its own')
    made.write('a.txt', 'edited\n')
    const deeper = within(agent, 'made/inside')
    deeper.git('init', '-q')
    deeper.write('b.txt', 'never committed\n')
    const result = await collect(carried)
    expect(changesIn(carried, result)).toEqual([
      'A made/.gitignore',
      'A made/a.txt',
      'A made/inside/b.txt',
    ])
    expect([...result.leftOut].sort()).toEqual([
      'made/: a repository; its files are taken as plain ones',
      'made/inside/: a repository; its files are taken as plain ones',
      `made: not in the patch, a repository of its own: 1 commit, kept in ${carried.results}/repositories/0`,
    ])
    const [kept] = keptBy(carried)
    const clone = join(carried.scene.top, 'clone')
    agent.git('clone', '-q', kept?.bundle ?? '', clone)
    expect(readFileSync(join(clone, 'a.txt'), 'utf8')).toBe('committed\n')
  })

  it('that the agent has added like submodules are plain files too', async () => {
    const carried = await carry(makeRepository(makeScene()))
    const { agent } = carried
    mkdirSync(agent.at('made'))
    const made = within(agent, 'made')
    made.git('init', '-q')
    made.write('a.txt', 'committed\n')
    made.commit('in a repository of its own')
    agent.git('-c', 'advice.addEmbeddedRepo=false', 'add', 'made')
    expect(changesIn(carried, await collect(carried))).toEqual(['A made/a.txt'])
    expect(keptBy(carried)).toMatchObject([{ path: 'made', commits: 1 }])
  })

  it('that the agent has cloned: the files are taken, what the remote has is not kept again', async () => {
    const carried = await carry(makeRepository(makeScene()))
    const other = makeRepository(carried.scene, { name: 'other' })
    carried.agent.git('clone', '-q', other.root, 'cloned')
    expect(await collect(carried)).toMatchObject({ files: 7 })
    expect(keptBy(carried)).toEqual([])
    const cloned = within(carried.agent, 'cloned')
    cloned.write('new.txt', 'new\n')
    cloned.commit('by the agent')
    await collect(carried)
    expect(keptBy(carried)).toMatchObject([{ path: 'cloned', commits: 1 }])
  })

  it('that the agent has added as real submodules are submodules of the result', async () => {
    const carried = await carry(makeRepository(makeScene()))
    const other = makeRepository(carried.scene, { name: 'other' })
    const { agent } = carried
    agent.git(...ALLOWED, 'submodule', '-q', 'add', other.root, 'added')
    within(agent, 'added').write('edited.txt', 'the agent’s\n')
    const result = await collect(carried)
    expect(changesIn(carried, result)).toEqual(['A .gitmodules', 'A added'])
    expect(agent.git('rev-parse', `${result.commit}:added`)).toBe(other.head())
    expect(keptBy(carried)).toMatchObject([{ path: 'added', commits: 0, files: 1 }])
  })

  it('under a name that is no text are said, and cost nothing else', async () => {
    const carried = await carry(makeRepository(makeScene()))
    const { agent } = carried
    const inside = (name: string) => Buffer.concat([Buffer.from([0x6e, 0xff]), Buffer.from(name)])
    agent.write(inside('/a.txt'), 'inside\n')
    agent.write(inside('/.git/HEAD'), 'ref: refs/heads/main\n')
    for (const name of ['/.git/objects', '/.git/refs']) mkdirSync(agent.at(inside(name)))
    agent.write('edited.txt', 'the agent’s\n')
    const result = await collect(carried)
    expect(changesIn(carried, result)).toEqual(['M edited.txt'])
    expect(result.leftOut).toEqual([
      expect.stringMatching(/^n.\/: not taken: a repository whose name is no UTF-8$/),
    ])
  })

  it('in a directory of tracked files: those are compared as ever', async () => {
    const carried = await carry(makeRepository(makeScene()))
    const { agent } = carried
    within(agent, 'directory').git('init', '-q')
    agent.write('directory/a.txt', 'edited\n')
    agent.write('directory/new.txt', 'new\n')
    const result = await collect(carried)
    expect(changesIn(carried, result)).toEqual(['M directory/a.txt', 'A directory/new.txt'])
  })

  it('that lead out of the worktree are not read; their files are', async () => {
    const scene = makeScene()
    const carried = await carry(makeRepository(scene))
    const secret = makeRepository(scene, { name: 'secret' })
    const { agent } = carried
    agent.write('pointing/.git', `gitdir: ${secret.root}/.git\n`)
    agent.write('pointing/a.txt', 'a\n')
    agent.git('worktree', 'add', '-q', '--detach', 'another')
    agent.write('another/new.txt', 'in a worktree in the worktree\n')
    const result = await collect(carried)
    expect(changesIn(carried, result)).toContain('A pointing/a.txt')
    expect(changesIn(carried, result)).toContain('A another/new.txt')
    expect(result.leftOut).toContainEqual(
      expect.stringMatching(/^pointing\/: .*its git directory lies elsewhere/),
    )
    expect(keptBy(carried)).toEqual([])
    agent.git('worktree', 'remove', '--force', 'another')
  })
})

describe('an agent that sets traps in a repository inside of its worktree', () => {
  it.each(['a submodule of the caller’s', 'one that it has made'])(
    '%s: nothing runs',
    async kind => {
      const scene = makeScene()
      const repository = makeSuper(scene)
      const carried = await carry(repository)
      const isMade = kind === 'one that it has made'
      const path = isMade ? 'made' : 'lib/sub'
      const inside = within(carried.agent, path)
      if (isMade) {
        mkdirSync(inside.root)
        inside.git('init', '-q')
        inside.write('a.txt', 'a\n')
        inside.commit()
      }
      const gitDir = inside.git('rev-parse', '--absolute-git-dir')
      const payload = setTrap(scene, inside, gitDir)
      const { leftOut, files } = await collect(carried)
      expect(payload.hasRun()).toBe(false)
      expect(leftOut.join('\n')).toContain('repositories/0')
      expect(files).toBe(isMade ? 3 : 0)
      const { record, base, task } = carried
      await scene.worktrees.diffNow(record, base, task, scene.scratch)
      expect(payload.hasRun()).toBe(false)
      // The trap is a real one: plain git walks into it.
      spawnSync('git', ['status'], { cwd: inside.root, env: scene.environment })
      expect(payload.hasRun()).toBe(true)
    },
  )

  it('and breaks it in every way: the rest is collected, and it is said', async () => {
    const repository = makeSuper()
    const breaks: ((gitDir: string) => void)[] = [
      gitDir => writeFileSync(join(gitDir, 'HEAD'), 'garbage'),
      gitDir => writeFileSync(join(gitDir, 'HEAD'), `${'1'.repeat(40)}\n`),
      gitDir =>
        writeFileSync(join(gitDir, 'packed-refs'), `${'2'.repeat(40)} refs/heads/x\nrubbish`),
      gitDir => writeFileSync(join(gitDir, 'index'), 'garbage'),
      gitDir => writeFileSync(join(gitDir, 'config'), '[garbage'),
      gitDir => writeFileSync(join(gitDir, 'objects/info/alternates'), '/nowhere\n'),
    ]
    for (const spoil of breaks) {
      const carried = await carry(repository)
      const { agent } = carried
      agent.write('edited.txt', 'the agent’s\n')
      agent.write('lib/sub/edited.txt', 'the agent’s\n')
      spoil(within(agent, 'lib/sub').git('rev-parse', '--absolute-git-dir'))
      const result = await collect(carried)
      expect(changesIn(carried, result)).toEqual(['M edited.txt'])
      expect(keptBy(carried).map(({ text }) => text)).toEqual([
        expect.stringContaining('+the agent’s'),
      ])
    }
  })
})
