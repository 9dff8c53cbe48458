/** What was retired is unlinked only once every byte of it is proven to be elsewhere. */
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { emptyTrash, limits, type Made, makeMade, unleased } from '../scene.ts'

/** Takes its worktree away; gives where the tree lies in the trash. */
async function putAway(made: Made, number = 1): Promise<string> {
  const { scene, record } = made
  const beside = join(scene.top, `snapshot-${number}`)
  mkdirSync(beside, { mode: 0o700 })
  const content = await scene.worktrees.takeSnapshot(record, number, beside, limits, null)
  await scene.worktrees.retireWorktree(unleased(record), content, beside, scene.trash)
  return join(scene.trash, `${record.id}.${record.inode}`)
}

/** A worktree in the trash, with work of every kind. */
async function makeTrashed() {
  const made = await makeMade(repository => {
    repository.write('.gitattributes', '*.auto text=auto\n')
    repository.write('converted.auto', 'one\n')
    repository.commit()
  })
  made.agent.write('kept.txt', 'edited\n')
  made.agent.write('deep/er/new.txt', 'new\n')
  made.agent.write('secret.ignored', 'secret\n')
  return { made, tree: await putAway(made) }
}

describe('a tree in the trash', () => {
  it('is told with where it stood, and unlinked', async () => {
    const { made, tree } = await makeTrashed()
    const { scene, record } = made
    expect(scene.worktrees.listTrash(scene.trash)).toEqual([
      {
        id: record.id,
        path: tree,
        worktreePath: record.path,
        commonDir: record.commonDir,
        kept: null,
      },
    ])
    expect(await scene.worktrees.purgeTrash(scene.trash, tree, () => true)).toBe('gone')
    expect(readdirSync(scene.trash)).toEqual([])
  })

  it.each<[string, string, (tree: string) => void]>([
    ['a file', 'late.txt', tree => writeFileSync(join(tree, 'late.txt'), 'late\n')],
    ['an ignored file', 'x.ignored', tree => writeFileSync(join(tree, 'x.ignored'), 'late\n')],
    [
      'an edit of an ignored file',
      'secret.ignored',
      tree => writeFileSync(join(tree, 'secret.ignored'), 'SECRET\n'),
    ],
    [
      'another line end',
      'converted.auto',
      tree => writeFileSync(join(tree, 'converted.auto'), 'one\r\n'),
    ],
    [
      'an edit of the same size and time',
      'kept.txt',
      tree => {
        const { atime, mtime } = lstatSync(join(tree, 'kept.txt'))
        writeFileSync(join(tree, 'kept.txt'), 'EDITED\n')
        utimesSync(join(tree, 'kept.txt'), atime, mtime)
      },
    ],
  ])('into which %s came late stays, and is looked at once', async (_what, named, late) => {
    const { made, tree } = await makeTrashed()
    const { scene } = made
    late(tree)
    expect(await emptyTrash(scene)).toEqual([expect.stringContaining(named)])
    expect(scene.worktrees.listTrash(scene.trash)).toMatchObject([
      { kept: expect.stringContaining(named) },
    ])
    // What was found is remembered: even without its repository nothing else is said.
    rmSync(made.repository.root, { recursive: true })
    expect(await emptyTrash(scene)).toEqual([expect.stringContaining(named)])
    expect(existsSync(join(tree, 'deep/er/new.txt'))).toBe(true)
  })

  it('may share what a program makes anew with others, who let go of it', async () => {
    const made = await makeMade(() => undefined)
    made.agent.write('.gitignore', 'node_modules/\n')
    made.agent.write('node_modules/a/index.js', 'a\n')
    const other = join(made.scene.top, 'store')
    linkSync(made.agent.at('node_modules/a/index.js').toString(), other)
    const tree = await putAway(made)
    rmSync(other)
    writeFileSync(join(tree, 'node_modules/a/index.js'), 'rebuilt\n')
    expect(await emptyTrash(made.scene)).toEqual([])
    expect(existsSync(tree)).toBe(false)
  })

  it('of which nothing says what it is held against stays', async () => {
    const { made, tree } = await makeTrashed()
    writeFileSync(`${tree}.json`, '{"commit":')
    expect(await emptyTrash(made.scene)).toEqual([expect.stringContaining('nothing says')])
    rmSync(`${tree}.json`)
    expect(await emptyTrash(made.scene)).toEqual([expect.stringContaining('nothing says')])
    expect(readFileSync(join(tree, 'kept.txt'), 'utf8')).toBe('edited\n')
  })

  it('of a repository that is gone stays: it may be the last copy', async () => {
    const { made, tree } = await makeTrashed()
    rmSync(made.repository.root, { recursive: true })
    expect(await emptyTrash(made.scene)).toEqual([expect.stringContaining('could not be compared')])
    expect(existsSync(join(tree, 'kept.txt'))).toBe(true)
  })

  it('is unlinked bit by bit while nobody else needs the disk, and then further', async () => {
    const { made, tree } = await makeTrashed()
    const { scene } = made
    let steps = 0
    const purge = (most: number) => {
      steps = 0
      return scene.worktrees.purgeTrash(scene.trash, tree, () => steps++ < most)
    }
    const files = () => readdirSync(tree, { recursive: true }).length
    const before = files()
    expect(await purge(2)).toBe('later')
    expect(files()).toBeLessThan(before)
    expect(await purge(0)).toBe('later')
    expect(await purge(100)).toBe('gone')
    expect(readdirSync(scene.trash)).toEqual([])
  })

  it('is no obstacle to the same worktree’s next end', async () => {
    const { made, tree } = await makeTrashed()
    const { scene, record } = made
    const { commonDir, id, path } = record
    const worktree = await scene.worktrees.createWorktree(id, path, made.base, commonDir)
    const again = await putAway({ ...made, record: worktree }, 2)
    expect(new Set(readdirSync(scene.trash))).toEqual(
      new Set(
        [tree, `${tree}.json`, again, `${again}.json`].map(at => at.slice(scene.trash.length + 1)),
      ),
    )
    expect(await emptyTrash(scene)).toEqual([])
    expect(readdirSync(scene.trash)).toEqual([])
  })
})

it('a note alone is cleared away, but not while its tree is on its way', async () => {
  const { made, tree } = await makeTrashed()
  const { scene, record } = made
  const onItsWay = join(scene.trash, record.id)
  renameSync(tree, onItsWay)
  expect(await emptyTrash(scene)).toEqual([])
  expect(existsSync(`${tree}.json`)).toBe(true)
  rmSync(onItsWay, { recursive: true })
  expect(await emptyTrash(scene)).toEqual([])
  expect(readdirSync(scene.trash)).toEqual([])
})
