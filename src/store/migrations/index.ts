import type { Kysely } from 'kysely'
import { up as first } from './001-first.ts'
import { up as orders } from './002-orders.ts'
import { up as activity } from './003-activity.ts'
import { up as taken } from './004-taken.ts'
import { up as limits } from './005-limits.ts'
import { up as snapshots } from './006-snapshots.ts'
import { up as spares } from './007-spares.ts'
import { up as runningSnapshots } from './008-running-snapshots.ts'
import { up as ports } from './009-ports.ts'
import { up as deliveries } from './010-deliveries.ts'
import { up as ties } from './011-ties.ts'
import { up as messages } from './012-messages.ts'

/** In order; the version of a store is how many of them it has seen. Never edit one that shipped. */
export const migrations: readonly ((db: Kysely<unknown>) => Promise<void>)[] = [
  first,
  orders,
  activity,
  taken,
  limits,
  snapshots,
  spares,
  runningSnapshots,
  ports,
  deliveries,
  ties,
  messages,
]
