/** A task's change as commits on top of HEAD, with the real store and real git. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type CrashPoint, onReach } from '../../src/domain/crash-points.ts'
import type { TaskId } from '../../src/domain/ids.ts'
import type { Task } from '../../src/domain/task.ts'
import { applyTask } from '../../src/engine/apply.ts'
import { pickTask } from '../../src/engine/pick.ts'
import { undoTask } from '../../src/engine/undo-apply.ts'
import { unpickTask } from '../../src/engine/unpick.ts'
import { exactly } from '../exactly.ts'
import { fingerprint } from '../fingerprint.ts'
import { makeScene, runTask } from './scene.ts'

type Files = Readonly<Record<string, string | null>>

async function makeHouse() {
  const { holdfast, git, repo, ports: shared } = await makeScene()
  git('config', 'user.name', 'The User')
  git('config', 'user.email', 'user@localhost')
  const ports = { ...shared, applications: await holdfast.applications() }
  const { store, files, worktrees } = ports
  const write = (given: Files, root = repo) => {
    for (const [name, content] of Object.entries(given)) {
      if (content === null) rmSync(join(root, name), { recursive: true })
      else {
        mkdirSync(join(root, name, '..'), { recursive: true })
        writeFileSync(join(root, name), content)
      }
    }
  }
  const commit = (given: Files, message: string) => {
    write(given)
    git('add', '--force', '--all', '--', ...Object.keys(given))
    git('commit', '--quiet', `--message=${message}`)
  }
  const look = async (id: TaskId): Promise<Task> => {
    const task = await store.findTask(id)
    if (task === undefined) throw new Error('there is no such task')
    return task
  }

  /** A task whose agent has done its work. */
  async function run(work: (tree: string) => void): Promise<Task> {
    const id = await runTask(ports, repo, work)
    await files.writeRequest(id, Buffer.from('Mend the login\nand more'), {})
    return await look(id)
  }

  const wishAt = async (to: string) => ({
    target: await worktrees.openCheckout(to),
    isStopped: () => false,
    onMended: () => undefined,
  })
  return {
    holdfast,
    git,
    repo,
    ports,
    write,
    commit,
    look,
    run,
    wishAt,
    head: () => git('rev-parse', 'HEAD').trim(),
    pick: async (task: Task, to = repo) =>
      await pickTask(await look(task.request.id), await wishAt(to), ports),
    /** Files to the byte; and index, HEAD, refs, stash and what lies in the git directory. */
    everything: () => ({
      files: [...exactly({ root: repo })],
      rest: fingerprint(repo, (...words) => git(...words), false),
      leftovers: ['index.lock', 'holdfast-index', 'holdfast-apply'].filter(name =>
        existsSync(join(repo, '.git', name)),
      ),
    }),
  }
}

afterEach(() => onReach(() => undefined))

/** A failure at a step, once. */
function failAt(point: CrashPoint): void {
  onReach(reached => {
    if (reached !== point) return
    onReach(() => undefined)
    throw new Error(`failed at ${point}`)
  })
}

const LINES = 'one\ntwo\nthree\nfour\nfive\nsix\nseven\n'

const by = (tree: string, files: Files) => {
  for (const [name, content] of Object.entries(files)) {
    if (content === null) rmSync(join(tree, name))
    else {
      mkdirSync(join(tree, name, '..'), { recursive: true })
      writeFileSync(join(tree, name), content)
    }
  }
}

