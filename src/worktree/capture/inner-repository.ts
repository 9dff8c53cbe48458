/**
 * A repository inside of a worktree: a submodule, or one that an agent has made or cloned there.
 * All of it could have been written by an agent. So its files are read as data, never by a git that
 * obeys its configuration: that gets a repository of our own, which borrows the objects.
 */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { type CommitId, parseCommitId } from '../../domain/ids.ts'
import type { Git } from '../git/git.ts'
import { makeOwnRepository } from '../git/own-repository.ts'
import { writeSettings } from '../git/settings.ts'

/** No file of a git directory that is read as a whole is larger, in repositories of any size. */
const MOST_BYTES = 64 * 1024 * 1024
const MOST_REFS = 50_000

export interface InnerRepository {
  /** Theirs. */
  readonly gitDir: string
  /** Ours. It has their refs, as far as what they name is there. */
  readonly own: string
  /** Null: it names no commit. */
  readonly head: CommitId | null
}

/**
 * The git directory of the repository at `directory`; a reason in words if it cannot be used. It
 * must lie below one of `within`: else an agent could have us read any repository of the user's.
 */
export function findInnerGitDir(
  directory: string,
  within: readonly string[],
): { readonly gitDir: string } | { readonly refused: string } {
  const pointer = join(directory, '.git')
  const stats = lstatSync(pointer, { throwIfNoEntry: false })
  const named = stats?.isDirectory() ? pointer : readPlainFile(pointer)?.toString('utf8')
  const path = stats?.isDirectory() ? named : /^gitdir: (.*)\n?$/.exec(named ?? '')?.[1]
  if (path === undefined) return { refused: 'it has no git directory' }
  try {
    const gitDir = realpathSync(resolve(directory, path))
    const isWithin = within.some(place =>
      `${gitDir}${sep}`.startsWith(`${realpathSync(place)}${sep}`),
    )
    if (!isWithin) return { refused: `its git directory lies elsewhere, in ${gitDir}` }
    if (readPlainFile(join(gitDir, 'commondir')) !== undefined) {
      return { refused: 'it is a worktree of another repository' }
    }
    if (!lstatSync(join(gitDir, 'objects')).isDirectory()) return { refused: 'it has no objects' }
    return { gitDir }
  } catch {
    return { refused: 'its git directory is not there' }
  }
}

/**
 * Makes a repository of our own at `own` that shows what the inner one holds. `origin`: the user's
 * repository that it was made from, whose objects and configuration count; null: there is none.
 */
export async function borrowInner(
  git: Git,
  gitDir: string,
  origin: string | null,
  own: string,
): Promise<InnerRepository> {
  const refs = readRefs(gitDir)
  const headText = readPlainFile(join(gitDir, 'HEAD'))?.toString('latin1').trim() ?? ''
  const branch = /^ref: (.*)$/.exec(headText)?.[1]
  const headId = branch === undefined ? headText : (refs.get(branch) ?? '')
  const first = [headId, ...refs.values()].find(id => id !== '') ?? ''
  const objects = origin === null ? [gitDir] : [gitDir, origin]
  const format = first.length === 64 ? 'sha256' : 'sha1'
  makeOwnRepository(
    own,
    objects.map(directory => join(directory, 'objects')),
    format,
  )
  if (origin !== null) await copyConfiguration(git, origin, own)
  await copyRules(git, gitDir, own)

  const present = await findPresent(git, own, [headId, ...refs.values()])
  const lines = [...refs].filter(([, id]) => present.has(id)).map(([name, id]) => `${id} ${name}\n`)
  writeFileSync(join(own, 'packed-refs'), lines.sort().join(''), 'latin1')
  const head = present.has(headId) ? (parseCommitId(headId) ?? null) : null
  if (head !== null) writeFileSync(join(own, 'HEAD'), `${head}\n`)
  return { gitDir, own, head }
}

/** Of the user's own repository: its filters and line ends are those of the submodule. */
async function copyConfiguration(git: Git, origin: string, own: string): Promise<void> {
  const config = readPlainFile(join(origin, 'config'))
  if (config === undefined) return
  const file = join(own, 'config')
  writeFileSync(file, config)
  await writeSettings(git, file, { 'core.bare': 'true', 'core.worktree': null })
}

/** Patterns are data. Which files there should be, and which not, is for the agent to say. */
async function copyRules(git: Git, gitDir: string, own: string): Promise<void> {
  mkdirSync(join(own, 'info'), { recursive: true })
  for (const name of ['shallow', 'info/exclude', 'info/attributes', 'info/sparse-checkout']) {
    const content = readPlainFile(join(gitDir, name))
    if (content === undefined) continue
    writeFileSync(join(own, name), content)
    if (name !== 'info/sparse-checkout') continue
    await writeSettings(git, join(own, 'config'), { 'core.sparseCheckout': 'true' })
  }
}

/** Of these ids, those whose objects are there. */
async function findPresent(
  git: Git,
  own: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const input = Buffer.from(
    [...new Set(ids)]
      .filter(id => id !== '')
      .map(id => `${id}\n`)
      .join(''),
  )
  const { stdout } = await git.run(['cat-file', '--batch-check=%(objectname) %(objecttype)'], {
    place: { gitDir: own },
    input,
  })
  const lines = stdout.toString('latin1').split('\n')
  return new Set(
    lines.filter(line => !line.endsWith(' missing')).map(line => line.split(' ')[0] ?? ''),
  )
}

/** Loose ones and packed ones. What is no ref, or names another one, is passed over. */
export function readRefs(gitDir: string): Map<string, string> {
  const refs = new Map<string, string>()
  const packed = readPlainFile(join(gitDir, 'packed-refs'))?.toString('latin1') ?? ''
  for (const line of packed.split('\n')) {
    const [, id, name] = /^([0-9a-f]{40,64}) (refs\/\S+)$/.exec(line) ?? []
    if (id !== undefined && name !== undefined && refs.size < MOST_REFS) refs.set(name, id)
  }
  const walk = (name: string) => {
    for (const entry of entriesOf(join(gitDir, name))) {
      const below = `${name}/${entry.name}`
      if (entry.isDirectory()) walk(below)
      else {
        const id = readPlainFile(join(gitDir, below))?.toString('latin1').trim() ?? ''
        if (/^[0-9a-f]{40,64}$/.test(id) && refs.size < MOST_REFS && !/\s/.test(below)) {
          refs.set(below, id)
        }
      }
    }
  }
  walk('refs')
  return refs
}

function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch {
    // It has none.
    return []
  }
}

/** Undefined: there is no plain file, or an absurdly large one. A link is not followed. */
function readPlainFile(path: string): Buffer | undefined {
  try {
    const stats = lstatSync(path)
    // Nor is any directory on the way: git has none of these in its own.
    const isThere =
      stats.isFile() && stats.size <= MOST_BYTES && !lstatSync(dirname(path)).isSymbolicLink()
    return isThere ? readFileSync(path) : undefined
  } catch {
    return undefined
  }
}
