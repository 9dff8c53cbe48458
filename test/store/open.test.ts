import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { AppError } from '../../src/domain/errors.ts'
import { STORE_FILE } from '../../src/store/home.ts'
import { findDamage } from '../../src/store/integrity.ts'
import { migrations } from '../../src/store/migrations/index.ts'
import { openDatabase, STORE_VERSION } from '../../src/store/open.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { systemClock } from '../../src/system-clock.ts'
import { scratchDirectory } from '../scratch.ts'
import { makeOlderStore } from './older-store.ts'

async function refusal(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof AppError) return error
  throw new Error(`no refusal but ${String(error)}`)
}

test('the version is the number of migrations', () => {
  expect(STORE_VERSION).toBe(migrations.length)
})

test('the schema in git is the schema that the migrations make', async () => {
  const { raw } = await openDatabase(scratchDirectory())
  const rows = raw
    .prepare(
      "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .all() as { sql: string }[]
  raw.close()
  const dumped = `${rows.map(({ sql }) => `${sql};`).join('\n')}\n`
  const kept = readFileSync(new URL('../../src/store/schema.sql', import.meta.url), 'utf8')
  expect(dumped).toBe(kept)
})

test('the store and its directory are private', async () => {
  const directory = join(scratchDirectory(), 'new', 'home')
  const { raw } = await openDatabase(directory)
  raw.close()
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  expect(statSync(join(directory, STORE_FILE)).mode & 0o777).toBe(0o600)
})

test('a store from a newer version is refused and left as it is', async () => {
  const directory = scratchDirectory()
  const { raw } = await openDatabase(directory)
  raw.exec(`PRAGMA user_version = ${STORE_VERSION + 1}`)
  raw.close()
  expect((await refusal(openDatabase(directory))).code).toBe('store_newer')
  const again = new DatabaseSync(join(directory, STORE_FILE))
  expect(again.prepare('PRAGMA user_version').get()).toEqual({ user_version: STORE_VERSION + 1 })
  again.close()
})

test('a file that is no store is refused and left as it is', async () => {
  const directory = scratchDirectory()
  const rubbish = 'this is no database at all, and long enough to be read as one'.repeat(20)
  writeFileSync(join(directory, STORE_FILE), rubbish)
  expect((await refusal(openDatabase(directory))).code).toBe('store_unreadable')
  expect(readFileSync(join(directory, STORE_FILE), 'utf8')).toBe(rubbish)
})

test('a directory that cannot be one is refused', async () => {
  const file = join(scratchDirectory(), 'file')
  writeFileSync(file, '')
  expect((await refusal(openDatabase(join(file, 'home')))).code).toBe('store_unwritable')
})

test('ten openers of a new store at once all find it ready', async () => {
  const directory = scratchDirectory()
  const opened = await Promise.all(Array.from({ length: 10 }, () => openDatabase(directory)))
  for (const { raw } of opened) {
    expect(raw.prepare('SELECT count(*) AS n FROM tasks').get()).toEqual({ n: 0 })
    raw.close()
  }
})

test('a JSON column of the wrong shape is found by the integrity check', async () => {
  const directory = scratchDirectory()
  const { raw } = await openDatabase(directory)
  expect(findDamage(raw)).toEqual([])
  raw.exec(`INSERT INTO tasks (id, name, agent, repository, created_at, request_json, state,
    state_since, state_json) VALUES ('a', 'a', 'a', 'a', 0, '{}', 'queued', 0, '{"name":"queued"}')`)
  expect(findDamage(raw)).toMatchObject([
    {
      where: { kind: 'task', id: 'a' },
      isVital: true,
      text: expect.stringContaining('tasks.request_json of a: '),
    },
  ])
  raw.exec("UPDATE tasks SET state_json = '{'")
  expect(findDamage(raw).map(({ text }) => text)).toContain('tasks.state_json of a: no JSON')
  raw.close()
})

test('a store of each older version is brought up to date, with what is in it', async () => {
  for (let version = 1; version < STORE_VERSION; version++) {
    const directory = scratchDirectory()
    const id = await makeOlderStore(directory, version)
    const store = await openSqliteStore(directory, systemClock)
    expect(await store.checkIntegrity()).toEqual([])
    expect(await store.findTask(id)).toMatchObject({
      request: { name: 'olden' },
      state: { name: 'succeeded', result: { answer: 'answer' } },
    })
    await store.close()
  }
})

test('what follows a task of an older store is found by it', async () => {
  const directory = scratchDirectory()
  const id = await makeOlderStore(directory, 11)
  const raw = new DatabaseSync(join(directory, STORE_FILE))
  raw.exec(`INSERT INTO tasks (id, name, agent, repository, created_at, request_json, state, state_since,
    state_json, ended_at, attempts)
    SELECT 'aaaaaaaaa2', name, agent, repository, 2, json_set(request_json, '$.id', 'aaaaaaaaa2', '$.follows', id),
      state, state_since, state_json, ended_at, attempts FROM tasks`)
  raw.close()
  const store = await openSqliteStore(directory, systemClock)
  const followers = await store.listTasks({ follows: id })
  expect(followers.map(({ request }) => request.id)).toEqual(['aaaaaaaaa2'])
  await store.close()
})