test('the change alone becomes a commit on HEAD, and nothing else moves, staged or not', async () => {
  const house = await makeHouse()
  const { run, pick, look, write, commit, git, repo, head } = house
  commit(
    {
      '.gitignore': '*.env\n',
      'long.txt': LINES,
      gone: 'gone\n',
      'deep/old': 'old\n',
      mine: 'm\n',
    },
    'second',
  )
  // The caller's own, which the task starts from: of a file that it changes, too.
  write({ 'long.txt': LINES.replace('one', 'ONE of the caller'), 'brought.txt': 'of the caller\n' })
  const task = await run(tree => {
    const text = readFileSync(join(tree, 'long.txt'), 'utf8')
    by(tree, { 'long.txt': text.replace('seven', 'agent'), gone: null, 'deep/old': null })
    by(tree, { 'new/file': 'new\n', file: 'one\nby the agent\n' })
    chmodSync(join(tree, 'file'), 0o755)
    symlinkSync('new/file', join(tree, 'link'))
  })
  const { id } = task.request
  git('checkout', '--quiet', 'long.txt')
  commit({ 'meanwhile.txt': 'meanwhile\n' }, 'meanwhile')
  write({ mine: 'staged\n', 'both.txt': 'staged\n', 'own.env': 'secret\n', 'untracked.txt': 'u\n' })
  git('add', 'mine', 'both.txt')
  git('add', '--intent-to-add', 'brought.txt')
  write({ 'both.txt': 'staged, then edited\n', 'meanwhile.txt': 'edited\n' })
  const status = git('status', '--porcelain=v2', '--ignored')
  const staged = git('diff', '--cached', '--binary')
  const [from, files] = [head(), exactly({ root: repo })]

  const outcome = await pick(task)
  expect(outcome).toMatchObject({
    kind: 'picked',
    from,
    commit: head(),
    commits: 1,
    branch: git('symbolic-ref', '--short', 'HEAD').trim(),
    hasStaged: true,
  })
  const changed = 'D\tdeep/old\nM\tfile\nD\tgone\nA\tlink\nM\tlong.txt\nA\tnew/file'
  expect(git('diff', '--name-status', '--no-renames', from, 'HEAD').trim()).toBe(changed)
  expect(git('rev-parse', 'HEAD^').trim()).toBe(from)
  expect(git('show', 'HEAD:long.txt')).toBe(LINES.replace('seven', 'agent'))
  expect(git('log', '-1', '--format=%an|%B').trim()).toBe(
    `The User|Mend the login\n\nHoldfast-Task: ${id}`,
  )
  expect(git('reflog', '-1', '--format=%gs').trim()).toBe(`holdfast pick ${id}`)
  // Status and staged state of all else, to the letter; and git knows the files of the change.
  expect(git('diff-files', '--name-only').trim().split('\n')).toEqual([
    'both.txt',
    'brought.txt',
    'meanwhile.txt',
  ])
  expect(git('status', '--porcelain=v2', '--ignored')).toBe(status)
  expect(git('diff', '--cached', '--binary')).toBe(staged)
  expect(lstatSync(join(repo, 'file')).mode & 0o111).toBe(0o111)
  expect([existsSync(join(repo, 'deep')), existsSync(join(repo, 'gone'))]).toEqual([false, false])
  expect(house.everything().leftovers).toEqual([])
  expect((await look(id)).taken).toMatchObject({ how: 'picked', where: repo, number: null })
  expect(git('for-each-ref', `refs/holdfast/${id}/undo`)).toBe('')

  // Once more is no mistake; and an apply says that it is there.
  const picked = house.everything()
  expect(await pick(task)).toEqual({ kind: 'in_place' })
  expect(house.everything()).toEqual(picked)
  const undo = undoTask(await look(id), { named: null, standsIn: repo }, house.ports)
  await expect(undo).rejects.toMatchObject({ hint: expect.stringContaining('pick --undo') })

  // As the command says where something else is staged, and where nothing is.
  git('read-tree', '-m', '-u', 'HEAD', from)
  git('update-ref', 'HEAD', from)
  expect(exactly({ root: repo })).toEqual(files)
  expect(git('diff', '--cached', '--binary')).toBe(staged)
  expect(git('status', '--porcelain=v2', '--ignored')).toBe(status)
  git('reset', '--quiet')
  const unstaged = git('status', '--porcelain=v2', '--ignored')
  expect(await pick(task)).toMatchObject({ kind: 'picked', hasStaged: false })
  git('reset', '--quiet', '--keep', from)
  expect(exactly({ root: repo })).toEqual(files)
  expect(git('status', '--porcelain=v2', '--ignored')).toBe(unstaged)
  await house.holdfast.close()
})

