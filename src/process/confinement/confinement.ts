import { mkdirSync } from 'node:fs'
import { AppError } from '../../domain/errors.ts'
import type { Environment, OwnPlaces } from '../../ports/agent.ts'
import type { Confinement } from '../../ports/confinement.ts'
import { findReal } from './hidden.ts'

export interface ConfinementOptions {
  /** The state directory, absolute: of it, an agent sees its own worktree and nothing else. */
  readonly home: string
  /** Where bubblewrap is looked for, in the form of PATH. */
  readonly toolPath: string
  /**
   * Whether this process is in somebody's sandbox. What cannot be had there may be had where agents
   * are started, which is outside.
   */
  readonly isSandboxed: () => Promise<boolean>
}

/** The confinement of this system. */
export async function loadConfinement(
  options: ConfinementOptions,
  platform: NodeJS.Platform = process.platform,
): Promise<Confinement> {
  if (platform === 'linux') return (await import('../linux/confinement.ts')).makeBubblewrap(options)
  if (platform === 'darwin') return (await import('../macos/confinement.ts')).makeSeatbelt(options)
  const none = async (): Promise<never> => {
    throw new AppError('permissions_unavailable', `nothing can confine a program on ${platform}`, {
      hint: 'let it do all that you may: --permissions full',
    })
  }
  return { requireWorking: none, holdsTerminals: false, enclose: none }
}

/** An agent's own places by real path; those that are to be made are there then, if they can be. */
export function resolveOwn({
  readable,
  writable,
  made = [],
  loose = [],
}: OwnPlaces): Required<OwnPlaces> {
  return {
    readable: readable.flatMap(findReal),
    writable: [...writable.flatMap(findReal), ...made.flatMap(ensureReal)],
    made: [],
    loose: loose.flatMap(one => ensureReal(one.path).map(path => ({ ...one, path }))),
  }
}

function ensureReal(path: string): readonly string[] {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch {
    // In a home that cannot be written: then the agent will say what it lacks.
  }
  return findReal(path)
}

/** What is readable or writable, outermost first: rules and mounts that come later hold. */
export function layOut({
  readable,
  writable,
}: OwnPlaces): readonly { readonly path: string; readonly isWritable: boolean }[] {
  return [
    ...readable.map(path => ({ path, isWritable: false })),
    ...writable.map(path => ({ path, isWritable: true })),
  ].sort((a, b) => a.path.length - b.path.length)
}

/** Caches that a tool fails without, if it may not write where it usually has them. */
const CACHES = { GOCACHE: 'go-build', UV_CACHE_DIR: 'uv', npm_config_cache: 'npm' } as const

/** Variables that lead an agent's temporary files to where they can be written; null: to be unset. */
export function leadTemporary(
  environment: Environment,
  temporary: string,
): Readonly<Record<string, string | null>> {
  const led: Record<string, string | null> = {}
  for (const name of ['TMPDIR', 'TMP', 'TEMP']) if (environment[name]) led[name] = temporary
  // npm takes this one in any case of letters.
  for (const name of Object.keys(environment))
    if (/^npm_config_cache$/i.test(name)) led[name] = null
  for (const [name, place] of Object.entries(CACHES)) led[name] = `${temporary}/.cache/${place}`
  return led
}
