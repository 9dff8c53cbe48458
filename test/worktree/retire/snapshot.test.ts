/** A worktree is put away and brought back: the same bytes, index and HEAD, or it stays. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { SnapshotContent } from '../../../src/domain/snapshot.ts'
import type { SetUpTime, WorktreeRecord } from '../../../src/ports/worktrees.ts'
import { plainUserTest } from '../../other-users.ts'
import { runAsNobody } from '../as-nobody.ts'
import * as scenes from '../scene.ts'
import { emptyTrash, filesOf, limits, makeLinked, Repository, unleased } from '../scene.ts'
import { sources } from '../sources.ts'

interface Made extends scenes.Made {
  /** Where ignored files go. */
  readonly beside: string
}

async function makeMade(
  prepare: (repository: Repository) => void = () => undefined,
): Promise<Made> {
  const made = await scenes.makeMade(prepare)
  const beside = join(made.scene.top, 'snapshots')
  mkdirSync(beside, { mode: 0o700 })
  return { ...made, beside }
}

const snapshot = ({ scene, record, beside }: Made, bounds = limits, setUpAt: SetUpTime = null) =>
  scene.worktrees.takeSnapshot(record, 1, beside, bounds, setUpAt)
const retire = ({ scene, record, beside }: Made, content: SnapshotContent) =>
  scene.worktrees.retireWorktree(unleased(record), content, beside, scene.trash)

function restore(made: Made, content: SnapshotContent, path = made.record.path) {
  const { id, commonDir } = made.record
  return made.scene.worktrees.restoreWorktree({ id, path, commonDir }, content, made.beside)
}

/** All that a person could miss. */
function stateOf(repository: Repository) {
  return {
    files: filesOf(repository),
    index: repository.git('ls-files', '--stage', '-v', '-z'),
    status: repository.git('status', '--porcelain=v2', '-z', '--untracked-files=all', '--ignored'),
    head: repository.git('rev-parse', 'HEAD'),
    branch: repository.git('branch', '--show-current'),
  }
}

async function throughSnapshot(made: Made): Promise<SnapshotContent> {
  const content = await snapshot(made)
  await retire(made, content)
  expect(existsSync(made.record.path)).toBe(false)
  expect(await emptyTrash(made.scene)).toEqual([])
  expect(readdirSync(made.scene.trash)).toEqual([])
  expect(existsSync(made.record.gitDir)).toBe(false)
  // Whatever no ref holds is gone now.
  made.repository.git('reflog', 'expire', '--all', '--expire=now')
  made.repository.git('gc', '--quiet', '--prune=now')
  expect(await restore(made, content)).toMatchObject({ problems: [] })
  return content
}

describe('is brought back to the byte', () => {
  it.each(sources)('with $name', async ({ prepare }) => {
    const made = await makeMade()
    prepare(made.agent)
    const before = stateOf(made.agent)
    const source = stateOf(made.repository)
    await throughSnapshot(made)
    expect(stateOf(made.agent)).toEqual(before)
    expect(stateOf(made.repository)).toEqual(source)
    made.repository.git('fsck', '--strict', '--no-dangling')
  })

  it.each(sources)('when it was made of $name', async ({ prepare }) => {
    const made = await makeMade(prepare)
    made.agent.write('kept.txt', 'the agent’s\n')
    const before = stateOf(made.agent)
    await throughSnapshot(made)
    expect(stateOf(made.agent)).toEqual(before)
  })

  it('twice over', async () => {
    const made = await makeMade()
    made.agent.write('new.txt', 'new\n')
    const content = await throughSnapshot(made)
    expect(await snapshot({ ...made, record: await found(made) })).toEqual({
      ...content,
      state: expect.objectContaining({ commit: content.state.commit }),
      begunAt: expect.stringMatching(/^\d+$/),
    })
  })

  it('with commits that nothing else holds', async () => {
    const made = await makeMade()
    made.agent.write('first.txt', 'first\n')
    made.agent.commit('first')
    made.agent.write('second.txt', 'second\n')
    const head = made.agent.commit('second')
    await throughSnapshot(made)
    expect(made.agent.head()).toBe(head)
    expect(made.agent.git('log', '-1', '--format=%s', 'HEAD~1')).toBe('first')
  })
})

