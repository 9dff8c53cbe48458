/**
 * Makes a damaged store anew from what SQLite can still read of it. The damaged one is kept, with
 * its log, in `damaged/<time>/`; the new one is whole and on disk before it takes its place. A death
 * at any point leaves the old store, or the new one.
 *
 * Nobody else may write to the store meanwhile: the caller holds the worker's lock, and a command
 * that commits into a store that was replaced under it notices (`sqlite-store.ts`).
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { Salvaged } from '../ports/upkeep.ts'
import { STORE_FILE } from './home.ts'
import { openFile } from './open.ts'
import { copyTable, openDamaged, type TableCopy } from './read-damaged.ts'

/** In the order in which they refer to each other. */
const TABLES = [
  'tasks',
  'dependencies',
  'attempts',
  'events',
  'worktrees',
  'snapshots',
  'leases',
  'deliveries',
  'limits',
  'answers',
  'messages',
]

/** The new store, whole, before it takes the old one's place. */
const READY = `${STORE_FILE}.salvaged`

export async function salvageStore(home: string, now: number): Promise<Salvaged> {
  const file = join(home, STORE_FILE)
  const ready = join(home, READY)
  // A salvage before this one came as far as that: what it read is not to be had a second time,
  // should the old log be gone already.
  if (existsSync(ready)) {
    takePlace(home, ready, file)
    return { keptIn: null, notes: ['what an interrupted repair had read took its place'] }
  }
  const keptIn = keepAside(home, file, now)
  const scratch = mkdtempSync(join(home, 'salvage-'))
  try {
    const copies = await makeAnew(keptIn, scratch, `${ready}.new`)
    renameSync(`${ready}.new`, ready)
    syncPath(home)
    takePlace(home, ready, file)
    return { keptIn, notes: describe(copies) }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
    rmSync(`${ready}.new`, { force: true })
  }
}

/** Where the old store and its log are kept; null: there is nothing to keep. */
function keepAside(home: string, file: string, now: number): string | null {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats === undefined || (stats.isFile() && stats.size === 0)) return null
  const directory = join(home, 'damaged', new Date(now).toISOString().replaceAll(':', '-'))
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const place = join(directory, STORE_FILE)
  if (!stats.isFile()) {
    renameSync(file, place)
    return directory
  }
  for (const part of ['', '-wal']) {
    if (!existsSync(`${file}${part}`)) continue
    try {
      linkSync(`${file}${part}`, `${place}${part}`)
    } catch {
      // A file system without links.
      copyFileSync(`${file}${part}`, `${place}${part}`)
    }
  }
  syncPath(directory)
  return directory
}

/** Reads a copy: SQLite would write to what it reads. */
async function makeAnew(
  keptIn: string | null,
  scratch: string,
  target: string,
): Promise<readonly TableCopy[]> {
  rmSync(target, { force: true })
  const copy = join(scratch, STORE_FILE)
  for (const part of ['', '-wal']) {
    const kept = `${keptIn}/${STORE_FILE}${part}`
    const isFile = statSync(kept, { throwIfNoEntry: false })?.isFile() === true
    if (keptIn !== null && isFile) copyFileSync(kept, `${copy}${part}`)
  }
  const { raw } = await openFile(target, to => {
    to.exec('PRAGMA journal_mode = DELETE')
    // A row may stand without the one that it refers to, until that is restored.
    to.exec('PRAGMA foreign_keys = OFF')
  })
  try {
    const from = existsSync(copy) ? openDamaged(copy) : undefined
    const copies = TABLES.map(table => copyTable(from, raw, table))
    from?.close()
    setSequences(raw)
    return copies
  } finally {
    raw.close()
  }
}

/** Log lines go on after the last one that was read. */
function setSequences(raw: DatabaseSync): void {
  raw.exec(`UPDATE tasks SET last_seq = max(last_seq,
    coalesce((SELECT max(seq) FROM events WHERE events.task = tasks.id), 0))`)
}

/** The old log may not be taken for the new store's: it goes first. */
function takePlace(home: string, ready: string, file: string): void {
  for (const part of ['-wal', '-shm']) rmSync(`${file}${part}`, { force: true })
  syncPath(home)
  renameSync(ready, file)
  syncPath(home)
}

function syncPath(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function describe(copies: readonly TableCopy[]): readonly string[] {
  return copies
    .filter(({ read, lost }) => read + lost > 0 || read > 0)
    .map(({ table, read, lost }) => {
      const missing = lost === 0 ? '' : `, and ${lost === Infinity ? 'others' : lost} could not be`
      return `${table}: ${read} rows were read${missing}`
    })
}
