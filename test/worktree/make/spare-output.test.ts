/** Build output of a worktree that was put away comes into a spare one, and nothing else of it does. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type TaskId, type WorktreeId, worktreeIdOf } from '../../../src/domain/ids.ts'
import type { SpareWorktree, WorktreeRecord } from '../../../src/ports/worktrees.ts'
import {
  filesOf,
  limits,
  makeRepository,
  makeScene,
  nextTask,
  Repository,
  unleased,
} from '../scene.ts'

const SPARE = 'spare-one' as WorktreeId
const OUTPUT = ['node_modules/', 'packages/a/node_modules/', 'target/']
const TAG = 'Signature: 8a477f597d28d172789f06886806bc55\n'

/** A worktree in the trash, with what programs and people leave behind; and a spare one. */
async function makeStand(prepare: (repository: Repository) => void = () => undefined) {
  const scene = makeScene()
  const { worktrees } = scene
  const repository = makeRepository(scene)
  for (let n = 0; n < 60; n++) repository.write(`many/${n}.txt`, `${n}\n`)
  repository.write('packages/a/index.js', 'a\n')
  repository.write('.gitignore', 'node_modules/\ntarget/\n.venv/\n.tox\n*.ignored\n')
  repository.commit()
  prepare(repository)
  const { commonDir } = (await repository.open()).place
  const take = async (task: TaskId) =>
    await worktrees.captureBase(await repository.open(), task, scene.scratch, limits)
  const make = async (id: WorktreeId, path: string, task: TaskId) => {
    const record = await worktrees.createWorktree(id, path, await take(task), commonDir)
    return { record, tree: new Repository(scene, record.path) }
  }
  const first = nextTask()
  const { record, tree } = await make(worktreeIdOf(first), join(scene.top, 'trees', first), first)
  tree.write('many/1.txt', 'edited\n')
  tree.write('node_modules/left-pad/index.js', 'pad\n')
  tree.write('packages/a/node_modules/b/index.js', 'b\n')
  tree.write('target/CACHEDIR.TAG', TAG)
  tree.write('target/debug/out', 'out\n')
  // Nobody makes these anew, or they would be somebody's work in the next worktree.
  tree.write('secret.ignored', 'secret\n')
  tree.write('packages/new/node_modules/x.js', 'x\n')
  tree.write('packages/new/index.js', 'new\n')
  tree.write('.venv/src/lib/.git/HEAD', 'ref: refs/heads/main\n')
  symlinkSync(scene.home, tree.at('.tox'))
  const beside = join(scene.top, 'snapshot')
  mkdirSync(beside, { mode: 0o700 })
  const content = await worktrees.takeSnapshot(record, 1, beside, limits, null)
  await worktrees.retireWorktree(unleased(record), content, beside, scene.trash)
  const [trashed] = worktrees.listTrash(scene.trash)
  if (trashed === undefined) throw new Error('it is not in the trash')

  const pool = join(scene.top, 'pool')
  mkdirSync(pool)
  const path = join(pool, SPARE)
  const head = repository.head()
  const spare = (await worktrees.makeSpare(SPARE, path, head, commonDir)) as SpareWorktree
  const claim = async (given: SpareWorktree) => {
    const task = nextTask()
    const base = await take(task)
    const place = join(scene.top, 'trees', task)
    const claimed = await worktrees.claimSpare(given, worktreeIdOf(task), place, base)
    return { task, base, claimed }
  }
  const cold = async () => {
    const task = nextTask()
    const made = await make(worktreeIdOf(task), join(scene.top, 'cold', task), task)
    return stateOf(made.tree)
  }
  return { scene, worktrees, repository, trashed, spare, claim, cold }
}

function stateOf(tree: Repository) {
  return {
    files: filesOf(tree),
    index: tree.git('ls-files', '--stage', '-v', '-z'),
    status: tree.git('status', '--porcelain=v2', '-z', '--untracked-files=all', '--ignored'),
    head: tree.git('rev-parse', 'HEAD'),
  }
}

