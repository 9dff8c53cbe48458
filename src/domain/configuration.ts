/**
 * What was set beforehand, for where no flag says otherwise, and which of it holds: the environment
 * over the repository's file over the user's own. Pure.
 */
import { type PermissionMode, stricterMode } from './permissions.ts'

/** What one place sets. Absent: nothing is said there. */
export interface Settings {
  readonly agent?: string | undefined
  readonly model?: string | undefined
  readonly effort?: string | undefined
  readonly permissions?: PermissionMode | undefined
  readonly capture?:
    | { readonly maxBytes?: number | undefined; readonly maxFiles?: number | undefined }
    | undefined
}

/** The user's own settings. */
export interface UserSettings extends Settings {
  readonly slots?: number | undefined
}

/** By place; what a place does not set is absent in it. */
export interface Configuration {
  readonly environment: UserSettings
  readonly repository: Settings
  readonly user: UserSettings
}

/** Bounds on what `run` carries along. Larger changes are more likely a forgotten ignore rule than work. */
export interface CaptureLimits {
  readonly maxBytes: number
  readonly maxFiles: number
}

export const defaultCaptureLimits: CaptureLimits = { maxBytes: 500_000_000, maxFiles: 20_000 }

const places = ({ environment, repository, user }: Configuration): readonly Settings[] => [
  environment,
  repository,
  user,
]

export function configuredAgent(configuration: Configuration): string | undefined {
  return places(configuration).find(({ agent }) => agent !== undefined)?.agent
}

/**
 * A place that names an agent sets model and effort for that agent: another one would not know
 * them. A place that names none sets them for all.
 */
export function configuredChoice(
  configuration: Configuration,
  key: 'model' | 'effort',
  agent: string,
): string | undefined {
  const fits = (place: Settings) => place.agent === undefined || place.agent === agent
  return places(configuration).find(place => place[key] !== undefined && fits(place))?.[key]
}

/** Whoever wrote a repository's file may narrow what the user allows, and never widen it. */
export function configuredPermissions({
  environment,
  repository,
  user,
}: Configuration): PermissionMode | undefined {
  if (environment.permissions !== undefined) return environment.permissions
  if (repository.permissions === undefined) return user.permissions
  if (user.permissions === undefined) return repository.permissions
  return stricterMode(repository.permissions, user.permissions)
}

export function configuredCaptureLimits(configuration: Configuration): CaptureLimits {
  const set = (key: keyof CaptureLimits) =>
    places(configuration).find(({ capture }) => capture?.[key] !== undefined)?.capture?.[key]
  return {
    maxBytes: set('maxBytes') ?? defaultCaptureLimits.maxBytes,
    maxFiles: set('maxFiles') ?? defaultCaptureLimits.maxFiles,
  }
}

export function configuredSlots({ environment, user }: Configuration): number | undefined {
  return environment.slots ?? user.slots
}