/** The record of the worktree as it stands now. */
async function found({ scene, record }: Made): Promise<WorktreeRecord> {
  const place = { ...record, kind: 'managed' } as const
  const recognised = scene.worktrees.recogniseWorktree(place)
  if (recognised === undefined) throw new Error('it is not there')
  return recognised
}

describe('ignored files', () => {
  it('are kept beside it, privately, and never become objects', async () => {
    const made = await makeMade()
    made.repository.write('.git/info/exclude', 'build/\n*.env\n')
    made.agent.write('secret.env', 'TOKEN=hunter2\n')
    chmodSync(made.agent.at('secret.env'), 0o600)
    made.agent.write('build/deep/down/out.bin', Buffer.alloc(3_000_000, 7))
    symlinkSync('/etc/hostname', made.agent.at('build/outward'))
    const content = await throughSnapshot(made)
    expect(content.ignored).toMatchObject({ files: 3, dropped: [] })
    expect(readFileSync(made.agent.at('secret.env'), 'utf8')).toBe('TOKEN=hunter2\n')
    expect(statSync(made.agent.at('secret.env')).mode & 0o777).toBe(0o600)
    expect(readFileSync(made.agent.at('build/deep/down/out.bin'))).toEqual(
      Buffer.alloc(3_000_000, 7),
    )
    expect(lstatSync(made.agent.at('build/outward')).isSymbolicLink()).toBe(true)
    for (const name of readdirSync(made.beside)) {
      expect(statSync(join(made.beside, name)).mode & 0o077).toBe(0)
    }
    const objects = made.repository.git('cat-file', '--batch-all-objects', '--batch-check')
    const blobs = objects.split('\n').filter(line => line.includes(' blob '))
    const texts = blobs.map(line =>
      made.repository.git('cat-file', 'blob', line.split(' ')[0] ?? ''),
    )
    expect(texts.some(text => text.includes('hunter2'))).toBe(false)
  })

  it('that a program makes anew are not kept, and are named', async () => {
    const made = await makeMade()
    made.repository.write('.git/info/exclude', 'node_modules\ntarget\n')
    made.agent.write('node_modules/left-pad/index.js', 'x')
    made.agent.write('packages/a/node_modules/b/index.js', 'x')
    made.agent.write(
      'target/CACHEDIR.TAG',
      'Signature: 8a477f597d28d172789f06886806bc55\n# by cargo\n',
    )
    made.agent.write('target/debug/program', 'x')
    const { ignored } = await throughSnapshot(made)
    expect(ignored.files).toBe(0)
    expect([...ignored.dropped].sort()).toEqual([
      'node_modules/',
      'packages/a/node_modules/',
      'target/',
    ])
    expect(existsSync(made.agent.at('node_modules'))).toBe(false)
  })

  it('of a directory that only looks like a cache are kept', async () => {
    const made = await makeMade()
    made.repository.write('.git/info/exclude', 'target\n')
    made.agent.write('target/notes.txt', 'months of work\n')
    expect((await throughSnapshot(made)).ignored).toMatchObject({ files: 1, dropped: [] })
    expect(readFileSync(made.agent.at('target/notes.txt'), 'utf8')).toBe('months of work\n')
  })
})

it('what set-up has made is left to it, but not what somebody has touched since', async () => {
  const made = await makeMade()
  made.repository.write('.git/info/exclude', 'built/\ntouched/\n')
  made.agent.write('built/deep/a.bin', 'by set-up\n')
  made.agent.write('touched/a.bin', 'by set-up\n')
  made.agent.write('local.ignored', 'by set-up\n')
  await sleep(20)
  const mark = join(made.scene.top, 'mark')
  writeFileSync(mark, '')
  const setUpAt = statSync(mark, { bigint: true }).ctimeNs
  await sleep(20)
  made.agent.write('touched/b.bin', 'by hand\n')
  const content = await snapshot(made, limits, setUpAt)
  // Of a directory that was touched all is kept, and single files always are.
  expect(content.ignored).toMatchObject({ files: 3, dropped: ['built/'] })
  await retire(made, content)
  await restore(made, content)
  expect(existsSync(made.agent.at('built'))).toBe(false)
  expect(readFileSync(made.agent.at('touched/a.bin'), 'utf8')).toBe('by set-up\n')
  expect(readFileSync(made.agent.at('local.ignored'), 'utf8')).toBe('by set-up\n')
})

