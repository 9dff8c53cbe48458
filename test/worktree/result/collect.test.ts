import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type TaskId, worktreeIdOf } from '../../../src/domain/ids.ts'
import { type Base, baseTreeCommit } from '../../../src/domain/task.ts'
import type { CollectedResult, WorktreeRecord } from '../../../src/ports/worktrees.ts'
import {
  filesOf,
  limits,
  makePayload,
  makeRepository,
  makeScene,
  nextTask,
  Repository,
  type Scene,
} from '../scene.ts'

interface Made {
  readonly scene: Scene
  readonly repository: Repository
  readonly task: TaskId
  readonly base: Base
  readonly record: WorktreeRecord
  /** The worktree, as an agent writes to it. */
  readonly agent: Repository
  readonly results: string
}

/** A worktree made from `prepare`d changes. */
async function makeMade(
  prepare: (repository: Repository) => void = () => undefined,
  format: 'sha1' | 'sha256' = 'sha1',
): Promise<Made> {
  const scene = makeScene()
  const repository = makeRepository(scene, { format })
  prepare(repository)
  const task = nextTask()
  const checkout = await repository.open()
  const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, limits)
  const record = await scene.worktrees.createWorktree(
    worktreeIdOf(task),
    join(scene.top, 'worktrees', task),
    base,
    checkout.place.commonDir,
  )
  const results = join(scene.top, 'results')
  mkdirSync(results)
  return {
    scene,
    repository,
    task,
    base,
    record,
    results,
    agent: new Repository(scene, record.path),
  }
}

const collect = ({ scene, record, base, task, results }: Made): Promise<CollectedResult> =>
  scene.worktrees.collectResult(record, base, task, results)

const dirty = (repository: Repository) => {
  repository.write('edited.txt', 'one\nof the caller\nthree\n')
  repository.git('add', 'edited.txt')
  repository.write('callers.txt', 'untracked by the caller\n')
}

const patchOf = ({ results }: Made) => readFileSync(join(results, 'result.patch'), 'utf8')

/** A checkout of the base's tree with the patch applied, apart from everything. */
function applyPatch({ scene, repository, base, results }: Made): Repository {
  const clone = new Repository(scene, join(scene.top, 'applied'))
  repository.git('worktree', 'add', '-q', '--detach', clone.root, baseTreeCommit(base))
  const patch = join(results, 'result.patch')
  if (readFileSync(patch).length > 0) clone.git('apply', '--binary', patch)
  return clone
}

it('leaves nothing beside its files, also of a try that was killed', async () => {
  const made = await makeMade()
  const scratch = join(made.results, 'collecting')
  mkdirSync(join(scratch, 'index-x'), { recursive: true })
  writeFileSync(join(scratch, 'result.patch'), 'half a pa')
  made.agent.write('made.txt', 'new\n')
  await collect(made)
  expect(readdirSync(made.results).sort()).toEqual(['result.bundle', 'result.patch'])
  expect(patchOf(made)).toContain('+new')
})

