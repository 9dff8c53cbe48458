import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AppError } from '../../src/domain/errors.ts'
import { makeTaskId, worktreeIdOf } from '../../src/domain/ids.ts'
import { loadProcessTable } from '../../src/process/process-table.ts'
import { makeLocks } from '../../src/store/locks.ts'
import { systemClock } from '../../src/system-clock.ts'
import { makeApplications } from '../../src/worktree/applications.ts'
import { discardTree } from '../../src/worktree/files/discard.ts'
import { makeWorktrees } from '../../src/worktree/worktrees.ts'

const [top = '', act = '', place = '', more = ''] = process.argv.slice(2)

const needs = {
  locks: makeLocks(join(top, 'locks'), systemClock),
  clock: systemClock,
  environment: process.env,
}
const worktrees = makeWorktrees({ ...needs, processes: await loadProcessTable() })
const task = makeTaskId(new Uint8Array(10))
const order = { maxBytes: 1e6, maxFiles: 100, changes: 'all', revision: null } as const

const capture = async () => {
  const checkout = await worktrees.openCheckout(place)
  const base = await worktrees.captureBase(checkout, task, join(top, 'scratch'), order)
  return { base, commonDir: checkout.place.commonDir }
}

const acts: Record<string, () => Promise<unknown>> = {
  async capture() {
    return (await capture()).base
  },
  async open() {
    return await worktrees.openCheckout(place)
  },
  async apply() {
    const directoryOf = (applied: string) => join(top, 'tasks', applied)
    const target = await worktrees.openCheckout(place)
    const applying = { ...JSON.parse(more), followed: [], target, mode: 'clean' } as const
    const applications = makeApplications({ ...needs, directoryOf })
    return await applications.apply({ ...applying, isStopped: () => false })
  },
  async snapshot() {
    try {
      return await worktrees.takeSnapshot(JSON.parse(place), 1, more, order, null)
    } catch (error) {
      const { code, message } = error as AppError
      return { code, message }
    }
  },
  async discard() {
    await discardTree(place)
    return 'discarded'
  },
  /** Files and directories that nobody may read, left behind by an agent. */
  async collect() {
    const { base, commonDir } = await capture()
    const path = join(top, 'worktrees', task)
    const record = await worktrees.createWorktree(worktreeIdOf(task), path, base, commonDir)
    const write = (name: string) => writeFileSync(join(path, name), 'the agent’s\n')
    mkdirSync(join(path, 'closed'))
    for (const name of ['fine.txt', 'edited.txt', 'closed.txt', 'closed/inside.txt']) write(name)
    const closed = ['edited.txt', 'closed.txt', 'closed', 'directory']
    for (const name of closed) chmodSync(join(path, name), 0)
    try {
      return await worktrees.collectResult(record, base, task, join(top, 'scratch'))
    } finally {
      for (const name of closed) chmodSync(join(path, name), 0o700)
    }
  },
}

const done = await acts[act]?.().catch(({ code, message, hint }) => ({ code, message, hint }))
process.stdout.write(JSON.stringify(done))
