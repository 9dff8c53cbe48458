/**
 * Writes out what was captured in the repositories inside of a worktree: for each with any work of
 * its own a directory with a patch and a bundle, and one list of all of them.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommitId, TaskId } from '../domain/ids.ts'
import { baseTreeCommit } from '../domain/task.ts'
import { syncFile, writeDurably } from './durable-file.ts'
import type { Git } from './git.ts'
import type { InnerCapture } from './inner.ts'
import { readRefs } from './inner-repository.ts'
import { countLines, type LineCounts, PATCH } from './patch.ts'
import { pathBytes, shownPath } from './paths.ts'
import { refOf } from './refs.ts'

const DIRECTORY = 'repositories'

/** One line of `repositories.json`. */
interface Written {
  /** In the directory `repositories`. */
  readonly directory: string
  /** Below the worktree. */
  readonly path: string
  /** What its patch is against, and its bundle needs; null: it needs nothing. */
  readonly base: CommitId | null
  readonly commit: CommitId | null
  readonly head: CommitId | null
  readonly commits: number
  readonly patch: LineCounts | null
}

/** Gives what it wrote, in words: none of it is in the worktree's own patch. */
export async function writeInner(
  git: Git,
  task: TaskId,
  inner: readonly InnerCapture[],
  directory: string,
  scratch: string,
): Promise<readonly string[]> {
  const place = join(directory, DIRECTORY)
  const beside = join(scratch, DIRECTORY)
  const all: Written[] = []
  for (const capture of inner) {
    const written = await writeOne(git, task, capture, join(beside, String(all.length)))
    if (written !== null) all.push({ directory: String(all.length), ...written })
  }
  rmSync(place, { recursive: true, force: true })
  if (all.length === 0) return []
  await writeDurably(beside, 'repositories.json', beside, null, path =>
    writeFile(path, `${JSON.stringify(all, null, 2)}\n`),
  )
  renameSync(beside, place)
  syncFile(directory)
  return all.map(describe)
}

function describe({ directory, path, patch, commits }: Written): string {
  const parts = [
    patch === null ? '' : `${plural(patch.files, 'file')} +${patch.insertions} -${patch.deletions}`,
    commits === 0 ? '' : plural(commits, 'commit'),
  ]
  const what = parts.filter(part => part !== '').join(', ')
  return `${path}: a repository of its own: ${what}, kept in ${DIRECTORY}/${directory} of the task`
}

const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`

/** Null: it has no work of its own. */
async function writeOne(
  git: Git,
  task: TaskId,
  { path, repository, origin, work }: InnerCapture,
  directory: string,
): Promise<Omit<Written, 'directory'> | null> {
  const { own, head } = repository
  const place = { gitDir: own }
  const from = work === null ? null : baseTreeCommit(work.base)
  const isChanged = work !== null && work.commit !== from
  const counts = isChanged && from !== null ? await countLines(git, place, from, work.commit) : null
  const patch = counts !== null && counts.files > 0 ? counts : null
  const result = isChanged ? work.commit : null
  const excluded = [
    ...(work === null ? [] : [work.base.commit]),
    ...(origin === null ? [] : readRefs(origin).values()),
  ]
  const { commits, input } = await listNewCommits(git, task, own, [result, head], excluded)
  if (patch === null && commits === 0) return null

  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (patch !== null && from !== null && result !== null) {
    await writeDurably(directory, 'result.patch', directory, null, async (_path, file) => {
      await git.run([...PATCH, from, result, '--'], { place, outputTo: file })
    })
  }
  if (commits > 0) {
    await writeDurably(directory, 'result.bundle', directory, null, async file => {
      await git.run(['bundle', 'create', '--quiet', file, '--stdin'], { place, input })
    })
  }
  const text = pathBytes(path).toString('utf8')
  const base = work?.base.commit ?? null
  return {
    path: text === shownPath(path) ? text : shownPath(path),
    base,
    commit: result,
    head,
    commits,
    patch,
  }
}

/**
 * The commits that only this repository has, and what a bundle of them is to hold: every branch,
 * tag and stash that has any of them, the result and HEAD. What a remote has is not the agent's.
 */
async function listNewCommits(
  git: Git,
  task: TaskId,
  own: string,
  more: readonly (CommitId | null)[],
  excluded: readonly string[],
): Promise<{ commits: number; input: Buffer }> {
  const place = { gitDir: own }
  const [, head] = more
  if (head !== null && head !== undefined) {
    await git.run(['update-ref', `refs/holdfast/${task}/head`, head], { place })
  }
  const format = '--format=%(refname) %(objectname) %(*objectname)'
  const { stdout } = await git.run(['for-each-ref', format], { place })
  const refs = stdout
    .toString('latin1')
    .split('\n')
    .slice(0, -1)
    .map(line => line.split(' '))
  const isRemote = (name = '') => name.startsWith('refs/remotes/')
  const wanted = refs.filter(([name]) => isWanted(name, task))
  const has = new Set(refs.flatMap(([, id, peeled]) => [id, peeled]))
  const known = [
    ...refs.filter(([name]) => isRemote(name)).map(([, id]) => id),
    ...excluded.filter(id => has.has(id)),
  ]
  const not = [...new Set(known)].map(id => `^${id}\n`)
  const tips = wanted.map(([, id]) => `${id}\n`)
  const listed = await git.run(['rev-list', '--stdin'], {
    place,
    input: Buffer.from([...tips, ...not].join('')),
  })
  const commits = new Set(listed.stdout.toString('latin1').split('\n').slice(0, -1))
  const names = wanted
    .filter(([, id = '', peeled = '']) => commits.has(id) || commits.has(peeled))
    .map(([name]) => `${name}\n`)
  return { commits: commits.size, input: Buffer.from([...names, ...not].join('')) }
}

const isWanted = (name: string | undefined, task: TaskId): boolean =>
  name !== undefined &&
  (/^refs\/(?:heads|tags)\//.test(name) ||
    name === 'refs/stash' ||
    name === refOf(task, 'result') ||
    name === `refs/holdfast/${task}/head`)
