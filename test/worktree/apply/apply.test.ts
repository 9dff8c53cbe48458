/** A result goes into the working files, and nothing else of the user's is touched. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { exactly } from '../../exactly.ts'
import { filesOf, fingerprint, makeLinked, type Repository } from '../scene.ts'
import { sources } from '../sources.ts'
import { apply, finishTask, noTraces, traces, undo } from './apply-scene.ts'

/** All of a checkout but when which file was written. */
function everything(repository: Repository) {
  const { times: _times, ...rest } = fingerprint(repository)
  return rest
}

/** All but the files, and what git says of them. */
function untouched(repository: Repository) {
  const { files: _files, status: _status, ...rest } = everything(repository)
  return rest
}

describe('what an agent has done comes into a clean checkout, and goes again', () => {
  it.each(sources.map(source => [source.name, source] as const))('%s', async (_, source) => {
    const story = await finishTask({ agent: source.prepare })
    const { mine, agent, result } = story
    const before = exactly(mine)
    const all = everything(mine)
    const expected = filesOf(agent)

    const would = await apply(story, { mode: 'check' })
    expect(everything(mine)).toEqual(all)
    const done = await apply(story)
    expect(filesOf(mine)).toEqual(expected)
    if (result.files === 0) return expect(done).toEqual({ kind: 'in_place' })
    expect(done).toMatchObject({ kind: 'applied', conflicts: [] })
    expect(would).toEqual({ kind: 'would_apply', files: 'files' in done ? done.files : [] })
    const { files: _files, status: _status, ...rest } = all
    expect(untouched(mine)).toEqual(rest)
    expect(traces(story)).toMatchObject({ journals: ['1.json'], scratch: [], exchange: [] })

    await undo(story)
    expect(exactly(mine)).toEqual(before)
    expect(everything(mine)).toEqual(all)
    expect(traces(story)).toEqual(noTraces)
    expect(await apply(story)).toEqual(done)
    expect(filesOf(mine)).toEqual(expected)
  })
})

/** Touches nothing that a source touches, but one file of its own. */
const ownWork = (repository: Repository) => {
  repository.write('kept.txt', 'kept\nby the agent\n')
  repository.write('by/the/agent.txt', 'new\n')
}

describe('the user’s own changes stay as they are', () => {
  it.each(sources.map(source => [source.name, source] as const))(
    'from before the task: %s',
    async (_, { prepare }) => {
      const story = await finishTask({ before: prepare, agent: ownWork })
      await expectOnlyOwnWork(story)
    },
  )

  it.each(sources.map(source => [source.name, source] as const))(
    'from since then: %s',
    async (_, { prepare }) => {
      const story = await finishTask({ agent: ownWork, since: prepare })
      await expectOnlyOwnWork(story)
    },
  )

  async function expectOnlyOwnWork(story: Awaited<ReturnType<typeof finishTask>>) {
    const { mine } = story
    const before = exactly(mine)
    const all = everything(mine)
    expect(await apply(story)).toMatchObject({
      kind: 'applied',
      files: [
        { path: 'by/the/agent.txt', change: 'added' },
        { path: 'kept.txt', change: 'modified' },
      ],
    })
    const after = exactly(mine)
    expect(after.get('kept.txt')).toBe(
      before.get('kept.txt')?.replace('kept\n', 'kept\nby the agent\n'),
    )
    expect(after.get('by/the/agent.txt')).toMatch(/new\n$/)
    for (const path of ['kept.txt', 'by/', 'by/the/', 'by/the/agent.txt']) after.delete(path)
    before.delete('kept.txt')
    expect(after).toEqual(before)
    const { files: _files, status: _status, ...rest } = all
    expect(untouched(mine)).toEqual(rest)
    await undo(story)
    expect(everything(mine)).toEqual(all)
  }
})

