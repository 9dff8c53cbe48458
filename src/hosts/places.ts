/** Where each host is found, and where its configuration lies. */
import { isAbsolute, join } from 'node:path'
import type { HostName } from '../domain/hosts.ts'

type Environment = Readonly<Record<string, string | undefined>>

interface HostPlace {
  readonly program: string
  /** The variable that names its configuration directory. */
  readonly variable: string
  /** That directory where the variable is not set, below the home directory. */
  readonly otherwise: string
  /** Of a program whose name others may have too: it has to have been used. */
  readonly needsDirectory?: true
  /** From the configuration directory to the skills. */
  readonly skills: string
}

export const hostPlaces: Readonly<Record<HostName, HostPlace>> = {
  claude: {
    program: 'claude',
    variable: 'CLAUDE_CONFIG_DIR',
    otherwise: '.claude',
    skills: 'skills',
  },
  codex: { program: 'codex', variable: 'CODEX_HOME', otherwise: '.codex', skills: 'skills' },
  opencode: {
    program: 'opencode',
    variable: 'XDG_CONFIG_HOME',
    otherwise: '.config',
    skills: 'opencode/skills',
  },
  openclaw: {
    program: 'openclaw',
    variable: 'OPENCLAW_STATE_DIR',
    otherwise: '.openclaw',
    skills: 'skills',
  },
  pi: {
    program: 'pi',
    variable: 'PI_CODING_AGENT_DIR',
    otherwise: '.pi/agent',
    needsDirectory: true,
    skills: 'skills',
  },
}

/** What the user has named; null: nothing. */
export function namedConfiguration(host: HostName, environment: Environment): string | null {
  const named = environment[hostPlaces[host].variable]
  return named !== undefined && isAbsolute(named) ? named : null
}

export function configurationDirectory(
  host: HostName,
  named: string | null,
  userHome: string,
): string {
  return named ?? join(userHome, hostPlaces[host].otherwise)
}

export const skillDirectory = (host: HostName, configuration: string) =>
  join(configuration, hostPlaces[host].skills, 'holdfast')
