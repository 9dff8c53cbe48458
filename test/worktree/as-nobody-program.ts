import { join } from 'node:path'
import { makeTaskId } from '../../src/domain/ids.ts'
import { loadProcessTable } from '../../src/process/process-table.ts'
import { makeLocks } from '../../src/store/locks.ts'
import { systemClock } from '../../src/system-clock.ts'
import { makeApplications } from '../../src/worktree/applications.ts'
import { discardTree } from '../../src/worktree/discard.ts'
import { makeWorktrees } from '../../src/worktree/worktrees.ts'

const processes = await loadProcessTable()
const [top = '', act = '', place = '', more = ''] = process.argv.slice(2)

const acts: Record<string, () => Promise<unknown>> = {
  async capture() {
    const locks = makeLocks(join(top, 'locks'), systemClock)
    const worktrees = makeWorktrees({
      locks,
      clock: systemClock,
      processes,
      environment: process.env,
    })
    const checkout = await worktrees.openCheckout(place)
    const task = makeTaskId(new Uint8Array(10))
    const order = { maxBytes: 1e6, maxFiles: 100, changes: 'all', revision: null } as const
    return await worktrees.captureBase(checkout, task, join(top, 'scratch'), order)
  },
  async open() {
    const locks = makeLocks(join(top, 'locks'), systemClock)
    const worktrees = makeWorktrees({
      locks,
      clock: systemClock,
      processes,
      environment: process.env,
    })
    return await worktrees.openCheckout(place).catch(({ code, message }) => ({ code, message }))
  },
  async apply() {
    const locks = makeLocks(join(top, 'locks'), systemClock)
    const needs = { locks, clock: systemClock, environment: process.env }
    const directoryOf = (task: string) => join(top, 'tasks', task)
    const target = await makeWorktrees({ ...needs, processes }).openCheckout(place)
    const order = { ...JSON.parse(more), followed: [], target, mode: 'clean' } as const
    const applying = makeApplications({ ...needs, directoryOf }).apply({
      ...order,
      isStopped: () => false,
    })
    return await applying.catch(({ code, message }) => ({ code, message }))
  },
  async discard() {
    discardTree(place)
    return 'discarded'
  },
}

process.stdout.write(JSON.stringify(await acts[act]?.()))
