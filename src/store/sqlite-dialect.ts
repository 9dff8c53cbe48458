/**
 * Kysely on the SQLite that is built into Node. Two rules hold for every connection: a write
 * transaction is `BEGIN IMMEDIATE` (a deferred one that reads and then writes is refused at once
 * when another process wrote in between, and no timeout helps), and statements are prepared once.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { storeError } from './store-error.ts'

export function sqliteDialect(database: DatabaseSync): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new NodeSqliteDriver(database),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/**
 * Whose turn it is, by file. A transaction yields between its statements, and SQLite waits for a
 * lock by blocking the whole process: two connections of one process would wait for ever.
 */
const turns = new Map<string, Promise<void>>()

/** One connection, lent to one user at a time: transactions of one process never interleave. */
class NodeSqliteDriver implements Driver {
  readonly #database: DatabaseSync
  readonly #connection: NodeSqliteConnection
  readonly #file: string
  #giveBack: () => void = () => undefined

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#connection = new NodeSqliteConnection(database)
    this.#file = database.location() ?? ''
  }

  async init(): Promise<void> {
    // The database was opened by whoever made the dialect.
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const before = turns.get(this.#file)
    let giveBack: () => void = () => undefined
    turns.set(
      this.#file,
      new Promise(resolve => {
        giveBack = resolve
      }),
    )
    await before
    this.#giveBack = giveBack
    return this.#connection
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('BEGIN IMMEDIATE'))
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('COMMIT'))
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // A full or failing disk has SQLite roll back by itself: the reason is the news then.
    if (this.#database.isTransaction) await connection.executeQuery(CompiledQuery.raw('ROLLBACK'))
  }

  async releaseConnection(): Promise<void> {
    this.#giveBack()
  }

  async destroy(): Promise<void> {
    // Closed by whoever opened it.
  }
}

interface Prepared {
  readonly statement: StatementSync
  readonly givesRows: boolean
}

class NodeSqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, Prepared>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    try {
      return this.#execute(query)
    } catch (error) {
      throw storeError(error, this.#database.location() ?? '')
    }
  }

  #execute<Row>(query: CompiledQuery): QueryResult<Row> {
    const { statement, givesRows } = this.#prepare(query.sql)
    const parameters = query.parameters as SQLInputValue[]
    if (givesRows) {
      return { rows: statement.all(...parameters) as Row[] }
    }
    const { changes, lastInsertRowid } = statement.run(...parameters)
    return {
      rows: [],
      numAffectedRows: BigInt(changes),
      insertId: BigInt(lastInsertRowid),
    }
  }

  // biome-ignore lint/correctness/useYield: the interface asks for a generator, and nothing streams.
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('streaming is not needed: result sets are bounded')
  }

  #prepare(sql: string): Prepared {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    const prepared = { statement, givesRows: statement.columns().length > 0 }
    this.#statements.set(sql, prepared)
    return prepared
  }
}
