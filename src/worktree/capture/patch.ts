/** What a commit has against its base: as a patch, and as lines that are counted. */
import type { CommitId } from '../../domain/ids.ts'
import { splitAtNul } from '../git/conversion.ts'
import type { Git, GitPlace } from '../git/git.ts'

/** The same for every patch, whatever the user's configuration of `git diff` says. */
export const PATCH = [
  'diff-tree',
  '-p',
  '-U3',
  '--binary',
  '--full-index',
  '--no-renames',
  '--no-ext-diff',
  '--no-textconv',
  '--no-color',
  '--src-prefix=a/',
  '--dst-prefix=b/',
]

export interface LineCounts {
  readonly files: number
  readonly insertions: number
  readonly deletions: number
}

export async function countLines(
  git: Git,
  place: GitPlace,
  from: CommitId,
  to: CommitId,
): Promise<LineCounts> {
  const words = ['diff-tree', '-r', '--numstat', '-z', '--no-renames', from, to]
  const { stdout } = await git.run(words, { place })
  const counts = { files: 0, insertions: 0, deletions: 0 }
  for (const field of splitAtNul(stdout)) {
    const [insertions, deletions] = field.toString('latin1').split('\t', 2)
    counts.files++
    // `-` stands for a binary file, which has no lines.
    counts.insertions += Number.parseInt(insertions ?? '', 10) || 0
    counts.deletions += Number.parseInt(deletions ?? '', 10) || 0
  }
  return counts
}
