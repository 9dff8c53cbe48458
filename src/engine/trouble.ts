/** Errors that are not an attempt's: the worker ends on them, and the next one goes on. */

/** SQLite's own errors, and our refusals on behalf of the store. */
export function isStoreTrouble(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ERR_SQLITE_ERROR' || code.startsWith('store_')
}

/** What a disk says that is full, failing or read-only. */
export function isDiskTrouble(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS'].includes(codeOf(error))
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? ''
}

/** A damaged row is nobody else's trouble, and no attempt's: it is left alone until it is mended. */
export function isRowTrouble(error: unknown): boolean {
  return codeOf(error) === 'task_unreadable'
}