test('what is in the way of it is named, and nothing changes', async () => {
  const house = await makeHouse()
  const { run, pick, look, write, commit, git, repo, everything, ports } = house
  commit({ '.gitignore': '*.env\n', 'long.txt': LINES }, 'second')
  const task = await run(tree => {
    by(tree, { file: 'by the agent\n', 'new.txt': 'new\n', 'own.env': 'e\n', 'at/depth': 'd\n' })
    execFileSync('git', ['add', '--force', 'own.env'], { cwd: tree })
  })
  const refused = async (code: string, words: string) => {
    const before = everything()
    await expect(pick(task)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
    })
    expect(everything()).toEqual(before)
    expect((await look(task.request.id)).taken).toBeNull()
  }
  const clean = () => {
    git('reset', '--quiet', '--hard')
    git('clean', '--quiet', '-dffx')
  }
  const dirt: [string, Files, boolean, string][] = [
    ['refused_in_state', { file: 'edited\n' }, false, 'file (not staged)'],
    ['refused_in_state', { file: 'edited\n' }, true, 'file (staged)'],
    ['refused_in_state', { file: null }, false, 'file (not staged)'],
    ['refused_in_state', { 'new.txt': 'new\n' }, false, 'new.txt (untracked)'],
    ['refused_in_state', { 'new.txt': 'mine\n' }, true, 'new.txt (staged)'],
    ['refused_in_state', { 'new.txt/inner': 'mine\n' }, false, 'new.txt/inner (untracked)'],
    ['refused_in_state', { at: 'a file\n' }, false, 'at (untracked)'],
    ['in_the_way', { 'own.env': 'mine\n' }, false, 'own.env'],
  ]
  for (const [code, files, isStaged, words] of dirt) {
    write(files)
    if (isStaged) git('add', ...Object.keys(files))
    await refused(code, words)
    clean()
  }
  // In the index alone.
  write({ file: 'edited\n', 'at/depth': 'staged\n' })
  git('add', 'file', 'at/depth')
  write({ file: 'one\n', at: null })
  await refused('refused_in_state', 'file (staged)')
  clean()
  git('update-index', '--assume-unchanged', 'file')
  write({ file: 'hidden edit\n' })
  await refused('refused_in_state', 'file (not staged)')
  git('update-index', '--no-assume-unchanged', 'file')
  clean()
  writeFileSync(join(repo, '.git', 'index.lock'), '')
  const locked = pick(task)
  await expect(locked).rejects.toMatchObject({ code: 'operation_in_progress' })
  expect(readFileSync(join(repo, 'file'), 'utf8')).toBe('one\n')
  rmSync(join(repo, '.git', 'index.lock'))
  writeFileSync(join(repo, '.git', 'MERGE_HEAD'), git('rev-parse', 'HEAD'))
  await refused('operation_in_progress', 'a merge')
  rmSync(join(repo, '.git', 'MERGE_HEAD'))
  const stopped = { ...(await house.wishAt(repo)), isStopped: () => true }
  await expect(pickTask(task, stopped, ports)).rejects.toMatchObject({ code: 'refused_in_state' })

  // What an apply has written is in the way, too; taken back, it is not.
  const { onMended, target } = await house.wishAt(repo)
  await applyTask(task, { target, mode: 'clean', isStopped: () => false, onMended }, ports)
  await expect(pick(task)).rejects.toMatchObject({ hint: expect.stringContaining('--undo') })
  await undoTask(await look(task.request.id), { named: null, standsIn: repo }, ports)

  commit({ file: 'by the user\n' }, 'another way')
  await refused('conflict', 'file')
  // Of another repository, without a commit, and with work that would stay behind.
  const other = join(repo, '..', 'other')
  execFileSync('git', ['init', '--quiet', other])
  await expect(pick(task, other)).rejects.toMatchObject({ message: expect.any(String) })
  execFileSync('git', ['clone', '--quiet', repo, join(repo, '..', 'clone')])
  await expect(pick(task, join(repo, '..', 'clone'))).rejects.toMatchObject({
    code: 'unrelated_repository',
  })
  const branch = git('symbolic-ref', '--short', 'HEAD').trim()
  git('symbolic-ref', 'HEAD', 'refs/heads/unborn')
  await expect(pick(task)).rejects.toMatchObject({ name: 'AppError' })
  const { state } = task
  if (state.name !== 'succeeded') throw new Error('it has not succeeded')
  const inner = [{ path: 'sub' }] as never
  const half = { ...task, state: { ...state, result: { ...state.result, repositories: inner } } }
  git('symbolic-ref', 'HEAD', `refs/heads/${branch}`)
  await expect(pickTask(half, await house.wishAt(repo), ports)).rejects.toMatchObject({
    code: 'refused_in_state',
    message: expect.stringContaining('sub'),
  })
  await house.holdfast.close()
})

