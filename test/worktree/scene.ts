/** Real repositories in a temporary directory, apart from the user's own git configuration. */
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import {
  type CommitId,
  parseCommitId,
  parseTaskId,
  type TaskId,
  worktreeIdOf,
} from '../../src/domain/ids.ts'
import type { Base } from '../../src/domain/task.ts'
import type {
  CaptureOrder,
  Checkout,
  UnleasedWorktree,
  WorktreeRecord,
} from '../../src/ports/worktrees.ts'
import { loadProcessTable } from '../../src/process/process-table.ts'
import { makeLocks } from '../../src/store/locks.ts'
import { systemClock } from '../../src/system-clock.ts'
import { makeWorktrees, type WorktreesNeeds } from '../../src/worktree/worktrees.ts'

export const processes = await loadProcessTable()

/** Everything, within bounds. */
export const limits: CaptureOrder = {
  maxBytes: 50e6,
  maxFiles: 2000,
  changes: 'all',
  revision: null,
}

export interface Scene {
  /** The temporary directory itself. */
  readonly top: string
  readonly home: string
  readonly scratch: string
  readonly trash: string
  readonly environment: Readonly<Record<string, string>>
  readonly worktrees: ReturnType<typeof makeWorktrees>
  /** The same, where a remote is given up so soon. */
  readonly worktreesWithin: (fetchLimitMs: number) => ReturnType<typeof makeWorktrees>
}

export function makeScene(
  options: Pick<WorktreesNeeds, 'freeBytes'> = {},
  within = tmpdir(),
): Scene {
  const top = realpathSync(mkdtempSync(join(within, 'holdfast-worktree-')))
  onTestFinished(() => rmSync(top, { recursive: true, force: true }))
  const inside = (name: string) => {
    mkdirSync(join(top, name))
    return join(top, name)
  }
  const home = inside('home')
  const environment = { PATH: process.env.PATH ?? '', HOME: home }
  writeFileSync(join(home, '.gitconfig'), '[user]\n\tname = Tess\n\temail = tess@example.com\n')
  const locks = makeLocks(join(top, 'locks'), systemClock)
  const needs = { locks, clock: systemClock, processes, environment, ...options }
  return {
    top,
    home,
    scratch: inside('scratch'),
    trash: inside('trash'),
    environment,
    worktrees: makeWorktrees(needs),
    worktreesWithin: fetchLimitMs => makeWorktrees({ ...needs, fetchLimitMs }),
  }
}

export const realGit = () => execFileSync('which', ['git'], { encoding: 'utf8' }).trim()

/** With a script in the place of git. */
export function withGitScript(scene: Scene, script: string) {
  const bin = join(scene.top, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'git'), script, { mode: 0o755 })
  return makeWorktrees({
    locks: makeLocks(join(scene.top, 'locks'), systemClock),
    clock: systemClock,
    processes,
    environment: { ...scene.environment, PATH: `${bin}:${scene.environment.PATH}` },
  })
}

/** Unlinks what is in the trash; gives what stays, and why. */
export async function emptyTrash({ worktrees, trash }: Scene): Promise<readonly string[]> {
  const kept: string[] = []
  for (const { path } of worktrees.listTrash(trash)) {
    const outcome = await worktrees.purgeTrash(trash, path, () => true)
    if (typeof outcome === 'object') kept.push(outcome.kept)
  }
  return kept
}

/** A checkout that tests write to. Paths may be bytes, as git's are. */
export class Repository {
  readonly scene: Scene
  readonly root: string

  constructor(scene: Scene, root: string) {
    this.scene = scene
    this.root = root
  }

  /** What git prints, as text without the last line's end. */
  git(...args: string[]): string {
    return this.gitBytes(args).toString('utf8').replace(/\n$/, '')
  }

  gitBytes(args: readonly string[], more: Record<string, string> = {}, input?: Buffer): Buffer {
    return execFileSync('git', [...args], {
      cwd: this.root,
      env: { ...this.scene.environment, GIT_CONFIG_NOSYSTEM: '1', ...more },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(input === undefined ? {} : { input }),
    })
  }

  at(path: string | Buffer): Buffer {
    return Buffer.concat([Buffer.from(`${this.root}/`), Buffer.from(path)])
  }

  write(path: string | Buffer, content: string | Uint8Array): void {
    const place = this.at(path)
    mkdirSync(place.subarray(0, place.lastIndexOf('/')), { recursive: true })
    writeFileSync(place, content)
  }

