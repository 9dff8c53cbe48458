/**
 * Takes the state directory away, once its store has been ended. By name: what is not ours stays,
 * and the directory with it. Renamed first, so that whoever begins anew meanwhile finds none.
 */
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { reach } from '../domain/crash-points.ts'
import { parseTaskId } from '../domain/ids.ts'
import { STORE_FILE } from './home.ts'

/**
 * All that `docs/reference/state-directory.md` lists: a test holds it against that page, and against
 * a directory in use.
 */
export const OUR_NAMES: readonly string[] = [
  'tasks',
  'worktrees',
  'pool',
  'trash',
  'snapshots',
  'set-up',
  'agent-homes',
  'adding',
  'callers',
  'holders',
  'plugin',
  'mcp-token',
  'mcp-token.new',
  'locks',
  'cache',
  'damaged',
  `${STORE_FILE}.salvaged`,
  `${STORE_FILE}.salvaged.new`,
  'worker.json',
  'worker.json.new',
  'worker.log',
  'bell',
  'watchdog',
  'nothing',
  'trust.json',
  'trust.json.new',
  'hosts.json',
  'hosts.json.new',
  'config.json',
  'config.json.new',
  'disk.json',
  'disk.json.new',
  // Last: while it is there, it says that the rest is on its way out.
  `${STORE_FILE}-shm`,
  `${STORE_FILE}-wal`,
  STORE_FILE,
]

/**
 * What is ours in our directories; all of it, then, whatever it holds. (A worktree is never taken
 * away from here: what still stands there is in no result.)
 */
const isOurs: Readonly<Record<string, (name: string, path: string) => boolean>> = {
  tasks: name => parseTaskId(name) !== undefined,
  worktrees: () => false,
  // Nobody ever worked in one.
  pool: name => name.startsWith('spare-'),
  trash: (name, path) => /^index-[A-Za-z0-9]{6}$|\.build-\d+$/.test(name) || isDoneWith(name, path),
  // Nothing is lost with an empty file.
  snapshots: name => /^[a-z0-9-]+-\d+$/.test(name),
  'set-up': (_, path) => lstatSync(path).isFile() && lstatSync(path).size === 0,
  locks: name => /\.lock(?:-journal)?$/.test(name),
  cache: name => /^(?:code|disk\.json(?:\.new)?|keyboard-filter-\w+(?:\.\d+)?)$/.test(name),
  damaged: name => /^\d{4}-\d\d-\d\dT[\d.-]+Z$/.test(name),
}

/** A retired tree, or the note beside it that says why it is kept, if it is. */
function isDoneWith(name: string, path: string): boolean {
  if (!/^[a-z0-9-]+\.\d+(?:\.json)?$/.test(name)) return false
  try {
    const isNote = name.endsWith('.json')
    if (isNote && !existsSync(path.slice(0, -'.json'.length))) return true
    const note = readFileSync(isNote ? path : `${path}.json`, 'utf8')
    return (JSON.parse(note) as { kept?: unknown }).kept === null
  } catch {
    // Nothing says that all in it is elsewhere.
    return false
  }
}

/** Where it is put before it is deleted; a death leaves it there, for the next time. */
const asideOf = (home: string) => `${home}.uninstalled`

/** The names of what is not ours and stays. `home` is the state directory, absolute. */
export function leaveHome(home: string): readonly string[] {
  const aside = asideOf(home)
  removeOurs(aside)
  if (existsSync(home) && foreignNames(home).length === 0 && moveAside(home, aside)) {
    reach('uninstall.home-renamed')
    removeOurs(aside)
  } else removeOurs(home)
  reach('uninstall.home-removed')
  return foreignNames(home)
}

/** Also those in our directories, as `tasks/…`. */
function foreignNames(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory).flatMap(name => {
    if (!OUR_NAMES.includes(name)) return [name]
    const path = join(directory, name)
    const test = isOurs[name]
    if (test === undefined) return []
    if (!lstatSync(path).isDirectory()) return []
    return readdirSync(path)
      .filter(inner => !test(inner, join(path, inner)))
      .map(inner => `${name}/${inner}`)
  })
}

/** False: it is a place to which something is mounted, or its parent is not ours to write. */
function moveAside(home: string, aside: string): boolean {
  try {
    // Not through a link: what it leads to would keep its place.
    if (lstatSync(home).isSymbolicLink()) return false
    renameSync(home, aside)
    return true
  } catch {
    return false
  }
}

function removeOurs(directory: string): void {
  if (!existsSync(directory)) return
  for (const name of OUR_NAMES) removeNamed(directory, name)
  removeIfEmpty(directory)
}

function removeNamed(directory: string, name: string): void {
  const path = join(directory, name)
  const test = isOurs[name]
  const isOneOfOurs =
    test !== undefined && lstatSync(path, { throwIfNoEntry: false })?.isDirectory()
  if (!isOneOfOurs) removeTree(path)
  else {
    // A tree before its note.
    for (const inner of readdirSync(path).sort()) {
      if (test(inner, join(path, inner))) removeTree(join(path, inner))
    }
    removeIfEmpty(path)
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // Something that is not ours is in it, or it is in use; what is left is told.
  }
}

/** Also what its owner may not write to. */
function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    openDirectories(path)
    rmSync(path, { recursive: true, force: true })
  }
}

function openDirectories(path: string): void {
  if (!lstatSync(path).isDirectory()) return
  chmodSync(path, 0o700)
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) openDirectories(join(path, entry.name))
  }
}