plainUserTest(
  'an ignored directory that nobody may open is named, and the worktree stays',
  async () => {
    const made = await makeMade()
    made.repository.write('.git/info/exclude', 'outer/\n')
    made.agent.write('outer/closed/secret', 'x')
    const { scene, record, beside } = made
    const said = await runAsNobody(
      scene,
      ['snapshot', JSON.stringify(record), beside],
      [made.agent.at('outer/closed').toString()],
    )
    expect(said).toEqual({ code: 'work_left', message: expect.stringContaining('outer/') })
    expect(existsSync(record.path)).toBe(true)
  },
)

describe('stays as it is', () => {
  it.each<[string, string, (made: Made) => void]>([
    [
      'with a repository inside',
      'inner/',
      ({ agent, scene }) => {
        mkdirSync(agent.at('inner'))
        const inner = new Repository(scene, agent.at('inner').toString())
        inner.git('init', '-q')
        inner.write('file', 'x')
        inner.commit()
      },
    ],
    [
      'with an ignored repository inside',
      'a repository of its own',
      ({ agent, repository, scene }) => {
        repository.write('.git/info/exclude', 'vendor/\n')
        mkdirSync(agent.at('vendor/inner'), { recursive: true })
        new Repository(scene, agent.at('vendor/inner').toString()).git('init', '-q')
      },
    ],
    [
      'in the middle of a merge',
      'a merge',
      ({ agent }) => {
        agent.write('kept.txt', 'ours\n')
        const ours = agent.commit('ours')
        agent.git('checkout', '-q', '--detach', 'HEAD~1')
        agent.write('kept.txt', 'theirs\n')
        agent.commit('theirs')
        try {
          agent.git('merge', '-q', ours)
        } catch {
          // It conflicts: that is the point.
        }
      },
    ],
  ])('%s', async (_name, words, prepare) => {
    const made = await makeMade()
    prepare(made)
    const before = stateOf(made.agent)
    await expect(snapshot(made)).rejects.toMatchObject({
      code: 'work_left',
      message: expect.stringContaining(words),
    })
    expect(stateOf(made.agent)).toEqual(before)
    expect(made.repository.git('for-each-ref', 'refs/holdfast/*/snapshot')).toBe('')
  })

  it('with more ignored files than are kept', async () => {
    const made = await makeMade()
    for (let n = 0; n < 4; n++) made.agent.write(`${n}.ignored`, 'x')
    const refused = snapshot(made, { ...limits, maxFiles: 3 })
    await expect(refused).rejects.toMatchObject({
      code: 'work_left',
      message: expect.stringContaining('4 ignored files'),
    })
  })

  it.each<[string, (agent: Repository) => void]>([
    ['a new file', agent => agent.write('late.txt', 'late\n')],
    ['an edit', agent => agent.write('kept.txt', 'late\n')],
    ['other line ends alone', agent => agent.write('converted.auto', 'one\r\ntwo\r\n')],
    ['a new ignored file', agent => agent.write('late.ignored', 'late\n')],
    ['an edit of an ignored file', agent => agent.write('kept.ignored', 'LATE\n')],
    [
      'an ignored file replaced',
      agent => {
        agent.write('../other', 'soon\n')
        renameSync(agent.at('../other'), agent.at('kept.ignored'))
      },
    ],
    [
      'something staged',
      agent => {
        const id = agent.gitBytes(['hash-object', '-w', '--stdin'], {}, Buffer.from('staged alone'))
        agent.git('update-index', '--cacheinfo', `100644,${id.toString().trim()},kept.txt`)
      },
    ],
    [
      'a commit',
      agent => {
        agent.git('commit', '-q', '--allow-empty', '-m', 'late')
      },
    ],
  ])('when after the snapshot comes %s', async (_name, late) => {
    const made = await makeMade(repository => {
      repository.write('.gitattributes', '*.auto text=auto\n')
      repository.write('converted.auto', 'one\ntwo\n')
      repository.commit()
    })
    made.agent.write('kept.ignored', 'soon\n')
    const content = await snapshot(made)
    late(made.agent)
    const before = stateOf(made.agent)
    await expect(retire(made, content)).rejects.toMatchObject({ code: 'work_left' })
    expect(stateOf(made.agent)).toEqual(before)
    expect(made.scene.worktrees.lookAtWorktree(made.record)).toBe('present')
  })
})