const works: { name: string; work: (agent: Repository) => void }[] = [
  {
    name: 'edits, new files, deletions and an exec bit',
    work: agent => {
      agent.write('edited.txt', 'one\nof the agent\nthree\n')
      agent.write('made/by/agent.txt', 'new\n')
      agent.remove('removed.txt')
      chmodSync(agent.at('script.sh'), 0o755)
    },
  },
  {
    name: 'names with newlines, quotes, tabs, and letters beyond ASCII',
    work: agent => {
      for (const name of [
        'line\nbreak',
        'quo"te',
        'tab\tbed',
        'größe',
        ' spaces ',
        'back\\slash',
      ]) {
        agent.write(name, `${name}\n`)
      }
    },
  },
  {
    name: 'links, binary and empty files',
    work: agent => {
      symlinkSync('/etc/passwd', agent.at('outward'))
      agent.remove('kept.txt')
      symlinkSync('edited.txt', agent.at('kept.txt'))
      agent.write('binary', Buffer.from(Array.from({ length: 3000 }, (_, n) => (n * 7) % 256)))
      agent.write('empty', '')
      agent.write('no-newline', 'at the end')
    },
  },
  {
    name: 'a directory that became a file, and a file that became a directory',
    work: agent => {
      agent.remove('directory')
      agent.write('directory', 'a file\n')
      agent.remove('edited.txt')
      agent.write('edited.txt/inside', 'a directory\n')
    },
  },
  {
    name: 'files staged, unstaged again, and removed from the index',
    work: agent => {
      agent.write('staged.txt', 'staged\n')
      agent.git('add', 'staged.txt')
      agent.write('staged.txt', 'and edited\n')
      agent.git('rm', '-q', '--cached', 'kept.txt')
      agent.git('reset', '-q', '--', 'edited.txt')
    },
  },
  {
    name: 'edits hidden by index flags',
    work: agent => {
      agent.git('update-index', '--assume-unchanged', 'kept.txt')
      agent.git('update-index', '--skip-worktree', 'removed.txt')
      agent.write('kept.txt', 'hidden\n')
      agent.write('removed.txt', 'hidden\n')
    },
  },
  {
    name: 'a merge with conflicts left open',
    work: agent => {
      agent.git('stash', '-q', '-u')
      agent.git('checkout', '-q', '-b', 'agents-a')
      agent.write('kept.txt', 'a\n')
      agent.commit('a')
      agent.git('checkout', '-q', '-b', 'agents-b', 'HEAD~')
      agent.write('kept.txt', 'b\n')
      agent.commit('b')
      expect(() => agent.git('merge', '-q', 'agents-a')).toThrow()
    },
  },
  {
    name: 'no index any more',
    work: agent => {
      rmSync(join(agent.git('rev-parse', '--absolute-git-dir'), 'index'))
      agent.write('kept.txt', 'edited\n')
    },
  },
  {
    name: 'an index that is no index',
    work: agent => {
      writeFileSync(join(agent.git('rev-parse', '--absolute-git-dir'), 'index'), 'garbage')
      agent.write('kept.txt', 'edited\n')
    },
  },
]

describe.each([
  { from: 'a clean base', prepare: () => undefined },
  { from: 'a base with changes', prepare: dirty },
])('a result from $from', ({ prepare }) => {
  it.each(works)('holds, as commit, patch and bundle: $name', async ({ work }) => {
    const made = await makeMade(prepare)
    const { repository, agent, task, results, base } = made
    work(agent)

    const { commit, leftOut } = await collect(made)

    expect(leftOut).toEqual([])
    const asked = [`refs/holdfast/${task}/result`, `${commit}^1`, `${commit}^{tree}`]
    const [ref, parent, tree] = repository.git('rev-parse', ...asked).split('\n')
    expect([ref, parent]).toEqual([commit, baseTreeCommit(base)])
    expect(readdirSync(results).sort()).toEqual(['result.bundle', 'result.patch'])

    const applied = applyPatch(made)
    expect(filesOf(applied)).toEqual(filesOf(agent))
    applied.git('add', '-A', '--force')
    expect(applied.git('write-tree')).toBe(tree)
  })

  it('is in its bundle, with the agent’s commits, for whoever has the base commit', async () => {
    const made = await makeMade(prepare)
    const clone = new Repository(made.scene, join(made.scene.top, 'clone'))
    made.repository.git('clone', '-q', '--no-local', made.repository.root, clone.root)
    made.agent.write('committed.txt', 'by the agent\n')
    made.agent.commit()
    made.agent.write('edited.txt', 'not committed\n')
    const { commit } = await collect(made)
    const bundle = join(made.results, 'result.bundle')
    clone.git('bundle', 'verify', '-q', bundle)
    clone.git('fetch', '-q', bundle, `refs/holdfast/${made.task}/result`)
    expect(clone.git('rev-parse', 'FETCH_HEAD', 'FETCH_HEAD^2').split('\n')).toEqual([
      commit,
      made.agent.head(),
    ])
    clone.git('fsck', '--strict', '--no-dangling')
  })
})

