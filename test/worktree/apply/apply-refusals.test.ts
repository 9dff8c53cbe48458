/** What an application refuses, by name; and then nothing is different, not an object. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import type { AppError } from '../../../src/domain/errors.ts'
import { exactly } from '../../exactly.ts'
import { fingerprint, makeRepository, makeScene, Repository } from '../scene.ts'
import {
  apply,
  type FinishedTask,
  finishTask,
  noTraces,
  type Story,
  traces,
  undo,
} from './apply-scene.ts'

const objectsOf = ({ mine }: FinishedTask) => mine.git('count-objects', '-v')

/** Refused with and without leave to write conflicts, and nothing is written. */
async function expectRefusal(task: FinishedTask, code: AppError['code'], ...words: string[]) {
  const before = exactly(task.mine)
  const all = fingerprint(task.mine)
  const objects = objectsOf(task)
  for (const mode of ['check', 'clean', 'conflicts'] as const) {
    const refusal = apply(task, { mode })
    await expect(refusal).rejects.toMatchObject({ code })
    for (const word of words) {
      await expect(refusal).rejects.toMatchObject({ message: expect.stringContaining(word) })
    }
  }
  expect(exactly(task.mine)).toEqual(before)
  expect(fingerprint(task.mine)).toEqual(all)
  expect(objectsOf(task)).toBe(objects)
  expect(traces(task)).toEqual(noTraces)
}

const adds = (path: string | Buffer) => (agent: Repository) => agent.write(path, 'by the agent\n')

describe('something of the user’s is in the way', () => {
  const cases: readonly (Story & { name: string; words: readonly string[] })[] = [
    {
      name: 'an untracked file with other content',
      agent: adds('notes.txt'),
      since: mine => mine.write('notes.txt', 'mine\n'),
      words: ['notes.txt', 'git does not know'],
    },
    {
      name: 'an ignored file with other content',
      agent: agent => {
        agent.write('notes.ignored', 'by the agent\n')
        agent.git('add', '--force', 'notes.ignored')
      },
      since: mine => mine.write('notes.ignored', 'mine\n'),
      words: ['notes.ignored', 'git ignores'],
    },
    {
      name: 'a file that the user ignores in a way of their own',
      agent: adds('notes.txt'),
      since: mine => {
        writeFileSync(join(mine.root, '.git/info/exclude'), 'notes.txt\n')
        mine.write('notes.txt', 'mine\n')
      },
      words: ['notes.txt', 'git ignores'],
    },
    {
      name: 'an ignored file of the same content that is a program',
      agent: adds('notes.txt'),
      since: mine => {
        writeFileSync(join(mine.root, '.git/info/exclude'), 'notes.txt\n')
        mine.write('notes.txt', 'by the agent\n')
        chmodSync(mine.at('notes.txt'), 0o755)
      },
      words: ['notes.txt'],
    },
    {
      name: 'a directory with ignored files where a file should be',
      agent: adds('cache'),
      since: mine => mine.write('cache/deep/file.ignored', 'mine\n'),
      words: ['cache', 'file.ignored'],
    },
    {
      name: 'a directory that held only what the agent deleted, and an ignored file',
      agent: agent => {
        agent.remove('directory')
        agent.write('directory', 'a file now\n')
      },
      since: mine => mine.write('directory/mine.ignored', 'mine\n'),
      words: ['directory', 'mine.ignored'],
    },
    {
      name: 'an ignored link that leads out of the checkout',
      agent: adds('out/notes.txt'),
      since: mine => {
        writeFileSync(join(mine.root, '.git/info/exclude'), 'out\n')
        mkdirSync(join(mine.scene.top, 'outside'))
        symlinkSync(join(mine.scene.top, 'outside'), mine.at('out'))
      },
      words: ['out/notes.txt', 'symbolic link'],
    },
    {
      name: 'an ignored file where a directory should be',
      agent: adds('build/notes.txt'),
      since: mine => {
        writeFileSync(join(mine.root, '.git/info/exclude'), 'build\n')
        mine.write('build', 'a file\n')
      },
      words: ['build/notes.txt', 'a file stands where'],
    },
    {
      name: 'a result that looks like an application',
      agent: adds('.holdfast-apply/f'),
      words: ['.holdfast-apply/f', 'apply itself'],
    },
    {
      name: 'a FIFO',
      agent: adds('pipe'),
      since: mine => void execFileSync('mkfifo', [join(mine.root, 'pipe')]),
      words: ['pipe', 'FIFO'],
    },
    {
      name: 'another repository',
      agent: adds('nested/notes.txt'),
      since: mine => {
        mkdirSync(mine.at('nested'))
        execFileSync('git', ['init', '-q', join(mine.root, 'nested')])
      },
      words: ['nested/notes.txt', 'another repository'],
    },
    {
      name: 'the edge of a sparse checkout, for a file that is changed',
      agent: agent => agent.write('directory/a.txt', 'by the agent\n'),
      before: mine => {
        mine.write('inside/file.txt', 'x\n')
        mine.commit()
      },
      since: mine => mine.git('sparse-checkout', 'set', 'inside'),
      words: ['directory/a.txt', 'sparse'],
    },
    {
      name: 'the edge of a sparse checkout, for a file that is new',
      agent: adds('directory/new.txt'),
      before: mine => {
        mine.write('inside/file.txt', 'x\n')
        mine.commit()
      },
      since: mine => mine.git('sparse-checkout', 'set', 'inside'),
      words: ['directory/new.txt', 'sparse'],
    },
  ]
  it.each(cases.map(story => [story.name, story] as const))(
    '%s',
    async (_, { words, ...story }) => {
      await expectRefusal(await finishTask(story), 'in_the_way', ...words)
    },
  )

  test('but not a file that is the same: it stays, and is not taken away again', async () => {
    const task = await finishTask({
      agent: agent => {
        agent.write('notes.ignored', 'the same\n')
        agent.git('add', '--force', 'notes.ignored')
        agent.write('plan.txt', 'the same\n')
        agent.write('kept.txt', 'by the agent\n')
      },
      since: mine => {
        mine.write('notes.ignored', 'the same\n')
        mine.write('plan.txt', 'the same\n')
      },
    })
    const before = exactly(task.mine)
    expect(await apply(task)).toMatchObject({
      kind: 'applied',
      files: [{ path: 'kept.txt', change: 'modified' }],
    })
    await undo(task)
    expect(exactly(task.mine)).toEqual(before)
  })

  test('in a sparse checkout what lies inside is applied, and what is absent may be deleted', async () => {
    const task = await finishTask({
      before: mine => {
        mine.write('inside/file.txt', 'x\n')
        mine.commit()
      },
      agent: agent => {
        agent.write('inside/file.txt', 'by the agent\n')
        agent.write('inside/new/file.txt', 'new\n')
        agent.remove('directory/a.txt')
      },
      since: mine => mine.git('sparse-checkout', 'set', 'inside'),
    })
    const before = exactly(task.mine)
    expect(await apply(task)).toMatchObject({ kind: 'applied', files: { length: 2 } })
    expect(exactly(task.mine).get('inside/new/file.txt')).toBe('644 new\n')
    expect(task.mine.git('status', '--short')).toBe(' M inside/file.txt\n?? inside/new/')
    await undo(task)
    expect(exactly(task.mine)).toEqual(before)
  })
})

