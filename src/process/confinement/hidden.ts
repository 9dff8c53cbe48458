/**
 * What no confined agent gets to see, wherever the rest of the file system can be read: what proves
 * to others that it is you, and sockets through which other programs of yours do what they are told.
 * A list, and so never complete; `docs/concepts/permissions.md` says so.
 */
import { readdirSync, realpathSync, statSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'
import type { Environment } from '../../ports/agent.ts'

/** Below a home directory. */
const AT_HOME = [
  // Keys, and programs that sign with them.
  '.ssh',
  '.gnupg',
  '.password-store',
  '.local/share/keyrings',
  '.config/op',
  '.config/sops',
  '.vault-token',
  // Clouds and clusters.
  '.aws',
  '.azure',
  '.boto',
  '.config/doctl',
  '.config/gcloud',
  '.config/rclone',
  '.kube',
  '.oci',
  '.s3cfg',
  '.terraform.d/credentials.tfrc.json',
  // Registries, forges, databases.
  '.cargo/credentials',
  '.cargo/credentials.toml',
  '.config/gh',
  '.config/glab-cli',
  '.config/hub',
  '.config/git/credentials',
  '.gem/credentials',
  '.git-credentials',
  '.my.cnf',
  '.netrc',
  '.npmrc',
  '.pgpass',
  '.pypirc',
  '.yarnrc.yml',
  // Logins of agents.
  '.claude/.credentials.json',
  '.codex/auth.json',
  '.gemini/oauth_creds.json',
  '.local/share/opencode/auth.json',
  '.pi/agent/auth.json',
  // Browsers and mail: cookies, passwords.
  '.config/BraveSoftware',
  '.config/chromium',
  '.config/google-chrome',
  '.config/microsoft-edge',
  '.mozilla',
  '.thunderbird',
  // Directories with a socket that starts programs; Docker's also has logins.
  '.colima',
  '.docker',
  '.lima',
  '.orbstack',
  '.pm2',
  '.rd',
  '.screen',
  '.Xauthority',
] as const

/** Commands as they were typed, and whatever secrets were typed with them. */
const HISTORY = /^\.\w+_history$/

/** Variables that say where one of these is kept instead; some are lists, as PATH is. */
const NAMED_BY = [
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'CLOUDSDK_CONFIG',
  'DOCKER_CONFIG',
  'GNUPGHOME',
  'KUBECONFIG',
  'NETRC',
  'NPM_CONFIG_USERCONFIG',
  'npm_config_userconfig',
  'SSH_AUTH_SOCK',
  'XAUTHORITY',
] as const

/** Sockets outside of `/run` through which programs are started as somebody else. */
const SOCKETS = [
  '/var/lib/incus/unix.socket',
  '/var/lib/lxd/unix.socket',
  '/var/run/docker.sock',
  '/var/snap/lxd/common/lxd/unix.socket',
] as const

export interface Hidden {
  readonly directories: readonly string[]
  /** Plain files and sockets. */
  readonly files: readonly string[]
}

/**
 * By real path, those that are there now: what lies in these home directories, what the environment
 * names (unless a home directory lies in it), and `always`. `replaced`: directories of which
 * nothing is seen anyway.
 */
export function findHidden(
  homes: readonly string[],
  environment: Environment,
  {
    always,
    replaced,
  }: { readonly always: readonly string[]; readonly replaced: readonly string[] },
): Hidden {
  const realHomes = homes.flatMap(findReal)
  const named = NAMED_BY.flatMap(name => (environment[name] ?? '').split(delimiter))
  const found = [...homes.flatMap(listOfHome), ...named.filter(isAbsolute), ...SOCKETS]
    .flatMap(findReal)
    .filter(path => !replaced.some(place => isWithin(path, place)))
    .filter(path => !realHomes.some(home => isWithin(home, path)))
  const all = [...new Set([...always.flatMap(findReal), ...found])]
  const outermost = all.filter(path => !all.some(one => one !== path && isWithin(path, one)))
  const isDirectory = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory()
  return {
    directories: outermost.filter(path => isDirectory(path) === true),
    files: outermost.filter(path => isDirectory(path) === false),
  }
}

/** Those that lie in a directory. */
export function hiddenWithin(directory: string, { directories, files }: Hidden): Hidden {
  const isInside = (path: string) => isWithin(path, directory)
  return { directories: directories.filter(isInside), files: files.filter(isInside) }
}

function listOfHome(home: string): readonly string[] {
  let histories: string[] = []
  try {
    histories = readdirSync(home).filter(name => HISTORY.test(name))
  } catch {
    // Not there, or not to be listed by us, nor then by an agent.
  }
  return [...AT_HOME, ...histories].map(name => join(home, name))
}

/** None where it is missing, or out of our own reach. */
export function findReal(path: string): readonly string[] {
  try {
    return [realpathSync(path)]
  } catch {
    return []
  }
}

export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`)
}

/** Where the user's things are: as an agent is told, and as the system knows. */
export function userHomes(environment: Environment): readonly string[] {
  const homes = [environment.HOME ?? '', homedir()]
  try {
    homes.push(userInfo().homedir)
  } catch {
    // A user of a number alone, as in some containers.
  }
  return [...new Set(homes.filter(isAbsolute))]
}