describe('a result', () => {
  it('counts files and lines of the agent alone, and never shows the caller’s changes', async () => {
    const made = await makeMade(dirty)
    made.agent.write('edited.txt', 'one\nof the caller\nthree\nfour\n')
    made.agent.write('new.txt', '1\n2\n')
    made.agent.remove('removed.txt')
    made.agent.write('binary', Buffer.from([0, 1, 2]))
    expect(await collect(made)).toMatchObject({ files: 4, insertions: 3, deletions: 1 })
    expect(patchOf(made)).not.toContain('callers.txt')
    expect(patchOf(made)).not.toContain('+of the caller')
  })

  it.each([
    { from: 'a clean base', prepare: () => undefined },
    { from: 'a base with changes', prepare: dirty },
  ])('of an agent that changed nothing is $from, and an empty patch', async ({ prepare }) => {
    const made = await makeMade(prepare)
    const commit = baseTreeCommit(made.base)
    const nothing = { commit, files: 0, insertions: 0, deletions: 0, leftOut: [] }
    expect(await collect(made)).toEqual(nothing)
    expect(made.repository.git('rev-parse', `refs/holdfast/${made.task}/result`)).toBe(commit)
    expect(patchOf(made)).toBe('')
    expect(readdirSync(made.results)).toEqual(['result.patch'])
  })

  it('has what an agent took out of its index and edited, where git looks at no file twice', async () => {
    const made = await makeMade()
    made.agent.git('rm', '-q', '--cached', 'kept.txt')
    made.agent.git('config', 'core.ignoreStat', 'true')
    made.agent.write('kept.txt', 'hidden\n')
    const { commit } = await collect(made)
    expect(made.repository.git('show', `${commit}:kept.txt`)).toBe('hidden')
  })

  it('can be collected again: the newest counts, and no old bundle stays', async () => {
    const made = await makeMade()
    made.agent.write('new.txt', 'new\n')
    const first = await collect(made)
    made.agent.remove('new.txt')
    expect(await collect(made)).toMatchObject({ commit: made.base.commit, files: 0 })
    expect(existsSync(join(made.results, 'result.bundle'))).toBe(false)
    made.agent.write('new.txt', 'new\n')
    const third = await collect(made)
    expect(made.repository.tree(third.commit)).toBe(made.repository.tree(first.commit))
  })

  it('keeps the agent’s commits as parents, through the harshest gc', async () => {
    const made = await makeMade(dirty)
    made.agent.write('committed.txt', 'committed\n')
    made.agent.git('add', 'committed.txt')
    made.agent.git('commit', '-q', '-m', 'by the agent', '--', 'committed.txt')
    const own = made.agent.head()
    made.agent.write('after.txt', 'not committed\n')
    const { commit } = await collect(made)
    const parents = made.repository.git('rev-parse', `${commit}^1`, `${commit}^2`).split('\n')
    expect(parents).toEqual([made.base.changes?.snapshot, own])
    expect(patchOf(made)).toContain('+++ b/committed.txt')
    expect(patchOf(made)).not.toContain('callers.txt')
    made.agent.git('checkout', '-q', '--detach', made.base.commit)
    made.repository.git('reflog', 'expire', '--expire=now', '--all')
    made.repository.git('gc', '-q', '--prune=now')
    expect(made.repository.git('show', `${own}:committed.txt`)).toBe('committed')
    expect(made.repository.git('show', `${commit}:after.txt`)).toBe('not committed')
  })

  it('of an agent that committed and took it back on disk has its commits and no patch', async () => {
    const made = await makeMade()
    made.agent.write('new.txt', 'new\n')
    made.agent.commit()
    const own = made.agent.head()
    made.agent.remove('new.txt')
    const { commit, files } = await collect(made)
    expect(files).toBe(0)
    expect(patchOf(made)).toBe('')
    expect(made.repository.git('rev-parse', `${commit}^2`)).toBe(own)
    expect(existsSync(join(made.results, 'result.bundle'))).toBe(true)
  })

  it('of an agent on a branch without a commit is still what is on disk', async () => {
    const made = await makeMade()
    made.agent.git('checkout', '-q', '--orphan', 'agents-own')
    made.agent.write('new.txt', 'new\n')
    const { commit, files } = await collect(made)
    expect(files).toBe(1)
    expect(made.repository.git('show', '-s', '--format=%P', commit)).toBe(made.base.commit)
  })

  it('has the caller’s untracked files, even where the agent now ignores them', async () => {
    const made = await makeMade(dirty)
    made.agent.write('.gitignore', '*.ignored\ncallers.txt\nagents.txt\n')
    made.agent.write('agents.txt', 'ignored\n')
    const { commit } = await collect(made)
    const files = made.repository.git('ls-tree', '--name-only', commit).split('\n')
    expect(files).toContain('callers.txt')
    expect(files).not.toContain('agents.txt')
  })

  it('has ignored files that the agent added by force', async () => {
    const made = await makeMade()
    made.agent.write('wanted.ignored', 'wanted\n')
    made.agent.git('add', '--force', 'wanted.ignored')
    made.agent.write('unwanted.ignored', 'unwanted\n')
    const { commit } = await collect(made)
    const files = made.repository.git('ls-tree', '--name-only', commit).split('\n')
    expect(files).toContain('wanted.ignored')
    expect(files).not.toContain('unwanted.ignored')
  })

  it('works with SHA-256, as does a look at what there is so far', async () => {
    const made = await makeMade(dirty, 'sha256')
    made.agent.write('new.txt', 'new\n')
    const { scene, record, base, task } = made
    const patch = await scene.worktrees.diffNow(record, base, task, scene.scratch)
    const { commit } = await collect(made)
    expect(commit).toHaveLength(64)
    expect(Buffer.from(patch).toString()).toBe(patchOf(made))
  })

  it('looks the same whatever the user’s configuration of `git diff`', async () => {
    const made = await makeMade()
    made.agent.write('edited.txt', 'one\n2\nthree\n')
    await collect(made)
    const plain = patchOf(made)
    for (const [key, value] of [
      ['diff.noprefix', 'true'],
      ['diff.mnemonicPrefix', 'true'],
      ['diff.context', '0'],
      ['color.ui', 'always'],
      ['diff.external', 'false'],
      ['diff.renames', 'copies'],
    ] as const) {
      made.repository.git('config', key, value)
    }
    await collect(made)
    expect(plain).toContain('--- a/edited.txt')
    expect(patchOf(made)).toBe(plain)
  })
})

