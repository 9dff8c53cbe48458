/** Applies, or takes back, and kills itself the nth time that any step is reached. */
import { onReach } from '../../../src/domain/crash-points.ts'
import { loadProcessTable } from '../../../src/process/process-table.ts'
import { makeLocks } from '../../../src/store/locks.ts'
import { systemClock } from '../../../src/system-clock.ts'
import { makeApplications } from '../../../src/worktree/applications.ts'
import { makeWorktrees } from '../../../src/worktree/worktrees.ts'

const [top = '', root = '', act = '', nth = '', more = ''] = process.argv.slice(2)
const locks = makeLocks(`${top}/locks`, systemClock)
const processes = await loadProcessTable()
const needs = { locks, clock: systemClock, environment: process.env }
const directoryOf = (task: string) => `${top}/tasks/${task}`
const target = await makeWorktrees({ ...needs, processes }).openCheckout(root)
// What is free is not asked: then it is the disk that says so.
const applications = makeApplications({ ...needs, directoryOf, freeBytes: () => Infinity })
const order = { ...JSON.parse(more), followed: [], target, mode: 'clean' }

let left = Number(nth)
onReach(() => {
  if (--left === 0) process.kill(process.pid, 'SIGKILL')
})
await applications.withTarget(root, async () => {
  if (act === 'apply') return await applications.apply({ ...order, isStopped: () => false })
  const newest = applications.list(order.task).at(-1)
  if (newest === undefined) throw new Error('it is not applied')
  return await applications.undo(newest, target)
})
