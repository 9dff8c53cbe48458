/** Somebody writes to the same files at the worst moment: nothing of theirs is lost, and no mix stays. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, test } from 'vitest'
import { type CrashPoint, onReach } from '../../../src/domain/crash-points.ts'
import { exactly } from '../../exactly.ts'
import { plainUserTest } from '../../other-users.ts'
import { runAsNobody } from '../as-nobody.ts'
import { fingerprint, type Repository } from '../scene.ts'
import {
  apply,
  finishTask,
  finishTaskIn,
  noTraces,
  type Story,
  traces,
  undo,
} from './apply-scene.ts'

afterEach(() => onReach(() => undefined))

/** Does something the nth time that a point is reached. */
function at(point: CrashPoint, act: () => void, nth = 1): { readonly reached: () => boolean } {
  let left = nth
  onReach(name => {
    if (name === point && --left === 0) act()
  })
  return { reached: () => left <= 0 }
}

const story: Story = {
  before: mine => {
    mine.write('last.txt', 'last\n')
    mine.commit()
  },
  agent: agent => {
    agent.write('edited.txt', 'by the agent\n')
    agent.write('kept.txt', 'by the agent\n')
    agent.write('last.txt', 'by the agent\n')
    agent.remove('removed.txt')
    agent.remove('directory')
    agent.write('new/a.txt', 'by the agent\n')
    agent.write('new/b.txt', 'by the agent\n')
    symlinkSync('kept.txt', agent.at('link'))
  },
}

/** The user's edits, each with what must stand there afterwards. */
const edits: readonly (readonly [string, (mine: Repository) => void])[] = [
  ['a file that is to be changed', mine => mine.write('last.txt', 'mine\n')],
  [
    'a file that is to be changed, by another of the same size',
    mine => mine.write('last.txt', 'LAST\n'),
  ],
  [
    'a file that is to be changed, replaced as editors do',
    mine => {
      mine.write('last.txt.swap', 'mine\n')
      renameSync(mine.at('last.txt.swap'), mine.at('last.txt'))
    },
  ],
  ['a file that is to be changed is deleted', mine => mine.remove('last.txt')],
  ['a file that is to be changed becomes a program', mine => chmodSync(mine.at('last.txt'), 0o755)],
  ['a file that is to be deleted', mine => mine.write('removed.txt', 'mine\n')],
  [
    'a file that is to be changed becomes a directory',
    mine => {
      mine.remove('last.txt')
      mine.write('last.txt/inside', 'mine\n')
    },
  ],
  ['a file where one is to be added', mine => mine.write('new/b.txt', 'mine\n')],
  ['a link where one is to be added', mine => symlinkSync('elsewhere', mine.at('link'))],
  ['a file where a directory is to be made', mine => mine.write('new', 'mine\n')],
  [
    'a link where a directory is to be made',
    mine => {
      mkdirSync(mine.at('../outside'))
      symlinkSync('../outside', mine.at('new'))
    },
  ],
]

const moments: readonly CrashPoint[] = [
  'apply.planned',
  'apply.contents-held',
  'apply.files-copied',
]

describe('edited between the plan and the first file', () => {
  for (const moment of moments) {
    it.each(edits)(`${moment}: %s`, async (_, edit) => {
      const task = await finishTask(story)
      const { mine } = task
      let after = new Map<string, string>()
      const { reached } = at(moment, () => {
        edit(mine)
        after = exactly(mine)
      })
      await expect(apply(task)).rejects.toMatchObject({ code: 'changed_since' })
      expect(reached()).toBe(true)
      expect(exactly(mine)).toEqual(after)
      expect(traces(task)).toEqual(noTraces)
      expect(existsSync(mine.at('../outside/a.txt'))).toBe(false)
    })
  }
})

