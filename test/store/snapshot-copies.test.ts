import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { CommitId, WorktreeId } from '../../src/domain/ids.ts'
import type { Snapshot } from '../../src/domain/snapshot.ts'
import { keepSnapshot } from '../../src/store/copies.ts'
import { readSnapshotCopy } from '../../src/store/read-copies.ts'
import { scratchDirectory } from '../scratch.ts'

test('a row that is written anew from its copy says all that it said of a clean-up', async () => {
  const home = scratchDirectory()
  const snapshot: Snapshot = {
    state: { commit: 'c'.repeat(40) as CommitId, changes: null },
    branch: null,
    ignored: { files: 0, bytes: 0, dropped: [] },
    worktree: 'w' as WorktreeId,
    number: 2,
    kind: 'managed',
    path: '/w',
    commonDir: '/r/.git',
    takenAt: 1,
    // Without these it could be dropped, though it may be the only place of something.
    isKept: true,
    before: 1,
  }
  const directory = join(home, 'snapshots', 'w-2')
  mkdirSync(directory, { recursive: true })
  keepSnapshot(home, snapshot)
  expect(await readSnapshotCopy(directory, 'w-2')).toEqual(snapshot)
})
