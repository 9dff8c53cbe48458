import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** `$HOLDFAST_HOME`, or `~/.holdfast`: absolute. */
export function stateDirectory(environment: Readonly<Record<string, string | undefined>>): string {
  const named = environment.HOLDFAST_HOME
  return named ? resolve(named) : join(environment.HOME || homedir(), '.holdfast')
}
