/** Which results are nowhere but here: they wait to be taken home. */

/** Of a task or of its view, as far as it matters here; a result is there once it has ended. */
export interface TakenOrNot {
  readonly result: {
    readonly commit: string | null
    readonly files: number
    readonly repositories?: readonly unknown[]
  } | null
  readonly taken: unknown
  readonly worktree: { readonly kind: string } | null
}

/**
 * It changed something that was not taken. In a borrowed worktree it is home already. What it did in
 * repositories inside stays behind when the rest is taken.
 */
export function isUntaken({ result, taken, worktree }: TakenOrNot): boolean {
  if (result === null || result.commit === null || worktree?.kind === 'borrowed') return false
  const { files, repositories = [] } = result
  return repositories.length > 0 || (files > 0 && taken === null)
}
