/** Empties the trash: what was retired is unlinked once it is proven again, byte by byte. */
import type { PutAwayPorts } from './put-away.ts'
import { tryAlone } from './worktree-lock.ts'

export interface Purged {
  readonly path: string
  /** Null: it is gone. */
  readonly problem: string | null
}

/** One tree after the other, while `goesOn`. What cannot be proven stays, and is not looked at again. */
export async function purgeTrash(
  { worktrees, files, locks }: Pick<PutAwayPorts, 'worktrees' | 'files' | 'locks'>,
  goesOn: () => boolean,
): Promise<readonly Purged[]> {
  const trash = files.trash()
  const done: Purged[] = []
  for (const { id, path, kept } of worktrees.listTrash(trash)) {
    if (!goesOn()) break
    if (kept !== null) continue
    const outcome = await tryAlone(id, locks, () => worktrees.purgeTrash(trash, path, goesOn))
    if (outcome === undefined || outcome === 'later') continue
    done.push({ path, problem: outcome === 'gone' ? null : outcome.kept })
  }
  return done
}