  remove(path: string | Buffer): void {
    rmSync(this.at(path), { recursive: true, force: true })
  }

  commit(message = 'change'): CommitId {
    this.git('add', '-A')
    this.git('commit', '-q', '--allow-empty', '-m', message)
    return this.head()
  }

  head(): CommitId {
    return requireCommit(this.git('rev-parse', 'HEAD'))
  }

  tree(revision: string): string {
    return this.git('rev-parse', `${revision}^{tree}`)
  }

  async open(): Promise<Checkout> {
    return await this.scene.worktrees.openCheckout(this.root)
  }
}

export function makeRepository(
  scene: Scene,
  { name = 'repo', format = 'sha1' }: { name?: string; format?: 'sha1' | 'sha256' } = {},
): Repository {
  const root = join(scene.top, name)
  mkdirSync(root, { recursive: true })
  const repository = new Repository(scene, root)
  repository.git(
    'init',
    '-q',
    '-b',
    'trunk/odd name'.replace(' ', '-'),
    `--object-format=${format}`,
  )
  repository.write('kept.txt', 'kept\n')
  repository.write('edited.txt', 'one\ntwo\nthree\n')
  repository.write('removed.txt', 'soon gone\n')
  repository.write('script.sh', '#!/bin/sh\n')
  repository.write('directory/a.txt', 'a\n')
  repository.write('directory/b.txt', 'b\n')
  repository.write('.gitignore', '*.ignored\n')
  repository.commit('first')
  return repository
}

export function makeLinked(main: Repository, name = 'linked tree'): Repository {
  const root = join(main.scene.top, name)
  main.git('worktree', 'add', '-q', '--detach', root)
  return new Repository(main.scene, root)
}

let tasks = 0
export function nextTask(): TaskId {
  const id = parseTaskId(`t${String(tasks++).padStart(9, '0')}`)
  if (id === undefined) throw new Error('not a task id')
  return id
}

export function requireCommit(text: string): CommitId {
  const id = parseCommitId(text)
  if (id === undefined) throw new Error(`not a commit: ${text}`)
  return id
}

/** A worktree of a task, with what it was made from. */
export interface Made {
  readonly scene: Scene
  readonly repository: Repository
  readonly task: TaskId
  readonly base: Base
  readonly record: WorktreeRecord
  /** The worktree, as its agent sees it. */
  readonly agent: Repository
}

/** `prepare`: what the caller's checkout holds besides its first commit. */
export async function makeMade(prepare: (repository: Repository) => void): Promise<Made> {
  const scene = makeScene()
  const repository = makeRepository(scene)
  prepare(repository)
  const task = nextTask()
  const checkout = await repository.open()
  const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, limits)
  const path = join(scene.top, 'worktrees', task)
  const { commonDir } = checkout.place
  const id = worktreeIdOf(task)
  const record = await scene.worktrees.createWorktree(id, path, base, commonDir)
  return { scene, repository, task, base, record, agent: new Repository(scene, path) }
}

/** As `engine/retire.ts` makes one; here nobody leases anything. */
export const unleased = (worktree: WorktreeRecord) => worktree as UnleasedWorktree

/** Everything below a directory but `.git` and what git ignores: its kind, exec bit and bytes. */
export function filesOf({ root }: Repository): Map<string, string> {
  const found = new Map<string, string>()
  const walk = (prefix: Buffer) => {
    const directory = Buffer.concat([Buffer.from(`${root}/`), prefix])
    for (const entry of readdirSync(directory, { encoding: 'buffer', withFileTypes: true })) {
      const path = Buffer.concat([prefix, entry.name])
      const place = Buffer.concat([Buffer.from(`${root}/`), path])
      const name = path.toString('latin1')
      if (/(?:^|\/)\.git$/.test(name) || name.endsWith('.ignored')) continue
      if (entry.isDirectory()) walk(Buffer.concat([path, Buffer.from('/')]))
      else if (entry.isSymbolicLink()) {
        found.set(name, `link ${readlinkSync(place, { encoding: 'latin1' })}`)
      } else if (entry.isFile()) {
        const kind = (lstatSync(place).mode & 0o100) === 0 ? 'file' : 'program'
        found.set(name, `${kind} ${readFileSync(place).toString('latin1')}`)
      }
    }
  }
  walk(Buffer.alloc(0))
  return new Map([...found].sort())
}