describe('HEAD', () => {
  const onBranch = async () => {
    const made = await makeMade()
    made.agent.git('checkout', '-q', '-b', 'agents-own')
    made.agent.write('new.txt', 'new\n')
    made.agent.commit()
    const content = await snapshot(made)
    await retire(made, content)
    return { made, content }
  }

  it('returns to its branch', async () => {
    const { made, content } = await onBranch()
    expect(await restore(made, content)).toMatchObject({ problems: [] })
    expect(made.agent.git('branch', '--show-current')).toBe('agents-own')
    expect(made.agent.git('status', '--porcelain')).toBe('')
  })

  it('never takes a branch that another worktree holds', async () => {
    const { made, content } = await onBranch()
    makeLinked(made.repository, 'holder').git('checkout', '-q', 'agents-own')
    const { problems } = await restore(made, content)
    expect(problems).toEqual([expect.stringContaining('is checked out in')])
    expect(made.agent.git('branch', '--show-current')).toBe('')
    expect(made.agent.head()).toBe(content.state.commit)
  })

  it('stays where it was if its branch went on', async () => {
    const { made, content } = await onBranch()
    made.repository.git('branch', '-f', 'agents-own', 'HEAD')
    const { problems } = await restore(made, content)
    expect(problems).toEqual([expect.stringContaining('was moved')])
    expect(made.agent.head()).toBe(content.state.commit)
  })
})

it('is not made where something is', async () => {
  const made = await makeMade()
  const content = await snapshot(made)
  await retire(made, content)
  mkdirSync(made.record.path)
  writeFileSync(join(made.record.path, 'mine.txt'), 'mine\n')
  await expect(restore(made, content)).rejects.toMatchObject({ code: 'refused_in_state' })
  expect(readFileSync(join(made.record.path, 'mine.txt'), 'utf8')).toBe('mine\n')
  const elsewhere = join(made.scene.top, 'elsewhere')
  expect(await restore(made, content, elsewhere)).toMatchObject({ problems: [] })
  expect(new Repository(made.scene, elsewhere).git('status', '--porcelain')).toBe('')
})

it('whose removal was killed after the rename is taken away by the next', async () => {
  const made = await makeMade()
  made.agent.write('kept.ignored', 'soon\n')
  const content = await snapshot(made)
  renameSync(made.record.path, join(made.scene.trash, made.record.id))
  await retire(made, content)
  expect(await emptyTrash(made.scene)).toEqual([])
  expect(readdirSync(made.scene.trash)).toEqual([])
  await restore(made, content)
  expect(readFileSync(made.agent.at('kept.ignored'), 'utf8')).toBe('soon\n')
})

it('is contained where it was merged, squashed or picked, and nowhere else', async () => {
  const made = await makeMade()
  made.agent.write('kept.txt', 'the agent’s\n')
  const { worktrees, scratch } = made.scene
  const { record, task, repository } = made
  const base = { commit: repository.head(), changes: null }
  const { commit } = await worktrees.collectResult(record, base, task, scratch)
  expect(await worktrees.isContained(record.commonDir, commit)).toBe(false)
  repository.write('kept.txt', 'the agent’s\n')
  repository.commit('squashed by hand')
  expect(await worktrees.isContained(record.commonDir, commit)).toBe(true)
  repository.write('other.txt', 'later\n')
  repository.commit('later')
  expect(await worktrees.isContained(record.commonDir, commit)).toBe(true)
})
