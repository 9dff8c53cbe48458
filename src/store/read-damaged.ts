/** Reading what can be read of a damaged SQLite file, row by row where it must be. */
import { closeSync, openSync, statSync, writeSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { AppError } from '../domain/errors.ts'
import { STORE_VERSION } from './open.ts'
import { SQLITE, sqliteCode } from './store-error.ts'

/** `lost`: rows that are known to have been there; infinity: some, nobody knows how many. */
export interface TableCopy {
  readonly table: string
  readonly read: number
  readonly lost: number
}

/** So many rows at once, where nothing is damaged. */
const CHUNK = 512
/** Looks at a damaged place before the rest of its table is given up. */
const MOST_FAILURES = 20_000

/** Undefined: not even what tables there are can be read. Refuses one from a newer version. */
export function openDamaged(copy: string): DatabaseSync | undefined {
  const opened = openIfReadable(copy) ?? (mendHeader(copy) ? openIfReadable(copy) : undefined)
  if (opened === undefined) return undefined
  const { user_version } = opened.prepare('PRAGMA user_version').get() as { user_version: number }
  if (user_version <= STORE_VERSION) return opened
  opened.close()
  throw new AppError('store_newer', 'the damaged store was written by a newer Holdfast', {
    hint: 'update this one: npm install --global holdfast',
  })
}

function openIfReadable(copy: string): DatabaseSync | undefined {
  const database = new DatabaseSync(copy, { enableForeignKeyConstraints: false })
  try {
    database.prepare('SELECT name FROM sqlite_schema').all()
    return database
  } catch (error) {
    database.close()
    if (![SQLITE.corrupt, SQLITE.notadb].some(code => code === sqliteCode(error))) throw error
    return undefined
  }
}

const HEADER_BYTES = 100
/** Where the header keeps what differs from file to file (sqlite.org/fileformat.html). */
const PAGE_SIZE_AT = 16
const PAGES_AT = 28
const VERSION_AT = 60
const PAGE_BYTES = 4096

/**
 * Writes the header anew: of ours only the number of pages differs. (One that says more pages than
 * there are, of a torn file, has SQLite refuse all of it.) The tables themselves stand
 * behind it. (The version is the newest: columns are asked for by name.)
 */
function mendHeader(copy: string): boolean {
  const { size } = statSync(copy)
  if (size < PAGE_BYTES) return false
  const header = templateHeader()
  header.writeUInt32BE(Math.floor(size / PAGE_BYTES), PAGES_AT)
  const file = openSync(copy, 'r+')
  try {
    writeSync(file, header, 0, HEADER_BYTES, 0)
  } finally {
    closeSync(file)
  }
  return true
}

function templateHeader(): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write('SQLite format 3\0', 0, 'latin1')
  header.writeUInt16BE(PAGE_BYTES, PAGE_SIZE_AT)
  // Written and read in WAL mode; the fixed payload fractions.
  header.set([2, 2, 0, 64, 32, 32], PAGE_SIZE_AT + 2)
  // Schema cookie and format, UTF-8; the counter of changes, and the one that the size is valid for.
  header.writeUInt32BE(1, 24)
  header.writeUInt32BE(1, 40)
  header.writeUInt32BE(4, 44)
  header.writeUInt32BE(1, 56)
  header.writeUInt32BE(STORE_VERSION, VERSION_AT)
  header.writeUInt32BE(1, 92)
  return header
}

/** Copies what can be read of a table, by the columns that both have. */
export function copyTable(
  from: DatabaseSync | undefined,
  to: DatabaseSync,
  table: string,
): TableCopy {
  const columns = from === undefined ? [] : sharedColumns(from, to, table)
  if (from === undefined || columns.length === 0) return { table, read: 0, lost: Infinity }
  const names = columns.join(', ')
  const select = from.prepare(`SELECT ${names} FROM ${table} WHERE rowid BETWEEN ? AND ?`)
  const insert = to.prepare(
    `INSERT OR IGNORE INTO ${table} (${names}) VALUES (${columns.map(() => '?').join(', ')})`,
  )
  let read = 0
  let lost = 0
  let failures = 0
  const take = (first: number, last: number): void => {
    if (failures >= MOST_FAILURES) return
    let rows: Record<string, SQLInputValue>[]
    try {
      rows = select.all(first, last) as Record<string, SQLInputValue>[]
    } catch {
      failures++
      if (first === last) {
        lost++
        return
      }
      const middle = Math.floor((first + last) / 2)
      take(first, middle)
      take(middle + 1, last)
      return
    }
    for (const row of rows) {
      const { changes } = insert.run(...columns.map(column => row[column] ?? null))
      if (changes === 0) lost++
      else read++
    }
  }
  to.exec('BEGIN')
  const end = lastRow(from, table)
  for (let first = 1; first <= end.row; first += CHUNK) {
    take(first, Math.min(first + CHUNK - 1, end.row))
  }
  to.exec('COMMIT')
  const isSure = end.isSure && failures < MOST_FAILURES
  return { table, read, lost: isSure ? lost : lost === 0 && end.isSure ? 0 : Infinity }
}

function sharedColumns(from: DatabaseSync, to: DatabaseSync, table: string): readonly string[] {
  const columnsOf = (database: DatabaseSync): readonly string[] => {
    try {
      const rows = database.prepare(`SELECT name FROM pragma_table_info('${table}')`).all()
      return (rows as { name: string }[]).map(({ name }) => name)
    } catch {
      // Its definition is damaged.
      return []
    }
  }
  const known = columnsOf(to)
  return columnsOf(from).filter(column => known.includes(column))
}

/** Not sure: the way to the last row is damaged; then no file of this size can hold more. */
function lastRow(from: DatabaseSync, table: string): { row: number; isSure: boolean } {
  try {
    const { row } = from.prepare(`SELECT max(rowid) AS row FROM ${table}`).get() as {
      row: number | null
    }
    return { row: row ?? 0, isSure: true }
  } catch {
    const { bytes } = from
      .prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size')
      .get() as { bytes: number }
    // The shortest rows of ours, ids and times in text, take more than this.
    return { row: Math.ceil(bytes / 32), isSure: false }
  }
}
