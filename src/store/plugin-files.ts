import { createHash, randomBytes } from 'node:crypto'
import { constants, statSync } from 'node:fs'
import { appendFile, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { reach } from '../domain/crash-points.ts'
import { type KeptRequest, REQUEST_LASTS_MS, requestKinds } from '../domain/kept-request.ts'
import type { Turn } from '../domain/turn.ts'
import type { PluginFiles } from '../ports/plugin-files.ts'
import { makeDirectory, prepareHome } from './home.ts'
import { writePrivately } from './private-file.ts'
import { storeError } from './store-error.ts'

const ID = /^[0-9a-f]{24}$/
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const SHOWN_LASTS_MS = 31 * 86_400_000
/** Of the log; a hook that fails at every prompt may not fill the disk. */
const MOST_LOGGED = 1_000_000

export function makePluginFiles(home: string): PluginFiles {
  const root = join(home, 'plugin')
  const requests = join(root, 'requests')
  const sessions = join(root, 'sessions')
  const turns = join(root, 'turns')
  const shownTo = (session: string) => join(sessions, nameOf(session))
  return {
    async keepRequest(request) {
      prepareHome(home)
      const id = randomBytes(12).toString('hex')
      // Nobody knows its name before it is whole.
      const path = join(requests, id)
      try {
        makeDirectory(requests)
        await forgetOlder(requests, REQUEST_LASTS_MS)
        await using file = await open(path, CREATE, 0o600)
        await file.writeFile(JSON.stringify(request))
      } catch (error) {
        throw storeError(error, path)
      }
      reach('request.kept')
      return id
    },
    async findRequest(id) {
      if (!ID.test(id)) return undefined
      const path = join(requests, id)
      if (await isOlder(path, REQUEST_LASTS_MS)) return undefined
      return parseRequest(await readFile(path, 'utf8'))
    },
    async listShown(session) {
      const text = (await unlessGone(readFile(shownTo(session), 'utf8'))) ?? '' // It was shown nothing.
      return new Set(text.split('\n').filter(line => line !== ''))
    },
    async addShown(session, deliveries) {
      makeDirectory(sessions)
      await forgetOlder(sessions, SHOWN_LASTS_MS)
      const text = deliveries.map(id => `${id}\n`).join('')
      await appendFile(shownTo(session), text, { mode: 0o600 })
      reach('shown.written')
    },
    async findTurn(session) {
      const text = await unlessGone(readFile(join(turns, nameOf(session)), 'utf8'))
      return text === undefined ? undefined : parseTurn(text)
    },
    async keepTurn(session, turn) {
      prepareHome(home)
      makeDirectory(turns)
      await forgetOlder(turns, SHOWN_LASTS_MS)
      writePrivately(join(turns, nameOf(session)), JSON.stringify(turn))
      reach('turn.kept')
    },
    async log(line) {
      // Where there is no state directory, nobody uses us.
      if (statSync(home, { throwIfNoEntry: false }) === undefined) return
      makeDirectory(root)
      const path = join(root, 'hook.log')
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
      if (size > MOST_LOGGED) return
      await appendFile(path, `${new Date().toISOString()} ${line}\n`, { mode: 0o600 })
    },
  }
}

const nameOf = (session: string) => createHash('sha256').update(session).digest('hex').slice(0, 32)

/** Undefined: another Holdfast has written it, or nobody of ours. */
function parseTurn(text: string): Turn | undefined {
  const { from, isOpen, rounds, review = null } = JSON.parse(text) as Partial<Turn>
  const isWhole = typeof from?.root === 'string' && typeof from.head === 'string'
  if (!isWhole || typeof rounds !== 'number') return undefined
  return { from: { ...from, files: from.files ?? null }, isOpen: isOpen === true, rounds, review }
}

/** Somebody else may take one away at the same time. */
async function forgetOlder(directory: string, ms: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name)
    if (await isOlder(path, ms)) await rm(path, { force: true })
  }
}

async function isOlder(path: string, ms: number): Promise<boolean> {
  const found = await unlessGone(stat(path))
  return found === undefined || Date.now() - found.mtimeMs > ms
}

async function unlessGone<T>(look: Promise<T>): Promise<T | undefined> {
  try {
    return await look
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function parseRequest(text: string): KeptRequest | undefined {
  const written = JSON.parse(text) as Partial<KeptRequest> | null
  const kind = requestKinds.find(known => known === written?.kind)
  if (kind === undefined || typeof written?.text !== 'string') return undefined
  return {
    kind,
    text: written.text,
    plugin: written.plugin ?? 'holdfast',
    agent: written.agent ?? null,
    isOfSubagent: written.isOfSubagent === true,
    transcript: written.transcript ?? null,
  }
}