test('the agent’s own commits are kept, on a HEAD that is detached and has gone on', async () => {
  const house = await makeHouse()
  const { run, pick, look, git, repo, commit, head } = house
  const task = await run(tree => {
    const inTree = (...words: string[]) =>
      execFileSync('git', ['-c', 'user.name=Ägent', '-c', 'user.email=a@localhost', ...words], {
        cwd: tree,
      })
    for (const name of ['a', 'b']) {
      by(tree, { [name]: `${name}\n` })
      inTree('add', name)
      inTree('commit', '--quiet', `--message=${name}, by the agent\n\nwith a body`)
    }
    by(tree, { rest: 'left over\n' })
  })
  const branch = git('symbolic-ref', '--short', 'HEAD').trim()
  const start = head()
  // On the base itself they are the same commits.
  expect(await pick(task)).toMatchObject({ kind: 'picked', commits: 3, branch })
  const [onBase] = git('log', '--format=%H', '-1', 'HEAD^').trim().split('\n')
  const first = (await look(task.request.id)).taken
  git('reset', '--quiet', '--keep', start)
  git('checkout', '--quiet', '--detach')
  // One of the two is there by another way.
  commit({ a: 'a\n', other: 'o\n' }, 'a, by the user')
  const from = head()
  expect(await pick(task)).toMatchObject({ kind: 'picked', from, commits: 2, branch: null })
  // Whoever was passed over for it was so since the first time.
  expect((await look(task.request.id)).taken).toMatchObject({ at: first?.at, head: { from } })
  expect(git('log', '--format=%an %s', `${from}..HEAD`).trim().split('\n')).toEqual([
    'The User Mend the login',
    'Ägent b, by the agent',
  ])
  const about = (name: string) => git('log', '-1', '--format=%an%ae%at%B', name)
  expect(about('HEAD^')).toBe(about(onBase ?? ''))
  expect(git('log', '-1', '--format=%cn', 'HEAD^').trim()).toBe('The User')
  expect(git('rev-parse', branch).trim()).toBe(start)
  expect(git('status', '--porcelain')).toBe('')
  expect(readFileSync(join(repo, 'rest'), 'utf8')).toBe('left over\n')
  await house.holdfast.close()
})

test('what fails before HEAD has moved leaves all as it was; what fails after, is done', async () => {
  const house = await makeHouse()
  const { run, pick, look, write, git, head, everything } = house
  const task = await run(tree => by(tree, { file: 'by the agent\n', new: 'new\n' }))
  write({ 'staged.txt': 'staged\n' })
  git('add', 'staged.txt')
  const [before, from] = [everything(), head()]
  for (const point of ['exchange.put', 'apply.exchanged', 'pick.index-filled'] as const) {
    failAt(point)
    await expect(pick(task)).rejects.toThrow(point)
    expect(everything()).toEqual(before)
  }
  // Somebody else commits at the last moment.
  onReach(point => {
    if (point === 'pick.index-filled') git('update-ref', 'HEAD', other)
  })
  const other = git('commit-tree', '-p', from, '-m', 'other', 'HEAD^{tree}').trim()
  await expect(pick(task)).rejects.toMatchObject({ code: 'changed_since' })
  expect(head()).toBe(other)
  onReach(() => undefined)
  git('update-ref', 'HEAD', from)
  expect(everything()).toEqual(before)
  expect((await look(task.request.id)).taken).toBeNull()

  for (const point of ['pick.head-moved', 'pick.index-moved', 'undo.ref-dropped'] as const) {
    failAt(point)
    expect(await pick(task)).toMatchObject({ kind: 'picked', from, commit: head() })
    expect(git('status', '--porcelain').trim()).toBe('A  staged.txt')
    expect([everything().leftovers, house.ports.applications.list(task.request.id)]).toEqual([
      [],
      [],
    ])
    git('read-tree', '-m', '-u', 'HEAD', from)
    git('update-ref', 'HEAD', from)
  }
  await house.holdfast.close()
})

