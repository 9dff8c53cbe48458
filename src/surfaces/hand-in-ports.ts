/** What the surfaces give to the engine. */
import { realpathSync } from 'node:fs'
import type { Subscription } from '../domain/delivery.ts'
import { cleanUpEnvironment, trustedPath } from '../domain/environment.ts'
import type { BranchPorts } from '../engine/branch.ts'
import type { HandInPorts } from '../engine/hand-in.ts'
import type { HousePorts } from '../engine/plan-house.ts'
import type { PutAwayPorts } from '../engine/put-away.ts'
import type { RestorePorts } from '../engine/restore.ts'
import type { ResubmitPorts } from '../engine/resubmit.ts'
import type { PlanPorts } from '../engine/submit.ts'
import { systemClock } from '../system-clock.ts'
import type { SurfaceContext } from './context.ts'
import { defaultSubscriptions } from './subscriptions.ts'
import { requireWritableStore } from './writable-store.ts'

export async function planPorts(context: SurfaceContext): Promise<PlanPorts> {
  const { holdfast } = context
  const { createHash } = await import('node:crypto')
  return {
    store: await requireWritableStore(context),
    worktrees: await holdfast.worktrees(),
    trust: await holdfast.trust(),
    confinement: await holdfast.confinement(),
    home: holdfast.home,
    hash: text => createHash('sha256').update(text).digest('hex'),
  }
}

export async function handInPorts(context: SurfaceContext): Promise<HandInPorts> {
  const { holdfast } = context
  const { randomBytes } = await import('node:crypto')
  return {
    store: await requireWritableStore(context),
    files: await holdfast.files(),
    worktrees: await holdfast.worktrees(),
    clock: systemClock,
    randomBytes,
  }
}

export async function resubmitPorts(context: SurfaceContext): Promise<HandInPorts & ResubmitPorts> {
  const { holdfast } = context
  const { createHash } = await import('node:crypto')
  return {
    ...(await handInPorts(context)),
    trust: await holdfast.trust(),
    confinement: await holdfast.confinement(),
    hash: text => createHash('sha256').update(text).digest('hex'),
  }
}

/** What those that bring worktrees back give to the engine. */
export async function restorePorts(context: SurfaceContext): Promise<RestorePorts> {
  const { holdfast } = context
  return {
    store: await requireWritableStore(context),
    files: await holdfast.files(),
    worktrees: await holdfast.worktrees(),
    locks: await holdfast.locks(),
  }
}

/** What those that take worktrees away give to the engine. */
export async function putAwayPorts(context: SurfaceContext): Promise<PutAwayPorts> {
  return {
    ...(await restorePorts(context)),
    processes: await context.holdfast.processes(),
    directory: realDirectory(context.directory),
    ...(await cleanUpPorts(context)),
  }
}

/** What runs the clean-up of a repository. */
export async function cleanUpPorts({ holdfast, environment, output, interrupted }: SurfaceContext) {
  const own = cleanUpEnvironment(environment)
  // A mistake in it widens nothing, and is told by whoever is there to read it.
  const user = await holdfast.configuration(null).then(
    configuration => configuration.user,
    () => ({ cleanupRights: undefined }),
  )
  return {
    host: await holdfast.host(),
    confinement: await holdfast.confinement(),
    trust: await holdfast.trust(),
    clock: systemClock,
    rights: user.cleanupRights ?? 'agents',
    environment: { ...own, PATH: trustedPath(own.PATH ?? '', [holdfast.home]) },
    tell: (line: string) => output.tell(line),
    leave: interrupted,
  }
}

/** What putting the house in order takes besides. */
export async function housePorts(context: SurfaceContext): Promise<HousePorts> {
  const { holdfast } = context
  return {
    ...(await putAwayPorts(context)),
    disk: await holdfast.disk(),
    rawOutput: await holdfast.rawOutput(),
  }
}

/** As a worktree's path is written down. */
export function realDirectory(directory: string): string {
  try {
    return realpathSync(directory)
  } catch {
    // It is gone: then nobody stands in a worktree that is there.
    return directory
  }
}

/** What those that make a branch give to the engine. */
export async function branchPorts(context: SurfaceContext): Promise<BranchPorts> {
  const { holdfast } = context
  return {
    store: await requireWritableStore(context),
    files: await holdfast.files(),
    worktrees: await holdfast.worktrees(),
    clock: systemClock,
  }
}

/** An agent stands elsewhere: what is relative to the caller's directory would mislead it. */
export function callerEnvironment({ environment, holdfast }: SurfaceContext) {
  return environment.HOLDFAST_HOME ? { ...environment, HOLDFAST_HOME: holdfast.home } : environment
}

/** Who is told by default of what is handed in here; whoever stays with it gives way to that. */
export async function whoByDefault(
  isAwaited: boolean,
  { holdfast, environment, caller }: SurfaceContext,
): Promise<readonly Subscription[]> {
  return await defaultSubscriptions(caller, environment, isAwaited, holdfast)
}