test.each([1, 2, 3, 4, 5])(
  'a file that is edited while others were already exchanged (%i of them)',
  async count => {
    const task = await finishTask(story)
    const { mine } = task
    let edited = ''
    // Deletions come first: by then `last.txt` is the last file that is still untouched.
    at(
      'exchange.taken-away',
      () => {
        if (existsSync(mine.at('last.txt'))) mine.write('last.txt', 'mine\n')
        edited = 'mine\n'
      },
      count,
    )
    const before = exactly(mine)
    await expect(apply(task)).rejects.toMatchObject({ code: 'changed_since' })
    expect(edited).toBe('mine\n')
    expect(exactly(mine)).toEqual(before.set('last.txt', '644 mine\n'))
    expect(traces(task)).toEqual(noTraces)
  },
)

test('what is written into an old file while it is exchanged is not lost', async () => {
  const task = await finishTask(story)
  const { mine } = task
  // It is open for writing, and out of its place already.
  at('exchange.taken-away', () => {
    const places = [mine.at('.git/holdfast-apply/was-0'), mine.at('.git/holdfast-apply/was-1')]
    const away = places.find(place => existsSync(place))
    if (away !== undefined) chmodSync(away, 0o600)
  })
  const before = exactly(mine)
  await expect(apply(task)).rejects.toMatchObject({ code: 'changed_since' })
  const differing = [...exactly(mine)].filter(([path, is]) => before.get(path) !== is)
  expect(differing).toHaveLength(1)
  expect(differing[0]?.[1]).toMatch(/^600 /)
  expect(traces(task)).toEqual(noTraces)
})

test('HEAD that moves during the merge is noticed', async () => {
  const task = await finishTask(story)
  const target = await task.mine.open()
  task.mine.write('kept.txt', 'committed meanwhile\n')
  task.mine.commit()
  const { applications, base, result, task: id } = task
  const order = { task: id, base, result: result.commit, followed: [], target } as const
  const applying = applications.apply({ ...order, mode: 'clean', isStopped: () => false })
  await expect(applying).rejects.toMatchObject({ code: 'changed_since' })
  expect(traces(task)).toEqual(noTraces)
})

describe('taking back', () => {
  it.each([
    ['an edit', mine => mine.write('kept.txt', 'mine\n'), 'kept.txt'],
    ['a new permission', mine => chmodSync(mine.at('kept.txt'), 0o600), 'kept.txt'],
    ['a deletion', mine => mine.remove('last.txt'), 'last.txt'],
    ['a file where one was deleted', mine => mine.write('removed.txt', 'mine\n'), 'removed.txt'],
    ['a directory where one was deleted', mine => mkdirSync(mine.at('removed.txt')), 'removed.txt'],
    [
      'another link',
      mine => {
        rmSync(mine.at('link'))
        symlinkSync('elsewhere', mine.at('link'))
      },
      'link',
    ],
  ] as readonly (readonly [string, (mine: Repository) => void, string])[])(
    'is refused by name after %s, and nothing is touched',
    async (_, edit, path) => {
      const task = await finishTask(story)
      const before = exactly(task.mine)
      await apply(task)
      const applied = exactly(task.mine)
      edit(task.mine)
      const edited = exactly(task.mine)
      await expect(undo(task)).rejects.toMatchObject({
        code: 'changed_since',
        message: expect.stringContaining(path),
        hint: expect.stringContaining(`git show refs/holdfast/${task.task}/undo/1:`),
      })
      expect(exactly(task.mine)).toEqual(edited)
      // Put back as it was, it can be taken back.
      for (const name of ['kept.txt', 'last.txt']) {
        task.mine.write(name, (applied.get(name) ?? '').slice(4))
        chmodSync(task.mine.at(name), 0o644)
      }
      task.mine.remove('removed.txt')
      rmSync(task.mine.at('link'))
      symlinkSync('kept.txt', task.mine.at('link'))
      await undo(task)
      expect(exactly(task.mine)).toEqual(before)
    },
  )

  test('what was put back by hand is no hindrance, and a new file keeps its directory', async () => {
    const task = await finishTask(story)
    const before = exactly(task.mine)
    await apply(task)
    task.mine.git('checkout', '-q', '--', 'kept.txt')
    task.mine.write('new/mine.txt', 'mine\n')
    await undo(task)
    const after = exactly(task.mine)
    expect(after.get('new/mine.txt')).toBe('644 mine\n')
    after.delete('new/')
    after.delete('new/mine.txt')
    expect(after).toEqual(before)
  })

  test('an edit that comes in between is kept; another try finishes', async () => {
    const task = await finishTask(story)
    const { mine } = task
    const before = exactly(mine)
    await apply(task)
    at('undo.files-written', () => mine.write('last.txt', 'mine\n'))
    await expect(undo(task)).rejects.toMatchObject({ code: 'changed_since' })
    expect(readFileSync(mine.at('last.txt'), 'utf8')).toBe('mine\n')
    await expect(undo(task)).rejects.toMatchObject({ code: 'changed_since' })
    rmSync(mine.at('last.txt'))
    await undo(task)
    expect(exactly(mine)).toEqual(before)
    expect(traces(task)).toEqual(noTraces)
  })

  test('works after commits, in the middle of a merge, and over the user’s index', async () => {
    const task = await finishTask(story)
    const { mine } = task
    const before = exactly(mine)
    await apply(task)
    mine.git('add', '-A')
    mine.git('commit', '-q', '-m', 'taken')
    mine.write('.git/MERGE_HEAD', `${mine.head()}\n`)
    const { index, head } = fingerprint(mine)
    await undo(task)
    expect(exactly(mine)).toEqual(before)
    expect(fingerprint(mine)).toMatchObject({ index, head })
  })

  test('two tasks on one file are taken back in the order that they came', async () => {
    const first = await finishTask({
      agent: agent => agent.write('edited.txt', 'ONE\ntwo\nthree\n'),
    })
    const before = exactly(first.mine)
    first.agent.write('edited.txt', 'one\ntwo\nTHREE\n')
    const second = await first.goOn()
    await apply(first)
    await apply(second)
    expect(readFileSync(first.mine.at('edited.txt'), 'utf8')).toBe('ONE\ntwo\nTHREE\n')
    await expect(undo(first)).rejects.toMatchObject({ code: 'changed_since' })
    await undo(second)
    await undo(first)
    expect(exactly(first.mine)).toEqual(before)
  })
})

