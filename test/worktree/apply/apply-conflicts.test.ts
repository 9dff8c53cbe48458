/** Where user and agent want different things, nothing is written unless that is asked for. */
import { chmodSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { describe, expect, it, test } from 'vitest'
import { exactly } from '../../exactly.ts'
import { fingerprint, type Repository } from '../scene.ts'
import { apply, finishTask, noTraces, type Story, traces, undo } from './apply-scene.ts'

interface Dispute extends Story {
  readonly name: string
  readonly paths: readonly string[]
  readonly why: RegExp
  /** What stands there if conflicts are written. */
  readonly written?: Readonly<Record<string, string | undefined>>
}

const write = (path: string, content: string | Uint8Array) => (repository: Repository) =>
  repository.write(path, content)

const disputes: readonly Dispute[] = [
  {
    name: 'both edited the same line',
    agent: write('edited.txt', 'one\nAGENT\nthree\n'),
    since: write('edited.txt', 'one\nMINE\nthree\n'),
    paths: ['edited.txt'],
    why: /^content: /,
    written: {
      'edited.txt': '644 one\n<<<<<<< YOURS\nMINE\n=======\nAGENT\n>>>>>>> AGENT\nthree\n',
    },
  },
  {
    name: 'both edited an untracked file that had come along',
    before: write('untracked.txt', 'one\n'),
    agent: write('untracked.txt', 'AGENT\n'),
    since: write('untracked.txt', 'MINE\n'),
    paths: ['untracked.txt'],
    why: /^content: /,
    written: { 'untracked.txt': '644 <<<<<<< YOURS\nMINE\n=======\nAGENT\n>>>>>>> AGENT\n' },
  },
  {
    name: 'both added a file, the user to the index',
    agent: write('new.txt', 'AGENT\n'),
    since: mine => {
      mine.write('new.txt', 'MINE\n')
      mine.git('add', 'new.txt')
    },
    paths: ['new.txt'],
    why: /^add\/add: /,
    written: { 'new.txt': '644 <<<<<<< YOURS\nMINE\n=======\nAGENT\n>>>>>>> AGENT\n' },
  },
  {
    name: 'the agent edited what the user deleted',
    agent: write('edited.txt', 'AGENT\n'),
    since: mine => mine.remove('edited.txt'),
    paths: ['edited.txt'],
    why: /^modify\/delete: edited.txt deleted in YOURS and modified in AGENT\.$/,
    written: { 'edited.txt': '644 AGENT\n' },
  },
  {
    name: 'the agent deleted what the user edited',
    agent: agent => agent.remove('edited.txt'),
    since: write('edited.txt', 'MINE\n'),
    paths: ['edited.txt'],
    why: /^modify\/delete: edited.txt deleted in AGENT and modified in YOURS\.$/,
    written: { 'edited.txt': '644 MINE\n' },
  },
  {
    name: 'both edited a binary file',
    before: mine => {
      mine.write('binary', Buffer.from([0, 1, 2]))
      mine.commit()
    },
    agent: write('binary', Buffer.from([0, 1, 2, 65])),
    since: write('binary', Buffer.from([0, 1, 2, 66])),
    paths: ['binary'],
    why: /./,
    written: { binary: '644 \u0000\u0001\u0002B' },
  },
  {
    name: 'one made a link of it, the other edited it',
    agent: agent => {
      agent.remove('edited.txt')
      symlinkSync('kept.txt', agent.at('edited.txt'))
    },
    since: write('edited.txt', 'MINE\n'),
    paths: ['edited.txt', 'edited.txt~YOURS'],
    why: /./,
    written: { 'edited.txt': 'link kept.txt', 'edited.txt~YOURS': '644 MINE\n' },
  },
  {
    name: 'both renamed it, to different names',
    agent: agent => renameSync(agent.at('edited.txt'), agent.at('agents.txt')),
    since: mine => mine.git('mv', 'edited.txt', 'mine.txt'),
    paths: ['agents.txt', 'edited.txt', 'mine.txt'],
    why: /./,
  },
  {
    name: 'the agent made a file where the user has a directory',
    agent: write('thing', 'AGENT\n'),
    since: mine => {
      mine.write('thing/inside.txt', 'MINE\n')
      mine.git('add', 'thing')
    },
    paths: ['thing~AGENT'],
    why: /file\/directory/,
    written: { 'thing~AGENT': '644 AGENT\n', 'thing/inside.txt': '644 MINE\n' },
  },
  {
    name: 'a link of the user’s where the agent has a directory',
    agent: write('directory/new.txt', 'AGENT\n'),
    since: mine => {
      renameSync(mine.at('directory'), mine.at('moved'))
      symlinkSync('moved', mine.at('directory'))
    },
    paths: ['moved/new.txt'],
    why: /file location/,
  },
]

describe('a conflict is named, and nothing is written', () => {
  it.each(disputes.map(dispute => [dispute.name, dispute] as const))('%s', async (_, dispute) => {
    const { paths, why, written, ...story } = dispute
    const task = await finishTask({
      ...story,
      agent: agent => {
        story.agent(agent)
        agent.write('harmless.txt', 'no conflict\n')
      },
    })
    const before = exactly(task.mine)
    const all = fingerprint(task.mine)
    const outcome = await apply(task)
    expect(await apply(task, { mode: 'check' })).toEqual(outcome)
    if (outcome.kind !== 'conflicting') throw new Error(`it was ${outcome.kind}`)
    expect(outcome.conflicts.map(({ path }) => path).sort()).toEqual(paths)
    for (const conflict of outcome.conflicts) expect(conflict.why).toMatch(why)
    expect(exactly(task.mine)).toEqual(before)
    expect(fingerprint(task.mine)).toEqual(all)
    expect(traces(task)).toEqual(noTraces)

    expect(await apply(task, { mode: 'conflicts' })).toMatchObject({
      kind: 'applied',
      conflicts: outcome.conflicts,
    })
    const after = exactly(task.mine)
    expect(after.get('harmless.txt')).toBe('644 no conflict\n')
    for (const [path, content] of Object.entries(written ?? {})) {
      expect(after.get(path)).toBe(content)
    }
    expect(fingerprint(task.mine).index).toBe(all.index)
    await undo(task)
    expect(exactly(task.mine)).toEqual(before)
    expect(traces(task)).toEqual(noTraces)
  })
})

test('once resolved, the conflict is no conflict any more', async () => {
  const task = await finishTask({
    agent: agent => {
      agent.write('edited.txt', 'one\nAGENT\nthree\n')
      agent.write('kept.txt', 'kept\nby the agent\n')
    },
    since: write('edited.txt', 'one\nMINE\nthree\n'),
  })
  await apply(task, { mode: 'conflicts' })
  expect(await apply(task)).toEqual({ kind: 'in_place' })
  task.mine.write('edited.txt', 'one\nMINE, AGENT\nthree\n')
  task.mine.git('checkout', '-q', '--', 'kept.txt')
  expect(await apply(task)).toMatchObject({ kind: 'applied', files: [{ path: 'kept.txt' }] })
  expect(readFileSync(task.mine.at('edited.txt'), 'utf8')).toBe('one\nMINE, AGENT\nthree\n')
})

test('the user’s own settings hold: conflict style, merge drivers, attributes', async () => {
  const task = await finishTask({
    before: mine => {
      mine.write('.gitattributes', 'union.txt merge=union\n')
      mine.write('union.txt', 'one\n')
      mine.commit()
      mine.git('config', 'merge.conflictStyle', 'diff3')
    },
    agent: agent => {
      agent.write('union.txt', 'one\nAGENT\n')
      agent.write('edited.txt', 'one\nAGENT\nthree\n')
    },
    since: mine => {
      mine.write('union.txt', 'one\nMINE\n')
      mine.write('edited.txt', 'one\nMINE\nthree\n')
    },
  })
  const outcome = await apply(task, { mode: 'conflicts' })
  expect(outcome).toMatchObject({ conflicts: [{ path: 'edited.txt' }] })
  expect(readFileSync(task.mine.at('union.txt'), 'utf8')).toBe('one\nMINE\nAGENT\n')
  expect(readFileSync(task.mine.at('edited.txt'), 'utf8')).toMatch(/^\|{7} .*\ntwo\n=======$/m)
})

test('a program bit that only one of them set is no conflict', async () => {
  const task = await finishTask({
    agent: agent => chmodSync(agent.at('script.sh'), 0o755),
    since: write('script.sh', '#!/bin/sh\necho mine\n'),
  })
  expect(await apply(task)).toMatchObject({ kind: 'applied' })
  expect(exactly(task.mine).get('script.sh')).toBe('755 #!/bin/sh\necho mine\n')
})

describe('a task that follows another', () => {
  test('comes on top of the first one’s work, edits of the user’s between kept', async () => {
    const first = await finishTask({
      agent: agent => {
        agent.write('edited.txt', 'one\nfirst try\nthree\n')
        agent.write('new.txt', 'first\n')
        agent.write('kept.txt', 'kept\nfirst\n')
      },
    })
    await apply(first)
    first.mine.write('kept.txt', 'kept, and mine\nfirst\n')
    // Resumed: the same worktree and base, more work.
    first.agent.write('edited.txt', 'one\nsecond try\nthree\n')
    first.agent.write('new.txt', 'second\n')
    first.agent.write('kept.txt', 'kept\nfirst\nsecond\n')
    const second = await first.goOn()
    const followed = [{ task: first.task, result: first.result.commit }]
    const before = exactly(first.mine)
    await expect(apply(second, { followed: [] })).rejects.toMatchObject({ code: 'in_the_way' })
    expect(await apply(second, { followed })).toMatchObject({
      kind: 'applied',
      files: { length: 3 },
    })
    const after = exactly(first.mine)
    expect(after.get('edited.txt')).toBe('644 one\nsecond try\nthree\n')
    expect(after.get('new.txt')).toBe('644 second\n')
    expect(after.get('kept.txt')).toBe('644 kept, and mine\nfirst\nsecond\n')
    await undo(second)
    expect(exactly(first.mine)).toEqual(before)
  })
})
