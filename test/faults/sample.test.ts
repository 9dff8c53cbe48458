/**
 * A sample of the kill matrix, some kills of each step: `npm run test:faults` plays all of them, also
 * with the real Codex.
 */
import { afterAll, beforeAll, describe, test } from 'vitest'
import { Ground } from './ground.ts'
import { cases, nameOf } from './plan.ts'
import { play } from './play.ts'

const SAMPLE = [
  'unannounced: submission.request-synced: self',
  'unannounced with changes: base.imported: self',
  'leftover: reconcile.ref-dropped: self',
  'plain: submission.row-committed: self',
  'plain: ring.watchdog-started: self',
  'plain: worker.card-written: self',
  'plain: claim.committed: worker+watchdog',
  'plain: worktree.registered: self',
  'plain: launch.agent-seen: agent+worker',
  'plain: agent.work-done: agent',
  'plain: agent.mid-tool: agent+wrapper+worker',
  'plain: end.written: wrapper+worker',
  'plain: collect.imported: self',
  'plain: settle.committed: self',
  'late: follow.step-written: self',
  'changes: agent.mid-tool: agent+worker',
  'resume: agent.begun: wrapper',
  'cancel: stop.frozen: agent+worker',
  'cancel after: agent.mid-tool: agent+wrapper+worker',
  'worktree anew: discard.renamed: self',
  'no agent: retire.renamed: self',
  'kept aside: snapshotting.bundle-renamed: self',
  'lost: worktree.start-placed: self',
  'put away: snapshot.taken: self',
  'put away: retire.renamed: self+again',
  'brought back: restore.made: self',
  'spare: spare.renamed: self',
  'apply: apply.exchanged: self',
  'in hosts: hosts.added: self',
  'told: delivery.accepted: self+again',
]

describe(`a sample of the kill matrix, ${SAMPLE.length} of ${cases.length} (npm run test:faults)`, () => {
  let ground: Ground
  beforeAll(() => {
    ground = new Ground()
  })
  afterAll(() => ground.leave())

  test.concurrent.for(SAMPLE)('%s', { timeout: 400_000 }, async (name, { expect }) => {
    const one = cases.find(other => nameOf(other) === name)
    if (one === undefined) throw new Error('there is no such case')
    const { complaints } = await play(one, ground)
    expect(complaints).toEqual([])
  })
})
