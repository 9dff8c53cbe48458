/** Files are written byte for byte as `git checkout` of the merged tree would write them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { exactly } from '../../exactly.ts'
import { filesOf, Repository } from '../scene.ts'
import { apply, finishTask, type Story, undo } from './apply-scene.ts'

const cases: readonly (Story & { readonly name: string })[] = [
  {
    name: 'line ends by attributes, in files that are changed and new',
    before: mine => {
      mine.write('.gitattributes', '*.dos text eol=crlf\n*.unix text eol=lf\n*.auto text=auto\n')
      mine.write('a.dos', 'one\r\ntwo\r\nthree\r\n')
      mine.write('a.unix', 'one\ntwo\n')
      mine.commit()
    },
    agent: agent => {
      agent.write('a.dos', 'one\r\ntwo\r\nby the agent\r\n')
      agent.write('a.unix', 'one\nby the agent\n')
      agent.write('new.dos', 'new\r\n')
      agent.write('new.auto', 'new\n')
    },
  },
  {
    name: 'core.autocrlf',
    before: mine => {
      mine.git('config', 'core.autocrlf', 'true')
      mine.write('windows.txt', 'one\r\ntwo\r\n')
      mine.commit()
      mine.git('rm', '-rq', '--cached', '.')
      mine.git('reset', '-q', '--hard')
    },
    agent: agent => {
      agent.write('windows.txt', 'one\r\ntwo\r\nby the agent\r\n')
      agent.write('new.txt', 'new\r\n')
      agent.write('edited.txt', 'one\r\ntwo\r\n')
    },
  },
  {
    name: 'attributes that the result itself brings',
    agent: agent => {
      agent.write('.gitattributes', '*.dos text eol=crlf\n')
      agent.write('new.dos', 'one\r\ntwo\r\n')
      agent.write('directory/.gitattributes', 'c.txt text eol=crlf\n')
      agent.write('directory/c.txt', 'three\r\n')
    },
  },
  {
    name: 'attributes of the user’s own, outside of any commit',
    agent: agent => agent.write('new.mine', 'one\ntwo\n'),
    since: mine => writeFileSync(join(mine.root, '.git/info/attributes'), '*.mine eol=crlf\n'),
  },
  {
    name: 'a filter with a clean and a smudge side',
    before: mine => {
      mine.git('config', 'filter.rot.clean', 'tr a-zA-Z n-za-mN-ZA-M')
      mine.git('config', 'filter.rot.smudge', 'tr a-zA-Z n-za-mN-ZA-M')
      mine.write('.gitattributes', '*.rot filter=rot\n')
      mine.write('a.rot', 'readable here\n')
      mine.commit()
    },
    agent: agent => {
      agent.write('a.rot', 'readable here, by the agent\n')
      agent.write('b.rot', 'new\n')
    },
  },
  {
    name: 'idents and encodings',
    before: mine => {
      mine.write('.gitattributes', 'id.txt ident\nwide.txt working-tree-encoding=UTF-16LE\n')
      mine.write('id.txt', '$Id$\none\n')
      mine.write('wide.txt', Buffer.from('one\n', 'utf16le'))
      mine.commit()
    },
    agent: agent => {
      agent.write('id.txt', '$Id$\none\nby the agent\n')
      agent.write('wide.txt', Buffer.from('one\nby the agent ü\n', 'utf16le'))
    },
  },
  {
    name: 'links as small files, where the user has none',
    before: mine => mine.git('config', 'core.symlinks', 'false'),
    agent: agent => {
      agent.git(
        'update-index',
        '--add',
        '--cacheinfo',
        `120000,${agent.git('hash-object', '-w', 'kept.txt')},link`,
      )
      agent.write('link', 'kept\n')
    },
  },
]

describe('a checkout of the merged tree has the same bytes', () => {
  it.each(cases.map(story => [story.name, story] as const))('%s', async (_, story) => {
    const task = await finishTask(story)
    const { mine, result, scene } = task
    const before = exactly(mine)
    expect(await apply(task)).toMatchObject({ kind: 'applied' })
    const checkout = join(scene.top, 'by git')
    mine.git('worktree', 'add', '-q', '--detach', checkout, result.commit)
    expect(filesOf(mine)).toEqual(filesOf(new Repository(scene, checkout)))
    expect(mine.git('status', '--porcelain')).not.toBe('')
    await undo(task)
    expect(exactly(mine)).toEqual(before)
  })
})

test('bytes that git would not give back are kept where nothing changes, and given back where it does', async () => {
  const task = await finishTask({
    before: mine => {
      mine.write('.gitattributes', '*.txt text\n')
      mine.write('mixed.txt', 'one\ntwo\n')
      mine.write('other.txt', 'one\ntwo\n')
      mine.commit()
    },
    agent: agent => {
      agent.write('mixed.txt', 'one\ntwo\nby the agent\n')
      agent.write('kept.txt', 'by the agent\n')
    },
    since: mine => {
      // Git takes either for unchanged, and has never seen these bytes.
      mine.write('mixed.txt', 'one\r\ntwo\n')
      mine.write('other.txt', 'one\r\ntwo\r\n')
    },
  })
  const before = exactly(task.mine)
  expect(await apply(task)).toMatchObject({ kind: 'applied' })
  expect(exactly(task.mine).get('mixed.txt')).toBe('644 one\ntwo\nby the agent\n')
  expect(exactly(task.mine).get('other.txt')).toBe('644 one\r\ntwo\r\n')
  await undo(task)
  expect(exactly(task.mine)).toEqual(before)
})

test('large files, binary and text, go in and out', async () => {
  const large = (mark: string) =>
    Buffer.concat([Buffer.alloc(9_000_000, 'abc\0'), Buffer.from(mark)])
  const text = (mark: string) => `${'a line of text\n'.repeat(600_000)}${mark}\n`
  const task = await finishTask({
    before: mine => {
      mine.write('large.bin', large('before'))
      mine.write('large.txt', text('before'))
      mine.commit()
    },
    agent: agent => {
      agent.write('large.bin', large('after'))
      agent.write('large.txt', text('after'))
      agent.write('new.bin', large('new'))
    },
    since: mine => mine.write('large.txt', `mine\n${text('before')}`),
  })
  const before = exactly(task.mine)
  expect(await apply(task)).toMatchObject({ kind: 'applied', files: { length: 3 } })
  const after = exactly(task.mine)
  expect(after.get('large.txt') === `644 mine\n${text('after')}`).toBe(true)
  expect(after.get('large.bin')?.endsWith('after')).toBe(true)
  await undo(task)
  expect(exactly(task.mine)).toEqual(before)
})

test('a thousand files, in one go', async () => {
  const names = Array.from({ length: 1000 }, (_, n) => `many/${n % 10}/${n}.txt`)
  const task = await finishTask({
    before: mine => {
      for (const name of names) mine.write(name, `${name}\n`)
      mine.commit()
    },
    agent: agent => {
      for (const name of names) agent.write(name, `${name}\nby the agent\n`)
    },
  })
  const before = exactly(task.mine)
  expect(await apply(task)).toMatchObject({ kind: 'applied', files: { length: 1000 } })
  expect(filesOf(task.mine)).toEqual(filesOf(task.agent))
  await undo(task)
  expect(exactly(task.mine)).toEqual(before)
})

test('untracked files beyond counting stay out of it, but for what the result touches', async () => {
  const task = await finishTask({
    before: mine => mine.write('untracked/edited.txt', 'one\ntwo\nthree\n'),
    agent: agent => agent.write('untracked/edited.txt', 'one\ntwo\nAGENT\n'),
    since: mine => {
      mine.write('untracked/edited.txt', 'MINE\ntwo\nthree\n')
      for (let n = 0; n < 2100; n++) mine.write(`untracked/${n}.txt`, `${n}\n`)
    },
  })
  const before = exactly(task.mine)
  expect(await apply(task)).toMatchObject({
    kind: 'applied',
    files: [{ path: 'untracked/edited.txt', change: 'modified' }],
  })
  expect(exactly(task.mine).get('untracked/edited.txt')).toBe('644 MINE\ntwo\nAGENT\n')
  await undo(task)
  expect(exactly(task.mine)).toEqual(before)
})
