/** Keeps the house while a worker is up. Each part is loaded once it is due: most workers have little to do. */
import { statfsSync } from 'node:fs'
import {
  configuredDiskBytes,
  configuredPool,
  configuredRetention,
} from '../domain/configuration.ts'
import { hasRoomForPool, totalOf } from '../domain/disk-budget.ts'
import type { HouseTimes } from '../engine/work.ts'
import type { SurfaceContext } from './context.ts'
import { housePorts } from './hand-in-ports.ts'

/** With less of the disk free, nothing is made in advance. */
const LEAST_FREE = 0.1

/**
 * What is too many, too old or too large goes, as far as nothing is lost by that; what was put away
 * is unlinked, and worktrees are made in advance: in this order, for a disk on which much was
 * unlinked is slow to make files.
 */
export async function keepHouse(
  { leave, isQuiet }: HouseTimes,
  context: SurfaceContext,
): Promise<readonly string[]> {
  const { planHouse } = await import('../engine/plan-house.ts')
  const { keepHouse: carryOut } = await import('../engine/keep-house.ts')
  // What is not over when the worker has to leave is the next one's.
  const ports = { ...(await housePorts(context)), isTakenUp: true }
  const configuration = await context.holdfast.configuration(null)
  const policy = {
    retention: configuredRetention(configuration),
    diskBytes: configuredDiskBytes(configuration),
  }
  const plan = await planHouse(policy, ports, leave)
  const { bavail, blocks } = statfsSync(context.holdfast.home)
  const hasRoom = bavail >= blocks * LEAST_FREE
  // Where room is short, nobody waits for a quiet time.
  const isShort = !hasRoom || totalOf(plan.measured.use) > plan.budgetBytes
  const goesOn = () => !leave.aborted && (isShort || isQuiet())
  const pool = configuredPool(configuration)
  const { furnishSpares } = await import('../engine/furnish-spares.ts')
  const mayFurnish = pool.keepsOutput === true && pool.size > 0 && !isShort
  const { worktrees, reclaimed, furnished, purged } = await carryOut(
    plan,
    ports,
    leave,
    goesOn,
    async () => (mayFurnish ? await furnishSpares(ports, () => !leave.aborted) : []),
  )
  const { keepPool } = await import('../engine/pool.ts')
  const pooled = await keepPool(
    pool,
    hasRoom && hasRoomForPool(plan.measured.use, plan.budgetBytes),
    ports,
    () => !leave.aborted,
  )
  return [
    ...furnished,
    ...pooled,
    ...worktrees.map(({ id, problem }) => `worktree ${id} ${problem ?? 'put away'}`),
    ...reclaimed.map(({ what, problem }) =>
      what.kind === 'raw_output'
        ? `raw output ${what.run.task}/${what.run.fence} ${problem ?? `${what.fate}: done`}`
        : `worktree ${what.of.worktree.id} ${what.output.shown} ${problem ?? 'taken out'}`,
    ),
    ...purged.map(({ path, problem }) => `${path} ${problem ?? 'unlinked'}`),
  ]
}
