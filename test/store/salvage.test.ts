/** What is read of a damaged store: with the damage that disks and people do. */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import type { CommitId, TaskId, WorktreeId } from '../../src/domain/ids.ts'
import type { Snapshot } from '../../src/domain/snapshot.ts'
import { plainRequest, type TaskRequest } from '../../src/domain/task.ts'
import { salvageStore } from '../../src/store/salvage.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { systemClock } from '../../src/system-clock.ts'
import { scratchDirectory } from '../scratch.ts'

const TASKS = 400
const PAGE = 4096

function request(n: number): TaskRequest {
  const id = `t${String(n).padStart(9, '0')}` as TaskId
  return {
    id,
    name: `task-${n}`,
    agent: 'command',
    model: null,
    effort: null,
    permissions: { asked: 'full', effective: 'full', enforcedBy: 'none' },
    argv: ['true', 'x'.repeat(500)],
    retryOnCrash: false,
    repo: { root: '/r', commonDir: '/r/.git', subdirectory: '' },
    base: { commit: 'c'.repeat(40) as CommitId, changes: null },
    caller: { kind: 'program', id: null, directory: '/r' },
    createdAt: n,
    ...plainRequest(id),
  }
}

const snapshotOf = (n: number): Snapshot => ({
  worktree: request(n).id as string as WorktreeId,
  number: 1,
  kind: 'managed',
  path: '/w',
  commonDir: '/r/.git',
  takenAt: n,
  state: { commit: 'c'.repeat(40) as CommitId, changes: null },
  branch: null,
  ignored: { files: 0, bytes: 0, dropped: [] },
})

/** A store with many tasks and some snapshots, closed; its file. */
async function makeStore(): Promise<{ home: string; file: string }> {
  const home = scratchDirectory()
  const store = await openSqliteStore(home, systemClock)
  for (let n = 0; n < TASKS; n++) {
    await store.submitTask(request(n))
    if (n % 10 === 0) await store.recordSnapshot(snapshotOf(n))
  }
  await store.close()
  return { home, file: join(home, 'store.db') }
}

function overwrite(file: string, at: number, length: number): void {
  const open = openSync(file, 'r+')
  writeSync(open, Buffer.alloc(length, 0xa5), 0, length, at)
  closeSync(open)
}

/** How many tasks are in the store now, which is sound. */
async function readBack(home: string): Promise<number> {
  const store = await openSqliteStore(home, systemClock)
  try {
    expect(await store.checkIntegrity()).toEqual([])
    const tasks = await store.listTasks({})
    for (const task of tasks) {
      expect(await store.listEvents(task.request.id, 0, 10)).not.toBeNull()
    }
    return tasks.length
  } finally {
    await store.close()
  }
}

async function isRefused(home: string): Promise<void> {
  const opened = openSqliteStore(home, systemClock).then(async store => {
    try {
      expect(await store.checkIntegrity()).toEqual([])
    } finally {
      await store.close()
    }
  })
  await expect(opened).rejects.toThrow()
}

test('bytes overwritten in the middle cost the rows that stood there', async () => {
  const { home, file } = await makeStore()
  const pages = statSync(file).size / PAGE
  for (const page of [Math.floor(pages / 3), Math.floor(pages / 2)]) {
    overwrite(file, page * PAGE, PAGE)
  }
  await isRefused(home)
  const { keptIn, notes } = await salvageStore(home, 0)
  const saved = await readBack(home)
  expect(saved).toBeGreaterThan(TASKS - 40)
  expect(notes.join('\n')).toMatch(new RegExp(`tasks: ${saved} rows were read`))
  expect(statSync(join(keptIn ?? '', 'store.db')).size).toBe(pages * PAGE)
})

test('a damaged header costs nothing', async () => {
  const { home, file } = await makeStore()
  overwrite(file, 0, 100)
  await isRefused(home)
  const { notes } = await salvageStore(home, 0)
  expect(await readBack(home)).toBe(TASKS)
  expect(notes).toContain(`tasks: ${TASKS} rows were read`)
  expect(notes).toContain(`snapshots: ${TASKS / 10} rows were read`)
  const store = await openSqliteStore(home, systemClock)
  expect(await store.listSnapshots(snapshotOf(10).worktree)).toEqual([snapshotOf(10)])
  await store.close()
})

