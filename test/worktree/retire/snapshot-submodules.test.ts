/** A worktree with populated submodules is put away and brought back: to the byte, or it stays. */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { SnapshotContent } from '../../../src/domain/snapshot.ts'
import { type Carried, carry } from '../odd/odd.ts'
import { emptyTrash, limits, makeRepository, Repository, unleased } from '../scene.ts'
import { ALLOWED, makeDirty, makeFresh, makeSuper, setTrap, within } from '../submodules.ts'

const PARTS = ['.', 'lib/sub', 'lib/sub/deep']

function besideOf({ scene }: Carried, number = 1): string {
  const beside = join(scene.top, `snapshot-${number}`)
  mkdirSync(beside, { recursive: true, mode: 0o700 })
  return beside
}

const snapshot = (carried: Carried, number = 1, bounds = limits) =>
  carried.scene.worktrees.takeSnapshot(
    carried.record,
    number,
    besideOf(carried, number),
    bounds,
    null,
  )

const retire = (carried: Carried, content: SnapshotContent, number = 1) =>
  carried.scene.worktrees.retireWorktree(
    unleased(carried.record),
    content,
    besideOf(carried, number),
    carried.scene.trash,
  )

function restore(carried: Carried, content: SnapshotContent, path = carried.record.path) {
  const { id, commonDir } = carried.record
  const place = { id, path, commonDir }
  return carried.scene.worktrees.restoreWorktree(place, content, besideOf(carried))
}

/** Everything below a directory: kind, mode and bytes; without the packs of objects. */
function bytesOf(root: string): Map<string, string> {
  const found = new Map<string, string>()
  const walk = (path: string) => {
    for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
      const inside = join(path, entry.name)
      if (/objects\/(?:pack|info)$/.test(inside)) continue
      const place = join(root, inside)
      const mode = (lstatSync(place).mode & 0o777).toString(8)
      if (entry.isDirectory()) {
        found.set(inside, `directory ${mode}`)
        walk(inside)
      } else if (entry.isSymbolicLink()) found.set(inside, `link ${readlinkSync(place)}`)
      else found.set(inside, `file ${mode} ${readFileSync(place, 'latin1')}`)
    }
  }
  walk('')
  return new Map([...found].sort())
}

const wholeOf = ({ agent, record }: Carried) => ({
  files: bytesOf(join(agent.root, 'lib')),
  git: bytesOf(join(record.gitDir, 'modules')),
})

const statusOf = (inside: Repository) =>
  inside
    .git('status', '--porcelain=v2', '--branch', '-uall', '--ignored')
    .split('\n')
    // It is not kept.
    .filter(line => !line.includes('node_modules'))

/** What git says of a worktree and of all that is in it. */
const sayingsOf = (agent: Repository) => [
  agent.git('submodule', 'status', '--recursive'),
  ...PARTS.map(part => {
    const inside = within(agent, part)
    return {
      status: statusOf(inside),
      index: inside.git('ls-files', '--stage', '-v'),
      refs: part === '.' ? '' : inside.git('for-each-ref'),
      log: inside.git('reflog'),
      stashes: part === '.' ? '' : inside.git('stash', 'list', '-p'),
      diff: inside.git('diff'),
      staged: inside.git('diff', '--cached'),
    }
  }),
]

