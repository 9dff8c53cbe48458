/**
 * Writes out what was captured in the repositories inside of a worktree: for each with any work of
 * its own a directory with a patch and a bundle, and one list of all of them.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import type { CommitId, TaskId } from '../../domain/ids.ts'
import type { RepositoryResult } from '../../domain/outcome.ts'
import { baseTreeCommit } from '../../domain/task.ts'
import { syncFile, writeDurably } from '../files/durable-file.ts'
import { shownPath } from '../files/paths.ts'
import type { Git } from '../git/git.ts'
import { readRefs } from './inner-repository.ts'
import type { InnerCapture } from './inner-search.ts'
import { countLines, type LineCounts, PATCH } from './patch.ts'
import { refOf } from './refs.ts'

const DIRECTORY = 'repositories'

/** One line of `repositories.json`. */
interface Written extends RepositoryResult {
  /** What its patch is against, and its bundle needs; null: it needs nothing. */
  readonly base: CommitId | null
  readonly commit: CommitId | null
  readonly head: CommitId | null
}

/** Nothing of what it gives is in the worktree's own patch. */
export async function writeInner(
  git: Git,
  task: TaskId,
  inner: readonly InnerCapture[],
  directory: string,
  scratch: string,
): Promise<readonly RepositoryResult[]> {
  const place = join(directory, DIRECTORY)
  const beside = join(scratch, DIRECTORY)
  const all: Written[] = []
  for (const capture of inner) {
    const name = String(all.length)
    const written = await writeOne(git, task, capture, join(beside, name))
    if (written !== null) all.push({ ...written, directory: `${DIRECTORY}/${name}` })
  }
  if (all.length === 0) {
    rmSync(place, { recursive: true, force: true })
    return []
  }
  await writeDurably(beside, 'repositories.json', beside, null, path =>
    writeFile(path, `${JSON.stringify(all, null, 2)}\n`),
  )
  reach('collect.repositories-written')
  rmSync(place, { recursive: true, force: true })
  renameSync(beside, place)
  reach('collect.repositories-renamed')
  syncFile(directory)
  return all.map(({ base: _, commit: __, head: ___, ...about }) => about)
}

/** For people: that it is there, and not in the patch. */
export function describeRepository(about: RepositoryResult, directory: string): string {
  const { path, files, insertions, deletions, commits } = about
  const parts = [
    files === 0 ? '' : `${plural(files, 'file')} +${insertions} -${deletions}`,
    commits === 0 ? '' : plural(commits, 'commit'),
  ]
  const what = parts.filter(part => part !== '').join(', ')
  const place = join(directory, about.directory)
  return `${path}: not in the patch, a repository of its own: ${what}, kept in ${place}`
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
  const counts = isChanged && from !== null ? await countLines(git, place, from, work.commit) : NONE
  const result = isChanged ? work.commit : null
  const excluded = [
    ...(work === null ? [] : [work.base.commit]),
    ...(origin === null ? [] : readRefs(origin).values()),
  ]
  const { found, input } = await listNewCommits(git, task, own, head, excluded)
  if (counts.files === 0 && found.size === 0) return null

  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (counts.files > 0 && from !== null && result !== null) {
    await writeDurably(directory, 'result.patch', directory, null, async (_path, file) => {
      await git.run([...PATCH, from, result, '--'], { place, outputTo: file })
    })
  }
  if (found.size > 0) {
    await writeDurably(directory, 'result.bundle', directory, null, async file => {
      await git.run(['bundle', 'create', '--quiet', file, '--stdin'], { place, input })
    })
  }
  const base = work?.base.commit ?? null
  const { snapshot, staged, traits } = work?.base.changes ?? {}
  for (const ours of [result, snapshot, staged, traits]) if (ours) found.delete(ours)
  const commits = found.size
  return { path: shownPath(path), base, commit: result, head, commits, ...counts }
}

const NONE: LineCounts = { files: 0, insertions: 0, deletions: 0 }

/**
 * The commits that only this repository has, and what a bundle of them is to hold: every branch,
 * tag and stash that has any of them, the result and HEAD. What a remote has is not the agent's.
 */
async function listNewCommits(
  git: Git,
  task: TaskId,
  own: string,
  head: CommitId | null,
  excluded: readonly string[],
): Promise<{ found: Set<string>; input: Buffer }> {
  const place = { gitDir: own }
  if (head !== null) {
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
  const found = new Set(listed.stdout.toString('latin1').split('\n').slice(0, -1))
  const names = wanted
    .filter(([, id = '', peeled = '']) => found.has(id) || found.has(peeled))
    .map(([name]) => `${name}\n`)
  return { found, input: Buffer.from([...names, ...not].join('')) }
}

const isWanted = (name: string | undefined, task: TaskId): boolean =>
  name !== undefined &&
  (/^refs\/(?:heads|tags)\//.test(name) ||
    name === 'refs/stash' ||
    name === refOf(task, 'result') ||
    name === `refs/holdfast/${task}/head`)
