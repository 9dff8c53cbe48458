/** Repositories that are no submodules: their files are taken as files of the worktree. */
import { join } from 'node:path'
import { makeLook } from '../files/contents.ts'
import { type BytePath, parsePath, pathOnDisk, shownPath } from '../files/paths.ts'
import { splitAtNul } from '../git/conversion.ts'
import { shownSize } from './bounds.ts'
import { type InnerSearch, type Opened, openInner } from './inner-search.ts'

/** More than that is somebody's repository, not an agent's work. */
const PLAIN_FILES = 20_000
const PLAIN_BYTES = 500_000_000

/** Takes the files of a repository, and of those in it, as files of the worktree. */
export async function takePlain(
  search: InnerSearch,
  path: BytePath,
  opening: Promise<Opened>,
): Promise<void> {
  const { git, tree, plain, inner, leftOut } = search
  const shown = `${shownPath(path)}/`
  const { repository, refused } = await opening
  const { own } = repository
  const workTree = pathOnDisk(tree.path, path).toString('utf8')
  const { stdout } = await git.run(['ls-files', '-z', '--others', '--exclude-standard'], {
    place: { gitDir: own, workTree, indexFile: join(own, 'no-index') },
  })
  const look = makeLook(tree.path)
  const files: BytePath[] = []
  let bytes = 0
  for (const name of splitAtNul(stdout).map(parsePath)) {
    const full = `${path}/${name}` as BytePath
    if (full.endsWith('/')) {
      const deeper = full.slice(0, -1) as BytePath
      await takePlain(search, deeper, openInner(search, deeper, null))
      continue
    }
    files.push(full)
    const found = look(full)
    if (found.kind === 'file') bytes += found.size
  }
  inner.push({ path, repository, origin: null, work: null })
  const isTooMuch = files.length > PLAIN_FILES || bytes > PLAIN_BYTES
  if (isTooMuch) {
    const size = `${files.length} files, ${shownSize(bytes)}`
    leftOut.push(`${shown}: not taken: a repository with too much in it (${size})`)
  } else {
    const commits = refused === null ? '' : `, its commits not: ${refused}`
    leftOut.push(`${shown}: a repository; its files are taken as plain ones${commits}`)
    const untracked = { before: null, gitlink: null, indexMode: null, unchecked: null }
    for (const file of files) plain.set(file, { path: file, present: true, ...untracked })
  }
}
