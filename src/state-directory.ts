import { isAbsolute, join, resolve } from 'node:path'

/**
 * `$HOLDFAST_HOME`, or `~/.holdfast`: absolute. Undefined: there is no saying where, because this
 * user has no home directory, or because a relative path is meant from a directory that is gone.
 */
export function findStateDirectory(
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const named = environment.HOLDFAST_HOME
  if (named) return isAbsolute(named) ? resolve(named) : fromHere(named)
  const home = findUserHome(environment)
  return home === undefined ? undefined : join(home, '.holdfast')
}

/** The user's home directory; undefined: there is none. */
export function findUserHome({
  HOME,
}: Readonly<Record<string, string | undefined>>): string | undefined {
  return HOME !== undefined && isAbsolute(HOME) ? HOME : homeOfUser()
}

function fromHere(path: string): string | undefined {
  try {
    return resolve(path)
  } catch {
    // The directory that it is relative to was deleted.
    return undefined
  }
}

/**
 * As the system's list of users has it, asked only where `$HOME` does not say: loading `node:os`
 * costs a short command a twentieth. (Its `homedir` would believe an empty `$HOME`.)
 */
function homeOfUser(): string | undefined {
  try {
    const { userInfo } = process.getBuiltinModule('node:os') as typeof import('node:os')
    const { homedir } = userInfo()
    return isAbsolute(homedir) ? homedir : undefined
  } catch {
    // A container's user need not be listed anywhere.
    return undefined
  }
}