/** Every kind of work that can be in a submodule. */
function workInside(agent: Repository): void {
  const sub = within(agent, 'lib/sub')
  sub.git('checkout', '-q', '-b', 'agents')
  // Of the caller's uncommitted change only the caller's repository has the blob.
  sub.git('commit', '-q', '-m', 'what was staged')
  sub.write('stashed.txt', 'stashed\n')
  sub.git('stash', 'push', '-q', '--include-untracked')
  sub.write('committed.txt', 'never pushed\n')
  sub.commit('never pushed')
  agent.git('add', 'lib/sub')
  sub.git('commit', '-q', '--allow-empty', '-m', 'after it was staged')
  sub.git('tag', '-a', '-m', 'a tag', 'tagged')
  sub.write('edited.txt', 'staged\n')
  sub.git('add', 'edited.txt')
  sub.write('edited.txt', 'and edited\n')
  sub.write('intended.txt', 'intended\n')
  sub.git('add', '--intent-to-add', 'intended.txt')
  sub.write('untracked/deep down.txt', 'untracked\n')
  sub.write('secret.ignored', 'hunter2\n')
  chmodSync(sub.at('secret.ignored'), 0o600)
  sub.write('.gitignore', '*.ignored\nnode_modules\n')
  sub.write('node_modules/left-pad/index.js', 'x')
  mkdirSync(sub.at('empty'))
  symlinkSync('/etc/hostname', sub.at('outward'))
  const deep = within(agent, 'lib/sub/deep')
  deep.git('checkout', '-q', '--detach')
  deep.write('kept.txt', 'detached\n')
  // What the caller had staged there stays staged: of that too only the caller has the blob.
  deep.git('commit', '-q', '-m', 'on no branch', 'kept.txt')
  deep.write('kept.txt', 'and edited\n')
  // In the place of one that nobody has populated.
  agent.write('unused/in its place.txt', 'no repository\n')
}

/** The user's repository with two more submodules, which nobody has populated. */
function makeUser(): Repository {
  const repository = makeSuper()
  const unused = makeRepository(repository.scene, { name: 'origin-unused' })
  for (const name of ['unused', 'idle']) {
    repository.git(...ALLOWED, 'submodule', '-q', 'add', unused.root, name)
  }
  repository.commit('with two that nobody uses')
  repository.git('submodule', '-q', 'deinit', '-f', 'unused', 'idle')
  makeDirty(within(repository, 'lib/sub'))
  makeDirty(within(repository, 'lib/sub/deep'))
  return repository
}

/** Whatever only the user's own refs held in the repositories of the submodules is gone. */
async function forgetAll({ repository, scene, record, task }: Carried) {
  for (const part of ['lib/sub/deep', 'lib/sub']) {
    const inside = within(repository, part)
    inside.git('checkout', '-q', '--orphan', 'another')
    inside.git('read-tree', '--empty')
    inside.git('commit', '-q', '--allow-empty', '-m', 'another')
    for (const line of inside.git('for-each-ref', '--format=%(refname)').split('\n')) {
      const isKept = line === 'refs/heads/another' || line.startsWith('refs/holdfast/')
      if (!isKept) inside.git('update-ref', '--no-deref', '-d', line)
    }
  }
  await scene.worktrees.dropBase(record.commonDir, task)
  for (const part of PARTS) {
    const inside = within(repository, part)
    inside.git('reflog', 'expire', '--all', '--expire=now')
    inside.git('gc', '--quiet', '--prune=now')
    inside.git('fsck', '--strict', '--no-dangling')
  }
}

it('comes back to the byte: commits, branches, stash, index, untracked and ignored files', async () => {
  const carried = await carry(makeUser())
  const { agent, scene, record, repository } = carried
  workInside(agent)
  const said = sayingsOf(agent)
  const before = wholeOf(carried)
  const content = await snapshot(carried)
  expect(content.ignored.dropped).toEqual(['lib/sub/node_modules/'])
  expect(wholeOf(carried)).toEqual(before)
  const beside = besideOf(carried)
  expect(readdirSync(beside).sort()).toEqual(['included', 'submodules', 'submodules.json'])
  for (const name of readdirSync(beside)) {
    expect(statSync(join(beside, name)).mode & 0o077).toBe(0)
  }
  // What a commit has is not kept twice.
  const list = JSON.parse(readFileSync(join(beside, 'submodules.json'), 'utf8'))
  const copied = list.entries.map(({ path }: { path: string }) => path)
  expect(copied).toContain('lib/sub/edited.txt')
  expect(copied).not.toContain('lib/sub/script.sh')
  await retire(carried, content)
  expect(await emptyTrash(scene)).toEqual([])
  expect([existsSync(record.path), existsSync(record.gitDir)]).toEqual([false, false])
  await forgetAll(carried)

  expect(await restore(carried, content)).toMatchObject({ problems: [] })
  expect(wholeOf(carried)).toEqual({
    ...before,
    files: new Map([...before.files].filter(([path]) => !path.startsWith('sub/node_modules'))),
  })
  expect(sayingsOf(agent)).toEqual(said)
  for (const part of PARTS) within(agent, part).git('fsck', '--strict', '--no-dangling')
  expect(readFileSync(agent.at('unused/in its place.txt'), 'utf8')).toBe('no repository\n')
  expect(readdirSync(agent.at('idle'))).toEqual([])

  await scene.worktrees.dropSnapshot(record.commonDir, record.id, 1)
  for (const part of PARTS) {
    expect(within(repository, part).git('for-each-ref', 'refs/holdfast')).toBe('')
  }
})

