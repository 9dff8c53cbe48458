import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import type { TaskId } from '../../src/domain/ids.ts'
import { migrations } from '../../src/store/migrations/index.ts'
import { sqliteDialect } from '../../src/store/sqlite-dialect.ts'

/** A store as it was after so many migrations, with one task, `olden`, that has succeeded. */
export async function makeOlderStore(home: string, version: number): Promise<TaskId> {
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const raw = new DatabaseSync(join(home, 'store.db'))
  raw.exec('PRAGMA journal_mode = WAL')
  const db = new Kysely<unknown>({ dialect: sqliteDialect(raw) })
  for (const up of migrations.slice(0, version)) await up(db)
  raw.exec(`PRAGMA user_version = ${version}`)
  const id = 'aaaaaaaaa1' as TaskId
  // As the first of all versions wrote it.
  const request = {
    id,
    name: 'olden',
    agent: 'command',
    model: null,
    effort: null,
    permissions: { asked: 'full', effective: 'full', enforcedBy: 'none' },
    argv: ['true'],
    retryOnCrash: false,
    repo: { root: '/r', commonDir: '/r/.git', subdirectory: '' },
    base: { commit: 'c'.repeat(40), changes: null },
    caller: { kind: 'program', id: null, directory: '/r' },
    createdAt: 1,
  }
  const delta = { commit: null, files: 0, insertions: 0, deletions: 0, leftOut: [] }
  const state = { name: 'succeeded', endedAt: 2, result: { answer: 'answer', ...delta } }
  raw
    .prepare(
      `INSERT INTO tasks (id, name, agent, repository, created_at, request_json, state, state_since,
        state_json, ended_at, attempts)
        VALUES (?, 'olden', 'command', '/r/.git', 1, ?, 'succeeded', 2, ?, 2, 1)`,
    )
    .run(id, JSON.stringify(request), JSON.stringify(state))
  raw.close()
  return id
}

/** Makes of a store in use, which nobody has open, what an older version would have written. */
export async function ageStore(home: string, version: number): Promise<void> {
  const [store, newer] = [join(home, 'store.db'), join(home, 'store.db.newer')]
  renameSync(store, newer)
  for (const name of ['-wal', '-shm']) {
    if (existsSync(store + name)) renameSync(store + name, newer + name)
  }
  await makeOlderStore(home, version)
  const raw = new DatabaseSync(store)
  raw.exec('PRAGMA foreign_keys = OFF')
  raw.prepare('ATTACH ? AS newer').run(newer)
  const tables = raw
    .prepare(
      "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .all()
    .map(({ name }) => `${name}`)
  for (const table of tables) {
    const columnsOf = (schema: string) =>
      raw
        .prepare(`PRAGMA ${schema}.table_info(${table})`)
        .all()
        .map(({ name }) => `${name}`)
    const newerColumns = columnsOf('newer')
    const common = columnsOf('main')
      .filter(column => newerColumns.includes(column))
      .join(', ')
    raw.exec(`DELETE FROM main.${table}`)
    if (common === '') continue
    raw.exec(`INSERT INTO main.${table} (${common}) SELECT ${common} FROM newer.${table}`)
  }
  raw.exec('DETACH newer')
  raw.close()
  for (const name of ['', '-wal', '-shm']) rmSync(newer + name, { force: true })
}
