/** What `git merge-tree -z --name-only --messages` says of conflicts. */
import { type BytePath, parsePath } from '../files/paths.ts'

export interface PathConflict {
  readonly path: BytePath
  /** In git's words; of a path that is the user's own and unknown to git, in ours. */
  readonly why: string
}

/**
 * The paths, an empty field, then messages: how many paths, the paths, what kind of message, the
 * message. Only those of conflicts count.
 */
export function parseConflicts(fields: readonly Buffer[]): PathConflict[] {
  const end = fields.findIndex(field => field.length === 0)
  const reasons = new Map<BytePath, string[]>()
  for (const field of fields.slice(0, end)) reasons.set(parsePath(field), [])
  for (let at = end + 1; at < fields.length; ) {
    const count = Number(fields[at]?.toString('latin1'))
    const paths = fields.slice(at + 1, at + 1 + count).map(parsePath)
    const [kind, message] = fields.slice(at + 1 + count, at + 3 + count)
    at += 3 + count
    if (!kind?.toString('latin1').startsWith('CONFLICT')) continue
    const [path] = paths
    if (path === undefined) continue
    const known = reasons.get(path) ?? []
    reasons.set(path, [...known, describeConflict(message?.toString('utf8') ?? '')])
  }
  return [...reasons].map(([path, why]) => ({ path, why: why.join('; ') || 'see the others' }))
}

/** `CONFLICT (modify/delete): a deleted in YOURS and …  Version … left in tree.` */
function describeConflict(message: string): string {
  return message
    .trim()
    .replace(/^CONFLICT \((.*?)\): /, '$1: ')
    .replace(/ {2}Version .* left in tree\.$/s, '')
}