it('stays when anything in a submodule changes after the snapshot', async () => {
  const carried = await carry(makeSuper())
  const { agent, record } = carried
  const sub = within(agent, 'lib/sub')
  const gitDir = sub.git('rev-parse', '--absolute-git-dir')
  let number = 0
  const lately: Record<string, () => void> = {
    'an edit of the same length and time': () => {
      const { atime, mtime } = statSync(sub.at('kept.txt'))
      writeFileSync(sub.at('kept.txt'), 'KEPT\n')
      utimesSync(sub.at('kept.txt'), atime, mtime)
    },
    'another mode': () => chmodSync(sub.at('edited.txt'), 0o600),
    'a file': () => sub.write('late.txt', 'late\n'),
    'an ignored file': () => sub.write('late.ignored', 'late\n'),
    'a file of the one within': () => sub.write('deep/late.txt', 'late\n'),
    'something staged': () => sub.git('add', 'late.txt'),
    'a branch': () => sub.git('branch', 'late'),
    'another HEAD': () => sub.git('checkout', '-q', 'late'),
    'another repository': () => mkdirSync(join(record.gitDir, 'modules/late')),
    'a copy that somebody has changed': () => {
      const kept = join(besideOf(carried, number), 'submodules')
      const bytes = readFileSync(kept)
      bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0)
      writeFileSync(kept, bytes)
    },
  }
  for (const [what, change] of Object.entries(lately)) {
    const content = await snapshot(carried, ++number)
    change()
    if (what === 'another repository') writeFileSync(join(record.gitDir, 'modules/late/HEAD'), 'x')
    const before = wholeOf(carried)
    await expect(retire(carried, content, number), what).rejects.toMatchObject({
      code: 'work_left',
    })
    expect(wholeOf(carried)).toEqual(before)
    expect(carried.scene.worktrees.lookAtWorktree(record)).toBe('present')
  }
  // And after it was taken away, in the trash.
  const content = await snapshot(carried, ++number)
  await retire(carried, content, number)
  const [trashed] = carried.scene.worktrees.listTrash(carried.scene.trash)
  appendFileSync(join(trashed?.path ?? '', 'lib/sub/kept.txt'), 'late\n')
  expect(await emptyTrash(carried.scene)).toEqual(['it holds what came in late: lib/sub/kept.txt'])
  expect(existsSync(gitDir)).toBe(false)
})

