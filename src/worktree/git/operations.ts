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

interface Operation {
  readonly name: string
  readonly what: string
}

export function findOperations(gitDir: string): Operation[] {
  const names = readdirSync(gitDir)
  const found = names.flatMap(name => {
    const isMail = name === 'rebase-apply' && existsSync(join(gitDir, name, 'applying'))
    const what = isMail ? 'a `git am`' : OPERATIONS[name]
    return what === undefined || !Object.hasOwn(OPERATIONS, name) ? [] : [{ name, what }]
  })
  // Between two commits of several it is all that there is.
  if (found.length > 0 || !names.includes('sequencer')) return found
  return [{ name: 'sequencer', what: 'a cherry-pick or revert of several commits' }]
}

/** In words, what will not come along: its files and its conflicts do. */
export function describeOperations(gitDir: string): string[] {
  return findOperations(gitDir).map(
    ({ name, what }) => `${what} is in progress: not taken (${name}), only its files and conflicts`,
  )
}
