/** The task directories on disk; `docs/reference/state-directory.md` says what lies where. */
import { existsSync } from 'node:fs'
import {
  chmod,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { type CrashPoint, reach } from '../domain/crash-points.ts'
import { asFence, parseTaskId, type TaskId } from '../domain/ids.ts'
import type { Attempt } from '../domain/task.ts'
import type { TaskDirectory, TaskFiles } from '../ports/task-files.ts'
import { makeCommandScripts } from './command-scripts.ts'
import { END_COPY, REQUEST_COPY } from './copies.ts'
import { makeLoneWorktrees } from './lone-worktrees.ts'
import { makeSetUpMarks } from './set-up-marks.ts'
import { storeError } from './store-error.ts'

const PROMPT = 'prompt'
const ENVIRONMENT = 'environment.json'
const OUTPUT_SCHEMA = 'output-schema.json'
const PATCH = 'result.patch'
const REPOSITORY = 'repository'
/** As `src/worktree/make/included.ts` names them. */
const INCLUDED = ['included', 'included.json']
const SCRATCH = 'scratch'
const SNAPSHOTS = 'snapshots'
const VERIFY = 'verify'
const AGENT_HOMES = 'agent-homes'
/** As `src/worktree/result/running-snapshot.ts` names them. */
const RUNNING_SNAPSHOT = /^snapshot-\d+-\d+\.bundle$|^snapshotting-\d+$/

const environmentFile = z.record(z.string(), z.string())

/** `home` is the state directory, absolute. */
export function makeTaskFiles(home: string): TaskFiles {
  const tasks = join(home, 'tasks')
  const directory = (task: string) => join(tasks, task)
  const runningSnapshot: TaskFiles['runningSnapshot'] = (task, { fence, number }) =>
    join(directory(task), `snapshot-${fence}-${number}.bundle`)
  const snapshotDirectory = (worktree: string, number: number) =>
    join(home, SNAPSHOTS, `${worktree}-${number}`)
  const cleanUpDirectory = (task: TaskId, number: number) =>
    join(directory(task), 'clean-up', String(number))
  const verifyDirectory: TaskFiles['verifyDirectory'] = (task, fence, run) =>
    join(directory(task), VERIFY, `${fence}.${run}`)
  return {
    directory,
    runDirectory: (task, fence) => join(directory(task), 'runs', String(fence)),
    scratchDirectory: task => join(directory(task), SCRATCH),
    agentHome: worktree => join(home, AGENT_HOMES, worktree),
    agentHomes: () => join(home, AGENT_HOMES),
    worktreePath: worktree => join(home, 'worktrees', worktree),
    worktreesDirectory: () => join(home, 'worktrees'),
    pool: () => join(home, 'pool'),
    trash: () => join(home, 'trash'),
    snapshots: () => join(home, SNAPSHOTS),
    async openSnapshotDirectory(worktree, number) {
      const path = snapshotDirectory(worktree, number)
      await mkdir(path, { recursive: true, mode: 0o700 })
      await syncDirectory(join(home, SNAPSHOTS))
      return path
    },
    async listSnapshotCopies() {
      const names = (await readdir(join(home, SNAPSHOTS)).catch(unlessMissing)) ?? []
      const { readSnapshotCopy } = await import('./read-copies.ts')
      const read = names.map(name => readSnapshotCopy(join(home, SNAPSHOTS, name), name))
      return (await Promise.all(read)).filter(copy => copy !== undefined)
    },
    async removeSnapshotDirectory(worktree, number) {
      await rm(snapshotDirectory(worktree, number), { recursive: true, force: true })
    },
    runningSnapshot,
    async removeRunningSnapshots(task, except) {
      const kept = except === null ? null : runningSnapshot(task, except)
      for (const name of (await readdir(directory(task)).catch(unlessMissing)) ?? []) {
        const path = join(directory(task), name)
        if (!RUNNING_SNAPSHOT.test(name) || path === kept) continue
        await rm(path, { recursive: true, force: true })
      }
    },
    create: (task, repository) =>
      explained(tasks, async () => {
        await mkdir(tasks, { recursive: true, mode: 0o700 })
        await mkdir(directory(task), { mode: 0o700 })
        reach('submission.directory-made')
        await writeFile(join(directory(task), REPOSITORY), repository, { mode: 0o600 })
        reach('submission.repository-written')
      }),
    writeRequest: (task, prompt, environment) =>
      explained(directory(task), async () => {
        await Promise.all([
          writeDurably(
            join(directory(task), PROMPT),
            prompt,
            'submission.prompt-written',
            'submission.prompt-synced',
          ),
          writeDurably(
            join(directory(task), ENVIRONMENT),
            JSON.stringify(environment),
            'submission.environment-written',
            'submission.environment-synced',
          ),
        ])
        await syncDirectory(directory(task))
        await syncDirectory(tasks)
        reach('submission.request-synced')
      }),
    async keepOutputSchema(task, schema) {
      const file = join(directory(task), OUTPUT_SCHEMA)
      await writeFile(file, schema, { mode: 0o600 })
      reach('launch.schema-kept')
      return file
    },
    readPrompt: task => readFile(join(directory(task), PROMPT)),
    async readEnvironment(task) {
      const text = await readFile(join(directory(task), ENVIRONMENT), 'utf8')
      return environmentFile.parse(JSON.parse(text))
    },
    async forgetSecrets(task) {
      await discard(join(directory(task), SCRATCH))
      // The environment last: while it is there, a later worker knows that there is more to forget.
      for (const name of [...INCLUDED, ENVIRONMENT]) {
        await unlink(join(directory(task), name)).catch(unlessMissing)
      }
    },
    readPatch: task => readFile(join(directory(task), PATCH)).catch(unlessMissing),
    ...makeSetUpMarks(home),
    ...makeLoneWorktrees(home),
    ...makeCommandScripts(directory),
    verifyDirectory,
    async listVerifyDirectories(task) {
      const names = (await readdir(join(directory(task), VERIFY)).catch(unlessMissing)) ?? []
      return names.flatMap(name => {
        const fence = /^([1-9]\d{0,8})\.[1-9]\d*$/.exec(name)?.[1]
        if (fence === undefined) return []
        return [{ fence: asFence(Number(fence)), directory: join(directory(task), VERIFY, name) }]
      })
    },
    async removeVerifyDirectory(task, fence, run) {
      await rm(verifyDirectory(task, fence, run), { recursive: true, force: true })
    },
    cleanUpDirectory,
    async removeCleanUpDirectory(task, number) {
      await rm(cleanUpDirectory(task, number), { recursive: true, force: true })
    },
    ensureWithin,
    async list() {
      const names = (await readdir(tasks).catch(unlessMissing)) ?? []
      const found: TaskDirectory[] = []
      for (const name of names) {
        const task = parseTaskId(name)
        if (task === undefined) continue
        const path = directory(task)
        const about = await stat(path).catch(unlessMissing)
        if (about === undefined) continue
        const text = await readFile(join(path, REPOSITORY), 'utf8').catch(unlessMissing)
        // Not the directory's own time, which is set anew by a reconcile that is killed half-way.
        const written = await stat(join(path, REPOSITORY)).catch(unlessMissing)
        const runs = await stat(join(path, 'runs')).catch(unlessMissing)
        const environment = await stat(join(path, ENVIRONMENT)).catch(unlessMissing)
        found.push({
          task,
          madeAt: (written ?? about).mtimeMs,
          repository: text ?? null,
          hasEnvironment: environment !== undefined,
          hasRuns: runs !== undefined,
          wasHandedIn: existsSync(join(path, REQUEST_COPY)),
          hasEnded: existsSync(join(path, END_COPY)),
        })
      }
      return found
    },
    isThere: task => existsSync(join(directory(task), ENVIRONMENT)),
    hasRuns: task => existsSync(join(directory(task), 'runs')),
    async readCopies(task) {
      const { readCopies } = await import('./read-copies.ts')
      return await readCopies(directory(task), task)
    },
    async listRuns(task) {
      const runs = join(directory(task), 'runs')
      const names = (await readdir(runs).catch(unlessMissing)) ?? []
      const fences = names.map(Number).filter(number => Number.isSafeInteger(number) && number > 0)
      const found: Attempt[] = []
      for (const fence of fences.sort((a, b) => a - b)) {
        const { birthtimeMs } = await stat(join(runs, String(fence)))
        const mode = fence === 1 ? 'fresh' : 'resume'
        found.push({ task, fence: asFence(fence), mode, startedAt: Math.round(birthtimeMs) })
      }
      return found
    },
    remove: task => rm(directory(task), { recursive: true, force: true }),
  }
}

/** A directory that cannot be written, or a full disk, is told as trouble with the store. */
async function explained(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (error) {
    throw storeError(error, path)
  }
}

async function ensureWithin(directory: string, below: string): Promise<string | undefined> {
  const path = join(directory, below)
  for (let at = directory; at !== path; ) {
    at = join(at, path.slice(at.length + 1).split('/', 1)[0] ?? '')
    const stats = await lstat(at).catch(unlessMissing)
    if (stats === undefined) break
    if (!stats.isDirectory()) return undefined
  }
  await mkdir(path, { recursive: true })
  return path
}

/** Removes what an agent made, directories that it closed too. What resists all the same stays. */
async function discard(path: string): Promise<void> {
  const remove = () => rm(path, { recursive: true, force: true })
  await remove()
    .catch(async () => {
      await openDirectories(path)
      await remove()
    })
    .catch(() => undefined)
}

async function openDirectories(path: string): Promise<void> {
  await chmod(path, 0o700)
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await openDirectories(join(path, entry.name))
  }
}

function unlessMissing(error: unknown): undefined {
  if ((error as { code?: string }).code !== 'ENOENT') throw error
  return undefined
}

async function writeDurably(
  path: string,
  content: string | Uint8Array,
  written: CrashPoint,
  synced: CrashPoint,
): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(content)
    reach(written)
    await file.sync()
    reach(synced)
  } finally {
    await file.close()
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