describe('the checkout is in no state for it', () => {
  const work = (agent: Repository) => agent.write('kept.txt', 'by the agent\n')
  const diverge = (mine: Repository) => {
    mine.git('branch', 'other')
    mine.write('edited.txt', 'here\n')
    mine.commit('here')
    mine.git('checkout', '-q', 'other')
    mine.write('edited.txt', 'there\n')
    mine.commit('there')
  }
  const attempt = (mine: Repository, ...words: string[]) => {
    try {
      mine.git(...words)
    } catch {
      // It stops at the conflict.
    }
  }

  test('an index with conflicts', async () => {
    const task = await finishTask({
      agent: work,
      since: mine => {
        diverge(mine)
        attempt(mine, 'merge', '-')
        rmSync(join(mine.root, '.git/MERGE_HEAD'))
      },
    })
    await expectRefusal(task, 'unmerged_index', 'edited.txt')
  })

  it.each([
    ['merge', ['merge', '--no-commit', '--no-ff', '-s', 'ours', '-']],
    ['cherry-pick', ['cherry-pick', '-']],
    ['revert', ['revert', '--no-edit', 'HEAD~1']],
    ['rebase', ['rebase', '-']],
    ['bisect', ['bisect', 'start']],
  ])('in the middle of a %s', async (name, words) => {
    const task = await finishTask({
      agent: work,
      since: mine => {
        diverge(mine)
        attempt(mine, ...words)
      },
    })
    await expectRefusal(task, 'operation_in_progress', name)
  })

  test('another repository', async () => {
    const task = await finishTask({ agent: work })
    const stranger = makeStranger(task)
    const before = fingerprint(stranger)
    await expect(apply(task, { to: stranger })).rejects.toMatchObject({
      code: 'unrelated_repository',
    })
    expect(fingerprint(stranger)).toEqual(before)
  })

  function makeStranger({ scene }: FinishedTask): Repository {
    const root = join(scene.top, 'stranger')
    mkdirSync(root)
    const stranger = new Repository(scene, root)
    stranger.git('init', '-q')
    stranger.write('kept.txt', 'of another repository\n')
    stranger.commit()
    return stranger
  }
})