describe('a look at what there is so far', () => {
  it('is the patch, and writes nothing to the repository', async () => {
    const made = await makeMade(dirty)
    const { scene, record, base, task, repository } = made
    repository.write('.git/info/attributes', '*.dos text\n')
    made.agent.write('new.txt', 'new\n')
    made.agent.write('new.dos', 'one\r\ntwo\r\n')
    const inRepository = () =>
      execFileSync('find', [record.commonDir, '-type', 'f', '-newer', join(scene.top, 'stamp')], {
        encoding: 'utf8',
      })
    writeFileSync(join(scene.top, 'stamp'), '')
    const patch = Buffer.from(await scene.worktrees.diffNow(record, base, task, scene.scratch))
    expect(inRepository()).toBe('')
    expect(readdirSync(scene.scratch)).toEqual([])
    await collect(made)
    expect(inRepository()).not.toBe('')
    expect(patch.toString()).toBe(patchOf(made))
    expect(patch.toString()).toContain('+++ b/new.dos')
  })
})

describe('an agent that sets traps in its worktree', () => {
  it('and swaps its .git is found out; nothing of it runs', async () => {
    const made = await makeMade()
    const payload = makePayload(made.scene)
    renameSync(made.agent.at('.git'), made.agent.at('old-git'))
    made.agent.git('init', '-q')
    made.agent.git('config', 'core.fsmonitor', payload.program)
    made.agent.git('config', 'diff.external', payload.program)
    made.agent.git('config', 'filter.evil.clean', payload.program)
    made.agent.write('.gitattributes', '* filter=evil diff=evil\n')
    const hooks = ['reference-transaction', 'post-index-change', 'pre-commit']
    for (const hook of hooks) {
      made.agent.remove(`.git/hooks/${hook}`)
      mkdirSync(made.agent.at('.git/hooks'), { recursive: true })
      symlinkSync(payload.program, made.agent.at(`.git/hooks/${hook}`))
    }
    const { scene, record, base, task } = made
    expect(scene.worktrees.lookAtWorktree(record)).toBe('worktree_lost')
    await expect(collect(made)).rejects.toMatchObject({
      code: 'capture_failed',
      message: expect.stringContaining('worktree_lost'),
    })
    await expect(scene.worktrees.diffNow(record, base, task, scene.scratch)).rejects.toMatchObject({
      code: 'capture_failed',
    })
    expect(payload.hasRun()).toBe(false)
    expect(readdirSync(made.results)).toEqual([])
    // The trap is a real one: plain git walks into it.
    made.agent.gitBytes(['status'])
    expect(payload.hasRun()).toBe(true)
  })

  it('may name the user’s own filters, which do run', async () => {
    const made = await makeMade()
    made.repository.git('config', 'filter.upper.clean', 'tr a-z A-Z')
    made.agent.write('.gitattributes', '*.up filter=upper\n')
    made.agent.write('x.up', 'shout\n')
    const { commit } = await collect(made)
    expect(made.repository.git('show', `${commit}:x.up`)).toBe('SHOUT')
  })
})