test('a pick is taken back: files, index and HEAD as they were, all of it or nothing', async () => {
  const house = await makeHouse()
  const { run, pick, look, write, commit, git, head, everything, repo, ports } = house
  commit({ gone: 'gone\n', 'deep/old': 'old\n' }, 'second')
  const task = await run(tree => {
    by(tree, { file: 'one\nby the agent\n', 'new/file': 'new\n', gone: null, 'deep/old': null })
    chmodSync(join(tree, 'file'), 0o755)
  })
  const { id } = task.request
  const waits = { isStopped: () => false, onMended: () => undefined }
  const unpick = async () => await unpickTask(await look(id), waits, ports)
  await expect(unpick()).rejects.toMatchObject({ code: 'not_applied' })
  write({ 'staged.txt': 'staged\n', 'untracked.txt': 'u\n' })
  git('add', 'staged.txt')
  /** The bytes of the index may differ: what git has looked at since is in them. */
  const seen = () => ({
    files: everything().files,
    leftovers: everything().leftovers,
    status: git('status', '--porcelain=v2'),
    index: git('ls-files', '--stage'),
    head: head(),
    refs: git('for-each-ref'),
  })
  const [before, from] = [seen(), head()]

  expect(await pick(task)).toMatchObject({ kind: 'picked' })
  const picked = seen()
  for (const point of ['exchange.put', 'apply.exchanged', 'pick.index-filled'] as const) {
    failAt(point)
    await expect(unpick()).rejects.toThrow(point)
    expect(seen()).toEqual(picked)
    expect((await look(id)).taken).toMatchObject({ how: 'picked', head: { from } })
  }
  // What is the user's own is in the way, and HEAD may have gone on.
  write({ file: 'edited since\n' })
  await expect(unpick()).rejects.toMatchObject({ code: 'refused_in_state' })
  git('checkout', '--quiet', 'file')
  const commitOfPick = head()
  const onTop = git('commit-tree', '-p', 'HEAD', '-m', 'mine', 'HEAD^{tree}').trim()
  git('update-ref', 'HEAD', onTop)
  await expect(unpick()).rejects.toMatchObject({
    code: 'changed_since',
    hint: expect.stringContaining('git revert'),
  })
  git('update-ref', 'HEAD', commitOfPick)
  expect(seen()).toEqual(picked)

  // Another branch is none of its business, at whichever of the two commits it stands.
  const branch = git('symbolic-ref', '--short', 'HEAD').trim()
  // Short names of branches depend on tags.
  git('tag', branch)
  for (const [words, now] of [
    [['switch', '--quiet', '--create', 'at-the-pick'], 'at-the-pick'],
    [['switch', '--quiet', '--create', 'before-it', from], 'before-it'],
    [['switch', '--quiet', '--detach', branch], 'no branch'],
  ] as const) {
    git(...words)
    const elsewhere = seen()
    await expect(unpick()).rejects.toMatchObject({
      code: 'changed_since',
      message: expect.stringContaining(`is on ${now} now`),
      hint: expect.stringContaining(`git switch '${branch}'`),
    })
    expect([seen(), (await look(id)).taken?.how]).toEqual([elsewhere, 'picked'])
    git('switch', '--quiet', branch)
  }
  git('tag', '--delete', branch)
  git('branch', '--quiet', '-D', 'at-the-pick', 'before-it')
  expect(seen()).toEqual(picked)

  expect(await unpick()).toMatchObject({ root: repo })
  expect(seen()).toEqual(before)
  expect(git('reflog', '-1', '--format=%gs').trim()).toBe(`holdfast pick --undo ${id}`)
  expect((await look(id)).taken).toBeNull()
  for (const point of ['pick.head-moved', 'pick.index-moved', 'undo.ref-dropped'] as const) {
    await pick(task)
    failAt(point)
    await unpick()
    expect([seen(), (await look(id)).taken]).toEqual([before, null])
  }
  // HEAD had all of it: there is no pick to take back.
  await pick(task)
  await ports.store.recordTaken(id, null, 'forgotten', 1)
  expect(await pick(task)).toEqual({ kind: 'in_place' })
  await expect(unpick()).rejects.toMatchObject({ code: 'not_applied' })
  await house.holdfast.close()
})
