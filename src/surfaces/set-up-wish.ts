import {
  type Configuration,
  configuredBounds,
  configuredDirectories,
  configuredLimits,
} from '../domain/configuration.ts'
import { AppError } from '../domain/errors.ts'
import type { NamedRole } from '../domain/set-up.ts'
import type { SetUpWish } from '../engine/plan-set-up.ts'
import type { FoundCommand } from '../ports/trust.ts'
import type { SurfaceContext } from './context.ts'

const NONE = { 'set-up': undefined, 'clean-up': undefined, verify: undefined } as const

/** What the checkout whose top is `root` says of set-up; null: there is no checkout. */
export async function readSetUpWish(
  root: string | null,
  configuration: Configuration,
  { holdfast }: SurfaceContext,
): Promise<SetUpWish> {
  return {
    commands: root === null ? NONE : await holdfast.repositoryCommands(root, configuration),
    directories: configuredDirectories(configuration),
    limits: configuredLimits(configuration),
    bounds: configuredBounds(configuration, 'include'),
  }
}

/** Undefined: it names none. */
export type ReadCommands = Readonly<Record<NamedRole, FoundCommand | undefined>>

/** For whoever looks at all of them: refuses what cannot be read. */
export async function requireCommands(
  root: string,
  configuration: Configuration,
  { holdfast }: SurfaceContext,
): Promise<ReadCommands> {
  const { verify, ...others } = await holdfast.repositoryCommands(root, configuration)
  if (verify instanceof AppError) throw verify
  return { ...others, verify }
}
