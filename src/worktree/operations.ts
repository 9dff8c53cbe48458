/** What git is in the middle of, in a checkout. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** By the file that git keeps its state in. */
const OPERATIONS: Readonly<Record<string, string>> = {
  MERGE_HEAD: 'a merge',
  CHERRY_PICK_HEAD: 'a cherry-pick',
  REVERT_HEAD: 'a revert',
  'rebase-merge': 'a rebase',
  'rebase-apply': 'a rebase',
  BISECT_LOG: 'a bisect',
}

/** In words, what will not come along: its files and its conflicts do. */
export function describeOperations(gitDir: string): string[] {
  const names = readdirSync(gitDir).filter(name => Object.hasOwn(OPERATIONS, name))
  return names.map(name => {
    const isMail = name === 'rebase-apply' && existsSync(join(gitDir, name, 'applying'))
    const what = isMail ? 'a `git am`' : OPERATIONS[name]
    return `${what} is in progress: not taken (${name}), only its files and conflicts`
  })
}
