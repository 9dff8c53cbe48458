/**
 * A `CODEX_HOME` for one worktree alone. What the user keeps in theirs is seen through links, their
 * login too: Codex writes a renewed token through the link, under a lock beside the file that it leads
 * to (seen with 0.169.0), so there is one login, whoever renews it. Settings are copied, anew before
 * each launch: Codex writes down in them which directories it trusts, and what it has told already.
 * What Codex keeps of its work is the home's own.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  copyFileSync,
  type Dirent,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { SessionId } from '../domain/ids.ts'
import type { Environment, OwnHome, SessionPlan } from '../ports/agent.ts'
import { codexHome, needsLogin, readConfiguration } from './codex-configuration.ts'
import { findRecord, sessionsOf } from './codex-sessions.ts'

/** Sessions, and what Codex makes of them and of its own runs: databases, logs, caches, locks. */
const OF_ITS_WORK =
  /^(?:sessions|archived_sessions|session_index\.jsonl|history\.jsonl|worktrees|thread-writer-locks|shell_snapshots|logs?|\.?tmp|cache|sqlite|models_cache\.json|version\.json|installation_id|\.sandbox_migration|.*\.(?:sqlite(?:-(?:wal|shm|journal))?|lock|pid|sock))$/

/** Settings, and those of profiles: `config.toml`, `NAME.config.toml`. */
const SETTINGS = /(?:^|\.)config\.toml$/

/** Read at once where two records are compared. */
const CHUNK = 1024 * 1024

export const codexOwnHome: OwnHome = {
  variables: home => ({ CODEX_HOME: directoryOf(home) }),
  holds: (home, session) => findRecord(session, directoryOf(home)) !== undefined,
  async prepare(home, environment) {
    await requireLogin(environment)
    const own = directoryOf(home)
    mkdirSync(own, { recursive: true, mode: 0o700 })
    reach('agent-home.made')
    bringUpToDate(own, codexHome(environment))
    reach('agent-home.ready')
  },
  async planMove(session, { from, to }) {
    return planCarry(session, codexHome(from), codexHome(to))
  },
}

const directoryOf = (home: string) => join(home, 'codex')

/** In a keyring a login is filed under the home that it was made for. */
async function requireLogin(environment: Environment): Promise<void> {
  const config = await readConfiguration(environment)
  if (!needsLogin(config, environment)) return
  const { cli_auth_credentials_store: kept } = config
  const isInFile = existsSync(join(codexHome(environment), 'auth.json'))
  if (isInFile && kept !== 'keyring' && kept !== 'ephemeral') return
  throw new AppError(
    'agent_logged_out',
    'codex keeps its login in a keyring, where a home of its own does not find it',
    {
      hint: 'set codexHome to "shared"; or set cli_auth_credentials_store = "file" in Codex’s config.toml, and log in again',
    },
  )
}

function bringUpToDate(own: string, users: string): void {
  const wanted = entriesOf(users).filter(({ name }) => !OF_ITS_WORK.test(name))
  const names = new Set(wanted.map(({ name }) => name))
  for (const { name } of entriesOf(own)) {
    if (!names.has(name) && isOfUser(join(own, name), users)) unlinkSync(join(own, name))
  }
  for (const { name } of wanted) {
    if (SETTINGS.test(name)) copyBeside(join(users, name), join(own, name))
    else link(join(users, name), join(own, name))
  }
}

/** What we made of something that the user has no more. */
function isOfUser(path: string, users: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found?.isSymbolicLink() === true) return dirname(readlinkSync(path)) === users
  return found?.isFile() === true && SETTINGS.test(basename(path))
}

/** What Codex has made there in the meantime stays: a login of its own, for one. */
function link(target: string, path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found?.isSymbolicLink() === true) {
    if (readlinkSync(path) === target) return
    unlinkSync(path)
  } else if (found !== undefined) return
  symlinkSync(target, path)
}

function copyBeside(source: string, path: string): void {
  // A directory of that name, or a link to nothing, is none of Codex's settings either.
  if (statSync(source, { throwIfNoEntry: false })?.isFile() !== true) return
  const beside = `${path}.new`
  rmSync(beside, { force: true })
  copyFileSync(source, beside)
  renameSync(beside, path)
}

function entriesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** A record is only ever added to: of two, one has all of the other, or they are two stories. */
function planCarry(session: SessionId, from: string, to: string): SessionPlan {
  const [source, target] = [findRecord(session, from), findRecord(session, to)]
  const nothing = { kind: 'moves', carry: async () => undefined } as const
  if (source === undefined) {
    if (target !== undefined) return nothing
    return { kind: 'stays', why: `Codex has no record of it below ${sessionsOf(from)}` }
  }
  const path = target ?? join(sessionsOf(to), relative(sessionsOf(from), source))
  if (target !== undefined) {
    if (isBeginningOf(source, target)) return nothing
    if (!isBeginningOf(target, source)) {
      return { kind: 'stays', why: `it has gone on otherwise in ${target}` }
    }
  }
  return {
    kind: 'moves',
    async carry() {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      copyBeside(source, path)
      reach('agent-home.session-carried')
    },
  }
}

function isBeginningOf(shorter: string, longer: string): boolean {
  const { size } = statSync(shorter)
  return size <= statSync(longer).size && digest(shorter, size) === digest(longer, size)
}

function digest(path: string, bytes: number): string {
  const file = openSync(path, 'r')
  try {
    const hash = createHash('sha256')
    const chunk = Buffer.alloc(CHUNK)
    for (let at = 0; at < bytes; ) {
      const length = readSync(file, chunk, 0, Math.min(CHUNK, bytes - at), at)
      if (length === 0) break
      hash.update(chunk.subarray(0, length))
      at += length
    }
    return hash.digest('hex')
  } finally {
    closeSync(file)
  }
}
