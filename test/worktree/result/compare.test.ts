/** What a review is shown of two commits. */
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { CommitId } from '../../../src/domain/ids.ts'
import { fitPatch } from '../../../src/domain/patch-sections.ts'
import { makeRepository, makeScene } from '../scene.ts'

it('compares two commits file by file, whatever is in them', async () => {
  const scene = makeScene()
  const { worktrees } = scene
  const repository = makeRepository(scene)
  repository.git('config', 'diff.renames', 'false')
  repository.git('config', 'diff.noprefix', 'true')
  const many = Array.from({ length: 40 }, (_, n) => `line ${n}\n`).join('')
  repository.write('old name.txt', many)
  repository.write('becomes a link', 'text\n')
  repository.write('b.bin', 'a\0b')
  repository.commit()
  const before = repository.git('rev-parse', 'HEAD').trim() as CommitId
  repository.git('mv', 'old name.txt', 'new ü.txt')
  repository.remove('becomes a link')
  symlinkSync('elsewhere', join(repository.root, 'becomes a link'))
  repository.write('b.bin', 'a\0c')
  // What looks like the beginning of another file, and is a line of this one.
  repository.write('sly.txt', 'x\rdiff --git a/forged b/forged\n\u2028diff --git a/f b/f\nno end')
  repository.write('sub/line\nend', 'x\n')
  repository.commit()
  const after = repository.git('rev-parse', 'HEAD').trim() as CommitId
  const { commonDir } = (await repository.open()).place

  const order = { from: before, to: after, mostBytes: 1_000_000 }
  const change = await worktrees.compareCommits(commonDir, order)
  expect(change.files).toEqual([
    { path: 'b.bin', was: null, insertions: null, deletions: null },
    { path: 'becomes a link', was: null, insertions: 1, deletions: 1 },
    { path: 'new ü.txt', was: 'old name.txt', insertions: 0, deletions: 0 },
    { path: 'sly.txt', was: null, insertions: 3, deletions: 0 },
    { path: 'sub/line?end', was: null, insertions: 1, deletions: 0 },
  ])
  expect(change.patch).toContain('+++ b/sly.txt\n')
  // Each file is one section: all of them fit, or exactly those that do are shown.
  expect(fitPatch(change.patch, change.files, 1_000_000)).toEqual({
    shown: change.patch.trimEnd(),
    left: [],
  })
  const tight = fitPatch(change.patch, change.files, 600)
  expect(tight.shown.length).toBeLessThanOrEqual(600)
  expect(tight.left.length).toBeGreaterThan(0)
  for (const { path } of change.files) {
    const isShown = tight.shown.includes(`b/${path.replace('?', '\\n')}`)
    expect({ path, isShown }).toEqual({ path, isShown: !tight.left.includes(path) })
  }

  // A first commit, and a patch that is longer than what is asked for.
  const [first = ''] = repository.git('rev-list', '--max-parents=0', 'HEAD').split('\n')
  expect(await worktrees.parentOf(commonDir, first as CommitId)).toBeNull()
  expect(await worktrees.parentOf(commonDir, after)).toBe(before)
  const all = await worktrees.compareCommits(commonDir, {
    from: null,
    to: after,
    mostBytes: 300,
  })
  expect(all.files.length).toBeGreaterThan(5)
  expect(Buffer.byteLength(all.patch)).toBeLessThanOrEqual(300)
  const cut = fitPatch(all.patch, all.files, 1_000_000)
  expect(cut.left.length).toBeGreaterThan(0)
  expect(all.patch.startsWith(cut.shown)).toBe(true)
  // Cut off behind a line of a file, it does not look as if that were its last.
  const lineEnd = change.patch.indexOf('diff --git a/f b/f\n')
  const mostBytes =
    Buffer.byteLength(change.patch.slice(0, lineEnd)) + 'diff --git a/f b/f\n'.length
  const within = await worktrees.compareCommits(commonDir, { ...order, mostBytes })
  expect(fitPatch(within.patch, within.files, 1_000_000).left).toEqual(['sly.txt', 'sub/line?end'])
})

it('counts the lines of files, and says what is none', async () => {
  const scene = makeScene()
  const { worktrees } = scene
  const repository = makeRepository(scene)
  repository.write('three.txt', '1\n2\n3')
  repository.write('empty.txt', '')
  repository.write('dir/two.txt', '1\n2\n')
  repository.commit()
  const commit = repository.git('rev-parse', 'HEAD').trim() as CommitId
  const { commonDir } = (await repository.open()).place
  const names = ['three.txt', 'dir', 'missing one', 'dir/two.txt', 'a\nb', 'empty.txt']
  expect(await worktrees.countFileLines(commonDir, commit, names)).toEqual(
    new Map([
      ['three.txt', 3],
      ['dir/two.txt', 2],
      ['empty.txt', 0],
    ]),
  )
  const gone = '0123456789'.repeat(4) as CommitId
  expect(await worktrees.countFileLines(commonDir, gone, names)).toBeNull()
  expect(await worktrees.countFileLines(join(commonDir, 'nowhere'), commit, names)).toBeNull()
})
