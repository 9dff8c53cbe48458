/** What there is to review in a checkout. */
import { createHash } from 'node:crypto'
import type { ChangeSurvey, Checkout } from '../../ports/worktrees.ts'
import { placeOf } from '../capture/source-status.ts'
import { factsOf } from '../files/file-facts.ts'
import { pathOnDisk, shownPath } from '../files/paths.ts'
import type { Git } from '../git/git.ts'
import { defaultBranch } from '../git/remotes.ts'
import { readStatus } from '../git/status.ts'

/** What people call it, where nobody has written it down. */
const USUAL = ['main', 'master', 'trunk'] as const

/** See `Worktrees.surveyChanges`. */
export async function surveyChanges(git: Git, checkout: Checkout): Promise<ChangeSurvey> {
  const { entries } = await readStatus(git, placeOf(checkout), {
    submodules: 'heads',
    untrackedFiles: true,
    ignoredFiles: false,
    limit: Number.POSITIVE_INFINITY,
  })
  const tracked = entries.filter(entry => entry.kind === 'tracked')
  const unmerged = entries.filter(({ kind }) => kind === 'unmerged').length
  const { root } = checkout.place
  return {
    files: new Map(entries.map(({ path }) => [shownPath(path), markOf(pathOnDisk(root, path))])),
    staged: tracked.filter(({ staged }) => staged !== '.').length,
    unstaged: tracked.filter(({ unstaged }) => unstaged !== '.').length + unmerged,
    untracked: entries.filter(({ kind }) => kind === 'untracked').length,
    branch: await currentBranch(git, checkout),
    mainBranch: await findMainBranch(git, checkout.place.commonDir),
  }
}

const markOf = (place: Buffer) =>
  createHash('sha256').update(factsOf(place)).digest('hex').slice(0, 16)

async function currentBranch(git: Git, { gitDir }: Checkout): Promise<string | null> {
  const { status, stdout } = await git.run(['symbolic-ref', '--quiet', '--short', 'HEAD'], {
    place: { gitDir },
    answers: [1],
  })
  return status === 0 ? stdout.toString('utf8').trim() : null
}

/** The one that `origin` calls so, else one of the usual names; a local branch before a remote's. */
async function findMainBranch(git: Git, commonDir: string): Promise<string | null> {
  const named = await defaultBranch(git, commonDir, 'origin')
  const names = named === null ? USUAL : [named]
  const { stdout } = await git.run(
    [
      'for-each-ref',
      '--format=%(refname)',
      ...names.flatMap(name => [`refs/heads/${name}`, `refs/remotes/origin/${name}`]),
    ],
    { place: { gitDir: commonDir } },
  )
  const refs = stdout.toString('utf8').split('\n')
  for (const name of names) {
    if (refs.includes(`refs/heads/${name}`)) return name
    if (refs.includes(`refs/remotes/origin/${name}`)) return `origin/${name}`
  }
  return null
}