it('drops every ref of a task, and of no other', async () => {
  const made = await makeMade(dirty)
  made.agent.write('new.txt', 'new\n')
  await collect(made)
  const other = nextTask()
  const checkout = await made.repository.open()
  await made.scene.worktrees.captureBase(checkout, other, made.scene.scratch, limits)
  await made.scene.worktrees.dropRefs(made.record.commonDir, [made.task])
  const refs = made.repository.git('for-each-ref', '--format=%(refname)', 'refs/holdfast/')
  expect(refs).toBe(`refs/holdfast/${other}/base`)
  await made.scene.worktrees.dropRefs(join(made.scene.top, 'no repository'), [made.task])
})

it('dropped refs leave no directory of ours behind, and those of others alone', async () => {
  const made = await makeMade()
  const { repository, scene, task, record } = made
  repository.git('config', 'core.logAllRefUpdates', 'always')
  await collect(made)
  repository.git('update-ref', `refs/holdfast/${task}/undo/1`, 'HEAD')
  const within = join(record.commonDir, 'refs/holdfast')
  mkdirSync(join(within, task, 'emptied/long ago'), { recursive: true })
  repository.git('update-ref', 'refs/holdfast/another001/base', 'HEAD')
  expect(await scene.worktrees.dropRefs(record.commonDir, [task])).toBe(3)
  expect(readdirSync(within)).toEqual(['another001'])
  expect(readdirSync(join(record.commonDir, 'logs/refs/holdfast'))).toEqual(['another001'])
  repository.git('update-ref', '-d', 'refs/holdfast/another001/base')
  expect(await scene.worktrees.dropRefs(record.commonDir, [task])).toBe(0)
  expect(existsSync(within)).toBe(false)
  expect(existsSync(join(record.commonDir, 'logs/refs/holdfast'))).toBe(false)
})

describe('what git ignores because the agent told it to', () => {
  it('is named, and what your own rules ignore is not', async () => {
    const made = await makeMade(repository => {
      repository.write('.gitignore', '*.ignored\nnode_modules\n')
      repository.commit()
    })
    const { agent } = made
    agent.write('node_modules/a/index.js', 'installed\n')
    agent.write('node_modules/a/.gitignore', '*\n')
    agent.write('cache.ignored', 'yours\n')
    expect((await collect(made)).leftOut).toEqual([])
    agent.write('priv/p', 'work\n')
    agent.write('priv/.gitignore', '*\n')
    agent.write('sub/.gitignore', 'out/\n')
    agent.write('sub/out/deep/file', 'work\n')
    agent.write('sub/seen', 'seen\n')
    expect((await collect(made)).leftOut).toEqual([
      'not taken: ignored by rules that the agent changed: priv/.gitignore, priv/p, sub/out/',
    ])
  })

  it('also by a line that it adds to yours', async () => {
    const made = await makeMade()
    made.agent.write('notes.txt', 'work\n')
    made.agent.write('.gitignore', '*.ignored\nnotes.txt\n')
    const { leftOut, files } = await collect(made)
    expect(leftOut).toEqual(['not taken: ignored by rules that the agent changed: notes.txt'])
    expect(files).toBe(1)
  })
})