it('is a worktree made anew, and those directories as they were; the trash is emptied all the same', async () => {
  const { scene, worktrees, repository, trashed, spare, claim, cold } = await makeStand()
  const furnished = (await worktrees.furnishSpare(spare, trashed)) as SpareWorktree
  expect([...(furnished.output ?? [])].sort()).toEqual(OUTPUT)
  expect(await worktrees.purgeTrash(scene.trash, trashed.path, () => true)).toBe('gone')
  // Also set on another commit, and with changes of the caller's.
  repository.write('many/2.txt', 'further\n')
  repository.commit()
  const aimed = (await worktrees.aimSpare(furnished, repository.head())) as SpareWorktree
  repository.write('many/3.txt', 'edited by the caller\n')
  const { task, base, claimed } = await claim(aimed)
  const record = claimed as WorktreeRecord
  const tree = new Repository(scene, record.path)
  expect(readFileSync(tree.at('node_modules/left-pad/index.js'), 'utf8')).toBe('pad\n')
  expect(readFileSync(tree.at('target/debug/out'), 'utf8')).toBe('out\n')
  const collected = await worktrees.collectResult(record, base, task, scene.scratch)
  expect(collected).toMatchObject({ files: 0, leftOut: [] })
  for (const name of OUTPUT) tree.remove(name)
  expect(stateOf(tree)).toEqual(await cold())
})

it('is not touched where the trees differ in what they ignore; and goes where it is in doubt', async () => {
  const { scene, worktrees, trashed, spare } = await makeStand()
  const { path } = spare.record
  const tree = new Repository(scene, path)
  tree.write('node_modules/own.js', 'own\n')
  renameSync(join(path, 'packages/a'), join(path, 'packages/b'))
  symlinkSync('b', join(path, 'packages/a'))
  expect(await worktrees.furnishSpare(spare, trashed)).toBeNull()
  expect(readFileSync(tree.at('node_modules/own.js'), 'utf8')).toBe('own\n')
  expect(existsSync(tree.at('packages/b/node_modules'))).toBe(false)
  expect(existsSync(join(trashed.path, 'packages/a/node_modules/b/index.js'))).toBe(true)
  // What the trash may not lose, nobody may take.
  const other = { ...spare, record: { ...spare.record, commonDir: '/elsewhere/.git' } }
  expect(await worktrees.furnishSpare(other, trashed)).toEqual(other)
})

it('is not put in the place of a submodule, which git does not look at', async () => {
  const { scene, worktrees, trashed, spare } = await makeStand(repository => {
    repository.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},lib`)
    repository.git('commit', '--quiet', '--message=lib')
    mkdirSync(repository.at('lib'))
  })
  // As the note of a worktree names it that had the submodule.
  const tree = new Repository(scene, trashed.path)
  tree.write('lib/node_modules/c/index.js', 'c\n')
  const note = JSON.parse(readFileSync(`${trashed.path}.json`, 'utf8'))
  const dropped = [...note.dropped, 'lib/node_modules/']
  writeFileSync(`${trashed.path}.json`, JSON.stringify({ ...note, dropped }))
  const furnished = (await worktrees.furnishSpare(spare, trashed)) as SpareWorktree
  expect([...(furnished.output ?? [])].sort()).toEqual(OUTPUT)
  expect(readFileSync(tree.at('lib/node_modules/c/index.js'), 'utf8')).toBe('c\n')
})

it('is taken out again for a task that may not run it', async () => {
  const { scene, worktrees, trashed, spare, claim, cold } = await makeStand()
  const furnished = (await worktrees.furnishSpare(spare, trashed)) as SpareWorktree
  const stripped = worktrees.stripSpare(furnished, scene.trash)
  expect(stripped).toEqual(spare)
  const { claimed } = await claim(stripped)
  const tree = new Repository(scene, (claimed as WorktreeRecord).path)
  expect(stateOf(tree)).toEqual(await cold())
  await worktrees.discardBuildOutput(scene.trash)
  expect(worktrees.listTrash(scene.trash)).toEqual([trashed])
})

it.each<[string, (repository: Repository, tree: Repository) => void]>([
  [
    'git does not ignore it any more',
    repository => {
      repository.write('.gitignore', '*.ignored\n.tox\n.venv/\n')
      repository.commit()
    },
  ],
  [
    'a file in it is tracked',
    repository => {
      repository.write('node_modules/mine.js', 'mine\n')
      repository.git('add', '--force', 'node_modules/mine.js')
      repository.commit()
    },
  ],
  ['it was taken away', (_, tree) => rmSync(tree.at('target'), { recursive: true })],
  ['something else is ignored', (_, tree) => tree.write('late.ignored', 'late\n')],
  ['a file beside it was edited', (_, tree) => tree.write('packages/a/index.js', 'A\n')],
])('a spare with it is not taken where %s', async (_name, spoil) => {
  const { scene, worktrees, repository, trashed, spare, claim } = await makeStand()
  const furnished = (await worktrees.furnishSpare(spare, trashed)) as SpareWorktree
  spoil(repository, new Repository(scene, spare.record.path))
  expect((await claim(furnished)).claimed).toEqual({ unfit: expect.any(String) })
})