/** The git directory of a checkout and the common one, read without a spawn: tests ask often. */
export function directoriesOf({ root }: Repository): { gitDir: string; commonDir: string } {
  const pointer = join(root, '.git')
  if (lstatSync(pointer).isDirectory()) return { gitDir: pointer, commonDir: pointer }
  const gitDir = readFileSync(pointer, 'utf8').slice('gitdir: '.length).trim()
  return { gitDir, commonDir: join(gitDir, '../..') }
}

/** All of a source that a capture must leave alone. */
export function fingerprint(repository: Repository) {
  const { gitDir, commonDir } = directoriesOf(repository)
  const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'latin1') : 'none')
  const index = join(gitDir, 'index')
  const stats = existsSync(index) ? lstatSync(index, { bigint: true }) : undefined
  const refs = repository.git('for-each-ref', '--format=%(refname) %(objectname)').split('\n')
  return {
    index: textOf(index),
    inode: stats?.ino,
    written: stats?.mtimeNs,
    changed: stats?.ctimeNs,
    refs: refs.filter(line => !line.startsWith('refs/holdfast/')),
    stashes: textOf(join(commonDir, 'logs/refs/stash')),
    head: textOf(join(gitDir, 'HEAD')),
    log: textOf(join(gitDir, 'logs/HEAD')),
    config: textOf(join(commonDir, 'config')),
    ownConfig: textOf(join(gitDir, 'config.worktree')),
    status: statusOf(repository),
    files: filesOf(repository),
    times: timesOf(repository),
  }
}

/** When anything below a checkout but `.git` was last written; ignored files too. */
function timesOf({ root }: Repository): Map<string, bigint> {
  const times = new Map<string, bigint>()
  const walk = (directory: Buffer) => {
    times.set(directory.toString('latin1'), lstatSync(directory, { bigint: true }).mtimeNs)
    for (const entry of readdirSync(directory, { encoding: 'buffer', withFileTypes: true })) {
      if (entry.name.toString() === '.git') continue
      const path = Buffer.concat([directory, Buffer.from('/'), entry.name])
      if (entry.isDirectory()) walk(path)
      else times.set(path.toString('latin1'), lstatSync(path, { bigint: true }).mtimeNs)
    }
  }
  walk(Buffer.from(root))
  return times
}

/** Without the refresh of the index that plain `git status` writes. */
export function statusOf(repository: Repository): string {
  const arguments_ = ['status', '--porcelain=v2', '-z', '-uall', '--no-renames']
  return repository.gitBytes(arguments_, { GIT_OPTIONAL_LOCKS: '0' }).toString('latin1')
}

/** What git itself would commit with `add -A`, found with an index and objects apart. */
export function treeByGit(repository: Repository): string {
  const apart = mkdtempSync(join(repository.scene.top, 'oracle-'))
  const { gitDir, commonDir } = directoriesOf(repository)
  const index = join(apart, 'index')
  if (existsSync(join(gitDir, 'index'))) {
    copyFileSync(join(gitDir, 'index'), index)
    const { atime, mtime } = lstatSync(join(gitDir, 'index'))
    utimesSync(index, atime, new Date(Math.floor(mtime.getTime() / 1000) * 1000))
  }
  mkdirSync(join(apart, 'objects'))
  const environment = {
    GIT_INDEX_FILE: index,
    GIT_OBJECT_DIRECTORY: join(apart, 'objects'),
    GIT_ALTERNATE_OBJECT_DIRECTORIES: join(commonDir, 'objects'),
  }
  repository.gitBytes(['add', '-A'], environment)
  const tree = repository.gitBytes(['write-tree'], environment).toString().trim()
  rmSync(apart, { recursive: true, force: true })
  return tree
}

/** What a refusal must not leave in a repository. */
export function leftovers(repository: Repository): string[] {
  const { commonDir } = directoriesOf(repository)
  const names = (directory: string) => (existsSync(directory) ? readdirSync(directory) : [])
  return [
    ...repository.git('for-each-ref', 'refs/holdfast/').split('\n').filter(Boolean),
    ...names(commonDir).filter(name => name.startsWith('fast_import_crash')),
    ...names(join(commonDir, 'objects', 'pack')),
    ...names(repository.scene.scratch),
  ]
}

/** The program that a payload of an attacker runs: it leaves a mark. */
export function makePayload(scene: Scene): { program: string; hasRun(): boolean } {
  const program = join(scene.top, 'payload.sh')
  const mark = join(scene.top, 'payload-has-run')
  writeFileSync(program, `#!/bin/sh\necho "$0 $*" >> '${mark}'\nexit 1\n`, { mode: 0o755 })
  return { program, hasRun: () => existsSync(mark) }
}