describe('changes of both come together', () => {
  const lines = (...marked: string[]) =>
    ['one', 'two', 'three', 'four', 'five', 'six', 'seven']
      .map(line => marked.find(m => m.startsWith(line)) ?? line)
      .join('\n')
  const setUp = (repository: Repository) => {
    repository.write('both.txt', lines())
    repository.commit()
  }

  test('in one file, staged, unstaged and committed', async () => {
    const story = await finishTask({
      before: setUp,
      agent: agent => agent.write('both.txt', lines('four by the agent')),
      since: mine => {
        mine.write('both.txt', lines('one committed'))
        mine.commit()
        mine.write('both.txt', lines('one committed', 'two staged'))
        mine.git('add', 'both.txt')
        mine.write('both.txt', lines('one committed', 'two staged', 'seven unstaged'))
      },
    })
    const staged = story.mine.git('show', ':both.txt')
    expect(await apply(story)).toMatchObject({ kind: 'applied' })
    expect(readFileSync(story.mine.at('both.txt'), 'utf8')).toBe(
      lines('one committed', 'two staged', 'four by the agent', 'seven unstaged'),
    )
    expect(story.mine.git('show', ':both.txt')).toBe(staged)
    expect(story.mine.git('status', '--porcelain')).toBe('MM both.txt')
  })

  test('where the agent edits a line that the user had already changed when it was asked', async () => {
    const story = await finishTask({
      before: mine => {
        setUp(mine)
        mine.write('both.txt', lines('four dirty'))
      },
      agent: agent => agent.write('both.txt', lines('four dirty and by the agent')),
    })
    expect(await apply(story)).toMatchObject({ kind: 'applied' })
    expect(readFileSync(story.mine.at('both.txt'), 'utf8')).toBe(
      lines('four dirty and by the agent'),
    )
  })

  test('where the user committed meanwhile what had been uncommitted', async () => {
    const story = await finishTask({
      before: mine => {
        setUp(mine)
        mine.write('both.txt', lines('four dirty'))
        mine.write('untracked.txt', 'mine\n')
      },
      agent: agent => {
        agent.write('both.txt', lines('four dirty', 'seven by the agent'))
        agent.write('untracked.txt', 'mine\nby the agent\n')
      },
      since: mine => void mine.commit(),
    })
    expect(await apply(story)).toMatchObject({ kind: 'applied' })
    expect(readFileSync(story.mine.at('both.txt'), 'utf8')).toBe(
      lines('four dirty', 'seven by the agent'),
    )
    expect(readFileSync(story.mine.at('untracked.txt'), 'utf8')).toBe('mine\nby the agent\n')
  })

  test.each([
    ['staged', (mine: Repository) => void mine.git('mv', 'both.txt', 'directory/moved.txt')],
    [
      'not even known to git',
      (mine: Repository) => renameSync(mine.at('both.txt'), mine.at('directory/moved.txt')),
    ],
  ])('where the user renamed what the agent edits: %s', async (_, since) => {
    const story = await finishTask({
      before: setUp,
      agent: agent => agent.write('both.txt', lines('four by the agent')),
      since,
    })
    expect(await apply(story)).toMatchObject({
      kind: 'applied',
      files: [{ path: 'directory/moved.txt', change: 'modified' }],
    })
    expect(existsSync(story.mine.at('both.txt'))).toBe(false)
    expect(readFileSync(story.mine.at('directory/moved.txt'), 'utf8')).toBe(
      lines('four by the agent'),
    )
  })

  test('where the agent renamed what the user edits', async () => {
    const story = await finishTask({
      before: setUp,
      agent: agent => renameSync(agent.at('both.txt'), agent.at('moved.txt')),
      since: mine => mine.write('both.txt', lines('four mine')),
    })
    const before = exactly(story.mine)
    expect(await apply(story)).toMatchObject({ kind: 'applied' })
    expect(existsSync(story.mine.at('both.txt'))).toBe(false)
    expect(readFileSync(story.mine.at('moved.txt'), 'utf8')).toBe(lines('four mine'))
    await undo(story)
    expect(exactly(story.mine)).toEqual(before)
  })

  test('where both deleted, or both added the same', async () => {
    const work = (repository: Repository) => {
      repository.remove('removed.txt')
      repository.write('same.txt', 'the same\n')
      repository.write('edited.txt', 'one\ntwo\nthree\nfour\n')
    }
    const story = await finishTask({ agent: work, since: work })
    const before = exactly(story.mine)
    expect(await apply(story)).toEqual({ kind: 'in_place' })
    expect(exactly(story.mine)).toEqual(before)
    expect(traces(story)).toEqual(noTraces)
  })
})

describe('permissions', () => {
  test('who could not read a file before cannot read it after', async () => {
    const story = await finishTask({
      agent: agent => {
        agent.write('edited.txt', 'by the agent\n')
        chmodSync(agent.at('kept.txt'), 0o755)
      },
      since: mine => {
        chmodSync(mine.at('edited.txt'), 0o600)
        chmodSync(mine.at('kept.txt'), 0o640)
      },
    })
    const before = exactly(story.mine)
    await apply(story)
    expect(exactly(story.mine).get('edited.txt')).toBe('600 by the agent\n')
    expect(exactly(story.mine).get('kept.txt')).toBe('750 kept\n')
    await undo(story)
    expect(exactly(story.mine)).toEqual(before)
  })

  test('a directory that was emptied comes back as it was', async () => {
    const story = await finishTask({
      before: mine => {
        mine.write('private/inner/file.txt', 'secret\n')
        mine.write('other/file.txt', 'not\n')
        mine.commit()
        chmodSync(mine.at('private/inner'), 0o711)
        chmodSync(mine.at('private'), 0o700)
      },
      agent: agent => {
        agent.remove('private')
        agent.remove('other/file.txt')
      },
      since: mine => mine.write('other/cache.ignored', 'stays\n'),
    })
    const before = exactly(story.mine)
    await apply(story)
    expect(existsSync(story.mine.at('private'))).toBe(false)
    expect(exactly(story.mine).get('other/cache.ignored')).toBe('644 stays\n')
    await undo(story)
    expect(exactly(story.mine)).toEqual(before)
  })

  test('the directory that the caller stands in stays, empty', async () => {
    const story = await finishTask({ agent: agent => agent.remove('directory') })
    const { applications, scene, mine, task, base, result } = story
    const target = await scene.worktrees.openCheckout(join(mine.root, 'directory'))
    const order = {
      task,
      base,
      result: result.commit,
      followed: [],
      target,
      mode: 'clean',
      isStopped: () => false,
    } as const
    expect(await applications.apply(order)).toMatchObject({ kind: 'applied' })
    expect(exactly(mine).has('directory/')).toBe(true)
    expect(exactly(mine).has('directory/a.txt')).toBe(false)
  })
})

