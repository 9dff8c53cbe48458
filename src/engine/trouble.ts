/** Errors that are not an attempt's: the worker ends on them, and the next one goes on. */

/** A chain of causes may be a ring. */
const MOST_CAUSES = 8

/** SQLite's own errors, and our refusals on behalf of the store. */
export function isStoreTrouble(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ERR_SQLITE_ERROR' || code.startsWith('store_')
}

/**
 * What a machine says that has no room: on a disk, for open files, for processes. It passes, and is
 * nobody's failure. Whoever wraps such an error keeps it as the cause.
 */
export function isMachineTrouble(error: unknown): boolean {
  const codes = ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE', 'EAGAIN', 'no_space']
  for (let at = error, depth = 0; at instanceof Error && depth < MOST_CAUSES; depth++) {
    // Git has no other sign of it than its words.
    if (codes.includes(codeOf(at)) || (at as { isFull?: boolean }).isFull === true) return true
    at = at.cause
  }
  return false
}

/** A damaged row is nobody else's trouble, and no attempt's: it is left alone until it is mended. */
export function isRowTrouble(error: unknown): boolean {
  return codeOf(error) === 'task_unreadable'
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? ''
}