it('that its agent has populated, with traps: nothing runs, and it comes back elsewhere too', async () => {
  const carried = await carry(makeFresh())
  const { agent, scene, record, repository } = carried
  agent.git(...ALLOWED, 'submodule', '-q', 'update', '--init', '--recursive')
  mkdirSync(agent.at('made'))
  const made = within(agent, 'made')
  made.git('init', '-q')
  made.write('a.txt', 'committed\n')
  made.write('b.txt', 'its blob is lost\n')
  made.commit('in a repository of its own')
  agent.git('-c', 'advice.addEmbeddedRepo=false', 'add', 'made')
  const sub = within(agent, 'lib/sub')
  sub.git('commit', '-q', '--allow-empty', '-m', 'never pushed')
  const [heads, status] = [[sub.head(), made.head()], agent.git('submodule', 'status', 'lib/sub')]
  const modules = join(record.gitDir, 'modules')
  const before = bytesOf(modules)
  made.write('a.txt', 'changed\n')
  const blob = made.git('rev-parse', 'HEAD:b.txt')
  rmSync(made.at(`.git/objects/${blob.slice(0, 2)}/${blob.slice(2)}`))
  const payload = setTrap(scene, sub, sub.git('rev-parse', '--absolute-git-dir'))
  const content = await snapshot(carried)
  // Whoever took it away was killed: after the rename, in the middle of what git removes.
  renameSync(record.path, join(scene.trash, record.id))
  rmSync(join(modules, 'lib/sub/logs'), { recursive: true })
  await retire(carried, content)
  expect(await emptyTrash(scene)).toEqual([])
  expect(existsSync(record.gitDir)).toBe(false)

  const elsewhere = new Repository(scene, join(scene.top, 'elsewhere'))
  expect(await restore(carried, content, elsewhere.root)).toMatchObject({ problems: [] })
  expect(payload.hasRun()).toBe(false)
  expect([within(elsewhere, 'lib/sub').head(), within(elsewhere, 'made').head()]).toEqual(heads)
  expect(readFileSync(elsewhere.at('made/a.txt'), 'utf8')).toBe('changed\n')
  expect(readFileSync(elsewhere.at('made/b.txt'), 'utf8')).toBe('its blob is lost\n')
  expect(readFileSync(elsewhere.at('lib/sub/edited.txt'), 'utf8')).toBe('changed\n')
  const deep = within(elsewhere, 'lib/sub/deep')
  expect(deep.git('rev-parse', '--show-toplevel')).toBe(deep.root)
  expect(deep.git('status', '--porcelain')).toBe('')
  expect(elsewhere.git('submodule', 'status', 'lib/sub')).toBe(status)
  // And where it was, to the byte but for the traps.
  repository.git('worktree', 'remove', '-f', '-f', elsewhere.root)
  await restore(carried, content)
  const config = /sub\/config$/
  const unlike = [...before].filter(([path, bytes]) => bytesOf(modules).get(path) !== bytes)
  expect(unlike.filter(([path]) => !config.test(path))).toEqual([])
})

it('stays where something of a submodule cannot be kept whole', async () => {
  const carried = await carry(makeSuper())
  const { agent, record, repository } = carried
  const gitDir = join(record.gitDir, 'modules/lib/sub')
  const pointer = join(agent.root, 'lib/sub/.git')
  const own = readFileSync(pointer, 'utf8')
  const alternates = join(gitDir, 'objects/info/alternates')
  const borrowed = readFileSync(alternates, 'utf8')
  const stays = async (words: string, bounds = limits) => {
    const before = wholeOf(carried)
    await expect(snapshot(carried, 1, bounds)).rejects.toMatchObject({
      code: 'work_left',
      message: expect.stringContaining(words),
    })
    expect(wholeOf(carried)).toEqual(before)
    for (const part of PARTS) {
      expect(within(repository, part).git('for-each-ref', 'refs/holdfast/*/snapshot')).toBe('')
    }
  }
  await stays('files of submodules', { ...limits, maxFiles: 3 })
  writeFileSync(pointer, `gitdir: ${repository.root}/.git/modules/lib/sub\n`)
  await stays('its git directory lies elsewhere')
  rmSync(pointer)
  symlinkSync(gitDir, pointer)
  await stays('it has no git directory')
  rmSync(pointer)
  writeFileSync(pointer, own)
  writeFileSync(alternates, `${borrowed}${gitDir}/modules/deep/objects\n`)
  await stays('it borrows the objects in')
  writeFileSync(alternates, borrowed)
  mkdirSync(join(gitDir, 'worktrees/linked'), { recursive: true })
  await stays('it has worktrees of its own')
  rmSync(join(gitDir, 'worktrees'), { recursive: true })
  const modules = join(record.gitDir, 'modules')
  renameSync(modules, `${modules}-elsewhere`)
  symlinkSync(`${modules}-elsewhere`, modules)
  await stays('leads elsewhere')
  rmSync(modules)
  renameSync(`${modules}-elsewhere`, modules)
  rmSync(alternates)
  execFileSync('mkfifo', [alternates])
  await stays('it borrows the objects in')
  rmSync(alternates)
  writeFileSync(alternates, borrowed)
  const sub = within(agent, 'lib/sub')
  sub.write('torn.txt', 'torn\n')
  sub.commit('with a file whose blob is lost')
  const blob = sub.git('rev-parse', 'HEAD:torn.txt')
  rmSync(join(gitDir, 'objects', blob.slice(0, 2), blob.slice(2)))
  await stays('its submodules: git pack-objects failed')
})