describe('other sorts of checkouts', () => {
  test('a repository with SHA-256', async () => {
    const story = await finishTask({ agent: ownWork, format: 'sha256' })
    const all = everything(story.mine)
    expect(await apply(story)).toMatchObject({ kind: 'applied' })
    expect(filesOf(story.mine)).toEqual(filesOf(story.agent))
    await undo(story)
    expect(everything(story.mine)).toEqual(all)
  })

  test('a linked worktree', async () => {
    const story = await finishTask({ agent: ownWork })
    const linked = makeLinked(story.mine)
    linked.write('edited.txt', 'edited in the linked one\n')
    const [all, main] = [everything(linked), everything(story.mine)]
    expect(await apply(story, { to: linked })).toMatchObject({ kind: 'applied' })
    expect(filesOf(linked).get('kept.txt')).toBe('file kept\nby the agent\n')
    expect(everything(story.mine)).toEqual(main)
    await undo(story, linked)
    expect(everything(linked)).toEqual(all)
  })

  test('one whose git directory lies elsewhere, on another file system', async ({ skip }) => {
    const elsewhere = '/dev/shm'
    skip(!existsSync(elsewhere), 'there is no second file system here')
    const story = await finishTask({ agent: ownWork })
    const { mine } = story
    const gitDir = join(elsewhere, `holdfast-test-${process.pid}`)
    cpSync(mine.git('rev-parse', '--absolute-git-dir'), gitDir, { recursive: true })
    rmSync(mine.at('.git'), { recursive: true })
    mine.write('.git', `gitdir: ${gitDir}\n`)
    try {
      const all = exactly(mine)
      const done = await apply(story, { to: mine })
      expect(done).toMatchObject({ kind: 'applied' })
      expect(exactly(mine).get('kept.txt')).toBe('644 kept\nby the agent\n')
      await undo(story)
      expect(exactly(mine)).toEqual(all)
      expect(traces(story)).toEqual(noTraces)
    } finally {
      rmSync(gitDir, { recursive: true })
    }
  })
})

describe('it is applied already', () => {
  test('and says so, without a new journal', async () => {
    const story = await finishTask({ agent: ownWork })
    await apply(story)
    const after = everything(story.mine)
    expect(await apply(story)).toEqual({ kind: 'in_place' })
    expect(everything(story.mine)).toEqual(after)
    expect(traces(story).journals).toEqual(['1.json'])
  })

  test('but a part was reverted since: only that part is written again', async () => {
    const story = await finishTask({ agent: ownWork })
    const before = exactly(story.mine)
    await apply(story)
    story.mine.git('checkout', '-q', '--', 'kept.txt')
    story.mine.write('by/the/agent.txt', 'new\nand mine\n')
    expect(await apply(story)).toMatchObject({
      kind: 'applied',
      files: [{ path: 'kept.txt', change: 'modified' }],
    })
    expect(exactly(story.mine).get('by/the/agent.txt')).toBe('644 new\nand mine\n')
    // The newest first; the one before it meets the edit.
    await undo(story)
    await expect(undo(story)).rejects.toMatchObject({ code: 'changed_since' })
    story.mine.write('by/the/agent.txt', 'new\n')
    await undo(story)
    expect(exactly(story.mine)).toEqual(before)
  })

  test('to one checkout, and then to another', async () => {
    const story = await finishTask({ agent: ownWork })
    const linked = makeLinked(story.mine)
    await apply(story)
    expect(await apply(story, { to: linked })).toMatchObject({ kind: 'applied' })
    await undo(story, linked)
    expect(filesOf(story.mine).get('kept.txt')).toBe('file kept\nby the agent\n')
    await undo(story)
    expect(traces(story)).toEqual(noTraces)
  })
})

test('an agent’s file and a user’s directory of links and empty directories', async () => {
  const story = await finishTask({
    agent: agent => {
      agent.remove('directory')
      agent.write('directory', 'a file now\n')
    },
    since: mine => {
      mkdirSync(mine.at('directory/empty/deeper'), { recursive: true })
      symlinkSync('nowhere', mine.at('link.ignored'))
    },
  })
  const before = exactly(story.mine)
  expect(await apply(story)).toMatchObject({ kind: 'applied' })
  expect(exactly(story.mine).get('directory')).toBe('644 a file now\n')
  await undo(story)
  expect(exactly(story.mine)).toEqual(before)
})
