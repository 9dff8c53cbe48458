/**
 * The repository of a submodule that borrows the objects of the user's own. What is kept of it lacks
 * those. So the commits that the user's refs hold today are held there for as long as the snapshot
 * is, and everything else that it needs of them goes along, as a pack.
 */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import { type CommitId, parseCommitId } from '../../domain/ids.ts'
import { startFastImport } from '../git/fast-import.ts'
import type { Git, GitPlace } from '../git/git.ts'
import { copyIndex } from '../git/private-index.ts'

export interface Borrower {
  readonly gitDir: string
  /** The user's. */
  readonly origin: string
  /** Ours, that reads the objects of both. */
  readonly own: string
}

/** The files of a pack, below a new directory in `scratch`; null: it needs none. */
export async function holdBorrowed(
  git: Git,
  { gitDir, origin, own }: Borrower,
  ref: string,
  scratch: string,
): Promise<string | null> {
  // Ours shows what it was when it was looked at; it may have gone on.
  const named = [...new Set([...idsIn(gitDir), ...idsIn(own)])]
  const held = await findHeld(git, { gitDir: origin }, named)
  if (held.length > 0) {
    const importer = startFastImport(git, { gitDir: origin })
    const order = { ref, message: 'holdfast: what a submodule borrows\n', time: 0, from: null }
    await importer.commit({ ...order, merge: held, entries: new Map() })
    await importer.finish()
    reach('snapshot.submodule-held')
  }
  const present = await findPresent(git, { gitDir: own }, named)
  const directory = mkdtempSync(join(scratch, 'pack-'))
  using index = copyIndex(gitDir, scratch)
  await git.run(
    [
      'pack-objects',
      '--quiet',
      '--revs',
      '--indexed-objects',
      '--non-empty',
      join(directory, 'pack'),
    ],
    {
      place: { gitDir: own, indexFile: index.file },
      input: lines([...present, ...held.map(id => `^${id}`)]),
    },
  )
  return readdirSync(directory).length > 0 ? directory : null
}

const lines = (all: readonly string[]) => Buffer.from(all.map(line => `${line}\n`).join(''))

/** Every object that the files of a git directory name in plain words: refs, reflogs, what is under way. */
function idsIn(gitDir: string): ReadonlySet<string> {
  const ids = new Set<string>()
  const walk = (directory: string) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) {
        if (directory !== gitDir || !WITHOUT_IDS.has(entry.name)) walk(path)
      } else if (entry.isFile() && entry.name !== 'index') {
        const text = readFileSync(path, 'latin1')
        for (const [id] of text.matchAll(/\b(?:[0-9a-f]{64}|[0-9a-f]{40})\b/g)) ids.add(id)
      }
    }
  }
  walk(gitDir)
  return ids
}

const WITHOUT_IDS = new Set(['objects', 'modules', 'hooks', 'lfs'])

/** Of these, the commits that a ref of the repository holds. */
async function findHeld(git: Git, place: GitPlace, named: readonly string[]): Promise<CommitId[]> {
  const commits = new Set(await findPresent(git, place, named, '^{commit}'))
  const { stdout } = await git.run(['rev-list', '--stdin', '--not', '--all'], {
    place,
    input: lines([...commits]),
  })
  for (const id of stdout.toString('latin1').split('\n')) commits.delete(id)
  return [...commits].flatMap(id => parseCommitId(id) ?? [])
}

/** Of these, those whose objects are there; with a suffix: what it leads to from them. */
async function findPresent(
  git: Git,
  place: GitPlace,
  named: readonly string[],
  suffix = '',
): Promise<readonly string[]> {
  const { stdout } = await git.run(['cat-file', '--batch-check=%(objectname)'], {
    place,
    input: lines(named.map(id => `${id}${suffix}`)),
  })
  const answers = stdout.toString('latin1').split('\n')
  return answers.filter(line => /^[0-9a-f]+$/.test(line))
}
