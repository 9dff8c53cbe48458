/** Makes or collects a worktree, in a process that can be killed. Its argument is JSON. */
import { loadProcessTable } from '../../../src/process/process-table.ts'
import { makeLocks } from '../../../src/store/locks.ts'
import { systemClock } from '../../../src/system-clock.ts'
import { makeWorktrees } from '../../../src/worktree/worktrees.ts'

const processes = await loadProcessTable()
const { locks, order, collect } = JSON.parse(process.argv[2] ?? '')
const worktrees = makeWorktrees({
  locks: makeLocks(locks, systemClock),
  clock: systemClock,
  processes,
  environment: process.env,
})
if (order !== undefined) {
  await worktrees.createWorktree(order.id, order.path, order.base, order.commonDir)
} else {
  await worktrees.collectResult(collect.record, collect.base, collect.task, collect.directory)
}
process.stdout.write('done\n')
