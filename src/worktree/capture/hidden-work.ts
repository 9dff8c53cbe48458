/**
 * Files that git ignores because the agent told it to. They are no part of the result: what lies in
 * them may be work all the same, and is named. What your own rules ignore is not.
 */

import { type BytePath, joinPaths, parsePath, shownPath } from '../files/paths.ts'
import { splitAtNul } from '../git/conversion.ts'
import type { Git, GitPlace } from '../git/git.ts'

const MOST_NAMED = 5
/** So many are looked at, in a tree with countless ones. */
const MOST_ASKED = 2_000

const isRules = (path: BytePath) => path === '.gitignore' || path.endsWith('/.gitignore')

/** One line, or none. `ignored`: a directory as a whole has a slash at its end. One spawn, if any rules changed. */
export async function describeHidden(
  git: Git,
  place: GitPlace & { workTree: string },
  changed: readonly BytePath[],
  ignored: readonly BytePath[],
  isFromSetUp: (path: BytePath) => boolean,
): Promise<readonly string[]> {
  const rules = new Set([...changed, ...ignored].filter(isRules).filter(path => !isFromSetUp(path)))
  if (rules.size === 0 || ignored.length === 0) return []
  const input = joinPaths(ignored.slice(0, MOST_ASKED))
  const words = ['check-ignore', '--no-index', '--verbose', '-z', '--stdin']
  // What it said before a path that it does not like counts: this is no reason to lose the work.
  const { stdout } = await git.run(words, { place, input, answers: [1, 128] })
  const fields = splitAtNul(stdout).map(parsePath)
  const hidden: BytePath[] = []
  // Of each the file with the pattern, its line, the pattern, and the path.
  for (let n = 0; n + 3 < fields.length; n += 4) {
    const [source, path] = [fields[n], fields[n + 3]]
    if (source === undefined || path === undefined || !rules.has(source)) continue
    if (!isFromSetUp(path)) hidden.push(path)
  }
  if (hidden.length === 0) return []
  const named = hidden.slice(0, MOST_NAMED).map(shownPath)
  const more = hidden.length > MOST_NAMED ? ` and ${hidden.length - MOST_NAMED} more` : ''
  return [`not taken: ignored by rules that the agent changed: ${named.join(', ')}${more}`]
}