test('a torn store: what stands before the tear', async () => {
  const { home, file } = await makeStore()
  truncateSync(file, Math.floor((statSync(file).size * 0.7) / PAGE) * PAGE + 123)
  await isRefused(home)
  await salvageStore(home, 0)
  const saved = await readBack(home)
  expect(saved).toBeGreaterThan(TASKS / 3)
  expect(saved).toBeLessThan(TASKS)
})

test('an inner page of a table: its rows are found by their numbers', async () => {
  const { home, file } = await makeStore()
  const database = new DatabaseSync(file)
  const { rootpage } = database
    .prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'tasks'")
    .get() as { rootpage: number }
  database.close()
  // The root: from here no row can be reached any more.
  overwrite(file, (rootpage - 1) * PAGE, PAGE)
  await isRefused(home)
  const { notes } = await salvageStore(home, 0)
  expect(await readBack(home)).toBe(0)
  expect(notes.join('\n')).toMatch(/events: \d+ rows were read/)
})

test('rubbish, nothing, and no store at all: a new one', async () => {
  for (const size of [0, 10, 100_000, undefined]) {
    const home = scratchDirectory()
    const file = join(home, 'store.db')
    if (size !== undefined) {
      closeSync(openSync(file, 'w'))
      overwrite(file, 0, size)
    }
    const { keptIn } = await salvageStore(home, 0)
    expect(await readBack(home)).toBe(0)
    expect(keptIn === null).toBe(size === undefined || size === 0)
  }
})

test('what stands in the log alone is read too, and kept', async () => {
  const { home, file } = await makeStore()
  // Written, and not yet moved from the log into the store: by one that was killed.
  const program = `
    const store = new (require('node:sqlite').DatabaseSync)(process.argv[1])
    store.exec("PRAGMA wal_autocheckpoint = 0; UPDATE tasks SET name = 'in-the-log'")
    process.kill(process.pid, 'SIGKILL')
  `
  expect(() => execFileSync(process.execPath, ['-e', program, file])).toThrow()
  overwrite(file, 0, 100)
  const { keptIn } = await salvageStore(home, 0)
  expect(existsSync(join(keptIn ?? '', 'store.db-wal'))).toBe(true)
  const store = await openSqliteStore(home, systemClock)
  const names = new Set((await store.listTasks({})).map(({ request: { id } }) => id))
  expect(names.size).toBe(TASKS)
  await store.close()
  const database = new DatabaseSync(file)
  const { n } = database
    .prepare("SELECT count(*) AS n FROM tasks WHERE name = 'in-the-log'")
    .get() as { n: number }
  database.close()
  expect(n).toBe(TASKS)
})

test('a store from a newer version is not touched', async () => {
  const { home, file } = await makeStore()
  const database = new DatabaseSync(file)
  database.exec('PRAGMA user_version = 4711')
  database.close()
  await expect(salvageStore(home, 0)).rejects.toThrow(/newer Holdfast/)
  const again = new DatabaseSync(file)
  expect(again.prepare('PRAGMA user_version').get()).toEqual({ user_version: 4711 })
  again.close()
})

test('one that was interrupted before the change is finished, not begun again', async () => {
  const { home, file } = await makeStore()
  overwrite(file, 0, 100)
  await salvageStore(home, 0)
  // As a death right before the change leaves it: the new one ready, the old one's log gone.
  execFileSync('cp', [file, `${file}.salvaged`])
  overwrite(file, 0, PAGE * 4)
  const { notes } = await salvageStore(home, 1)
  expect(notes).toEqual(['what an interrupted repair had read took its place'])
  expect(await readBack(home)).toBe(TASKS)
  expect(readdirSync(home).filter(name => name.includes('salvage'))).toEqual([])
})
