import { join, resolve } from 'node:path'

/** `$HOLDFAST_HOME`, or `~/.holdfast`: absolute. */
export function stateDirectory(environment: Readonly<Record<string, string | undefined>>): string {
  const named = environment.HOLDFAST_HOME
  return named ? resolve(named) : join(environment.HOME || homeOfUser(), '.holdfast')
}

/** Asked only where `$HOME` is missing: loading `node:os` costs a short command a twentieth. */
function homeOfUser(): string {
  return (process.getBuiltinModule('node:os') as typeof import('node:os')).homedir()
}