describe('submodules', () => {
  test('a result that changes one is refused; one beside it is left alone', async () => {
    const scene = makeScene()
    const inner = makeRepository(scene, { name: 'inner' })
    const withSubmodule = (mine: Repository) => {
      mine.git('-c', 'protocol.file.allow=always', 'submodule', 'add', '-q', inner.root, 'sub')
      mine.commit('a submodule')
    }
    const beside = await finishTask({
      before: withSubmodule,
      agent: agent => agent.write('kept.txt', 'by the agent\n'),
      since: mine => mine.write('sub/kept.txt', 'dirty inside\n'),
    })
    expect(await apply(beside)).toMatchObject({ kind: 'applied', files: { length: 1 } })
    expect(exactly(beside.mine).get('sub/kept.txt')).toBe('644 dirty inside\n')
    await undo(beside)

    // An agent that takes the submodule out and puts a file there.
    const instead = await finishTask({
      before: withSubmodule,
      agent: agent => {
        agent.git('rm', '-q', '--cached', 'sub')
        agent.remove('sub')
        agent.write('sub', 'a file now\n')
      },
    })
    await expectRefusal(instead, 'submodule_changed', 'sub')
  })
})

describe('objects that the repository no longer has', () => {
  const dirty = (mine: Repository) => {
    mine.write('untracked.txt', 'mine\n')
    mine.write('edited.txt', 'dirty\n')
  }
  const work = (agent: Repository) => {
    agent.write('untracked.txt', 'mine\nby the agent\n')
    agent.write('kept.txt', 'by the agent\n')
  }
  const forget = (mine: Repository) => {
    const refs = mine.git('for-each-ref', '--format=%(refname)', 'refs/holdfast').split('\n')
    for (const ref of refs) mine.git('update-ref', '-d', ref)
    for (const path of mine.git('worktree', 'list', '--porcelain').match(/(?<=^worktree ).*/gm) ??
      []) {
      if (path !== mine.root) mine.git('worktree', 'remove', '-f', '-f', path)
    }
    mine.git('gc', '-q', '--prune=now')
  }

  test('come from the bundle, and only what is undone needs them', async () => {
    const task = await finishTask({ before: dirty, agent: work, since: forget })
    const before = exactly(task.mine)
    expect(() => task.mine.git('cat-file', '-e', task.result.commit)).toThrow()
    expect(await apply(task, { mode: 'check' })).toMatchObject({ kind: 'would_apply' })
    expect(await apply(task)).toMatchObject({ kind: 'applied' })
    expect(exactly(task.mine).get('untracked.txt')).toBe('644 mine\nby the agent\n')
    expect(task.mine.git('for-each-ref', '--format=%(refname)', 'refs/holdfast')).toBe(
      `refs/holdfast/${task.task}/undo/1`,
    )
    await undo(task)
    expect(exactly(task.mine)).toEqual(before)
  })

  test('with SHA-256, and with the bundle gone too', async () => {
    const task = await finishTask({ format: 'sha256', before: dirty, agent: work, since: forget })
    expect(await apply(task)).toMatchObject({ kind: 'applied' })
    await undo(task)
    rmSync(join(task.directory, 'result.bundle'))
    await expect(apply(task)).rejects.toMatchObject({ code: 'no_result' })
  })
})

test('a disk without room for it', async () => {
  const task = await finishTask({
    agent: agent => agent.write('large.txt', 'x'.repeat(2_000_000)),
    freeBytes: () => 17_000_000,
  })
  const before = fingerprint(task.mine)
  await expect(apply(task)).rejects.toMatchObject({ code: 'no_space' })
  expect(fingerprint(task.mine)).toEqual(before)
  expect(traces(task)).toEqual(noTraces)
})

test('one that the user stopped before the first file', async () => {
  const task = await finishTask({ agent: adds('new.txt') })
  const before = fingerprint(task.mine)
  await expect(apply(task, { isStopped: () => true })).rejects.toMatchObject({
    message: expect.stringContaining('interrupted'),
  })
  expect(fingerprint(task.mine)).toEqual(before)
  expect(traces(task)).toEqual(noTraces)
})

test('a filter that fails: what git cannot write, nobody writes', async () => {
  const task = await finishTask({
    before: mine => {
      mine.write('.gitattributes', '*.big filter=broken\n')
      mine.commit()
    },
    agent: agent => agent.write('new.big', 'content\n'),
    since: mine => {
      mine.git('config', 'filter.broken.smudge', 'false')
      mine.git('config', 'filter.broken.required', 'true')
    },
  })
  const before = exactly(task.mine)
  await expect(apply(task)).rejects.toMatchObject({ code: 'refused_in_state' })
  expect(exactly(task.mine)).toEqual(before)
  expect(traces(task)).toEqual(noTraces)
})