plainUserTest('a directory that may not be written: what went before goes back', async () => {
  const task = await finishTask({
    agent: agent => {
      agent.write('edited.txt', 'by the agent\n')
      agent.write('directory/a.txt', 'by the agent\n')
      agent.write('new.txt', 'by the agent\n')
    },
    since: mine => chmodSync(mine.at('directory'), 0o555),
  })
  const { base, result, task: id, mine, scene } = task
  const before = exactly(mine)
  const order = JSON.stringify({ task: id, base, result: result.commit })
  expect(await runAsNobody(scene, ['apply', mine.root, order])).toMatchObject({
    code: 'refused_in_state',
    message: expect.stringContaining('EACCES'),
  })
  expect(exactly(mine)).toEqual(before)
})

describe('a directory among the working files that looks like ours', () => {
  const fake = '.holdfast-apply'
  test.each(['no journal', 'our own journal, and other files'])(
    'with %s is left alone',
    async kind => {
      const task = await finishTask({ agent: agent => agent.write('new.txt', 'new\n') })
      await apply(task)
      task.mine.write(`${fake}/f`, 'mine\n')
      const journal = join(task.directory, 'applied', '1.json')
      if (kind !== 'no journal') symlinkSync(journal, task.mine.at(`${fake}/journal`))
      const other = await finishTaskIn(task.scene, task.mine, agent => agent.write('b.txt', 'b\n'))
      const refusal = {
        code: 'in_the_way',
        message: expect.stringContaining(fake),
      }
      expect(task.applications.findInterrupted(await task.mine.open())).toBeUndefined()
      await expect(apply(other)).rejects.toMatchObject(refusal)
      await expect(undo(task)).rejects.toMatchObject(refusal)
      expect(readFileSync(task.mine.at(`${fake}/f`), 'utf8')).toBe('mine\n')
      renameSync(task.mine.at(fake), join(task.scene.top, 'moved-away'))
      expect(await undo(task)).toEqual([{ path: 'new.txt', change: 'deleted' }])
    },
  )
})
