/** What must hold once a case is over: in words, what does not. */
import { type Dirent, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Rows, readRows } from './rows.ts'
import { readIfThere, type Stage } from './stage.ts'

/** How a task is to end; `nothing`: it was never announced, and nothing of it may be left. */
export type Expected =
  | 'nothing'
  | {
      readonly state: 'succeeded' | 'failed' | 'cancelled'
      /** Of a failed one: any of these. */
      readonly code?: readonly string[]
      /** The bytes of its patch, as an undisturbed run makes them; null: there is none. */
      readonly patch: string | null
      /** Of each task. */
      readonly worktrees: 0 | 1 | 2
      /** Tasks that the story itself has ended, beside those; each has a worktree. */
      readonly besides?: number
      /** Tasks before it, in its worktree. */
      readonly before?: number
      /** The files of the checkout were written, and then written back. */
      readonly isRestored?: boolean
    }

const ENDED = ['succeeded', 'failed', 'cancelled']

/** All that can be seen while a worker may still be up. */
export function complaints(stage: Stage, tasks: readonly string[], expected: Expected): string[] {
  const rows = readRows(stage.home)
  if (expected === 'nothing') return inTurn(leftOfNothing(stage, rows), () => atHome(stage, rows))
  if (rows === undefined) return ['there is no store']
  const found: string[] = []
  for (const id of tasks) {
    const row = rows.tasks.find(task => task.id === id)
    if (row === undefined) found.push(`the task ${id} is lost`)
    else found.push(...endedWrong(stage, row, rows, expected))
  }
  const { besides = 0, before = 0 } = expected
  if (rows.tasks.length !== tasks.length + besides + before)
    found.push(`${rows.tasks.length} tasks are there`)
  if (rows.worktrees.length !== tasks.length * expected.worktrees + besides) {
    found.push(`${rows.worktrees.length} worktrees are known`)
  }
  return inTurn(found, () => atHome(stage, rows, expected.isRestored))
}

/** Git is asked only once all else is in order: this is called again and again until it is. */
const inTurn = (found: string[], next: () => string[]) => (found.length > 0 ? found : next())

/** The bytes of the expected patch's lines that are missing. */
export function lostBytes(patch: string | null, expected: Expected): number {
  if (expected === 'nothing' || expected.patch === null) return 0
  const found = new Set((patch ?? '').split('\n'))
  const missing = expected.patch.split('\n').filter(line => !found.has(line))
  return missing.reduce((bytes, line) => bytes + Buffer.byteLength(line), 0)
}

function endedWrong(
  stage: Stage,
  row: Rows['tasks'][number],
  { events, attempts, deliveries, leases }: Rows,
  expected: Exclude<Expected, 'nothing'>,
): string[] {
  const found: string[] = []
  if (row.state !== expected.state) found.push(`it is ${row.state}: ${row.state_json}`)
  const { failure } = JSON.parse(row.state_json)
  const codes: readonly string[] = expected.code ?? []
  if (failure !== undefined && !codes.includes(failure.code)) {
    found.push(`it failed by ${failure?.code}: ${failure?.message}`)
  }
  const log = events.filter(({ task }) => task === row.id)
  if (log.some(({ seq }, n) => seq !== n + 1)) found.push('the log has gaps')
  const ends = log.filter(
    ({ kind, text }) => kind === 'task_changed' && ENDED.includes((text ?? '').split(' ')[0] ?? ''),
  )
  if (ends.length !== 1) found.push(`it ended ${ends.length} times`)
  // What its agent asks is owed too.
  const told = deliveries.filter(
    ({ task, event, channel }) => task === row.id && event !== 'needs_input' && channel === 'inbox',
  )
  if (told.length !== 1) found.push(`${told.length} deliveries are owed`)
  const tries = attempts.filter(({ task }) => task === row.id)
  for (const { fence, ended_at } of tries) {
    if (ended_at === null) found.push(`try ${fence} has no end`)
    const said = log.filter(one => one.fence === fence && one.kind === 'attempt_ended').length
    if (said > 1) found.push(`the log says ${said} times that try ${fence} ended`)
  }
  if (tries.some(({ fence }, n) => fence !== n + 1)) found.push('tries are missing')
  const patch = readIfThere(join(stage.taskDirectory(row.id), 'result.patch')) ?? null
  if (patch !== expected.patch) {
    found.push(`work lost: ${lostBytes(patch, expected)} bytes; the patch is\n${patch}`)
  }
  for (const lease of leases) found.push(`${lease.worktree} is still leased to ${lease.task}`)
  return found
}

/** Nothing may be left of a submission that nobody was told of. */
function leftOfNothing(stage: Stage, rows: Rows | undefined): string[] {
  const found = (rows?.tasks ?? []).map(({ id, state }) => `a task ${id} is there, ${state}`)
  const tasks = join(stage.home, 'tasks')
  for (const name of existsSync(tasks) ? readdirSync(tasks) : [])
    found.push(`tasks/${name} is left`)
  return found
}

/** What holds however it ended: disk, git and store tell the same, and nothing is half made. */
function atHome(stage: Stage, rows: Rows | undefined, isRestored = false): string[] {
  return inTurn(onDisk(stage, rows), () => inRepository(stage, rows, isRestored))
}

function onDisk(stage: Stage, rows: Rows | undefined): string[] {
  const found = [...strayIn(stage.home, stage.home), ...strayInGit(stage)]
  const paths = (rows?.worktrees ?? []).map(({ path }) => path)
  const trees = join(stage.home, 'worktrees')
  for (const name of existsSync(trees) ? readdirSync(trees) : []) {
    if (!paths.includes(join(trees, name))) found.push(`worktrees/${name} is of no row`)
  }
  for (const { path, record_json } of rows?.worktrees ?? []) {
    if (record_json === null && existsSync(path)) found.push(`${path} is half made`)
  }
  for (const { id, snapshot_json } of rows?.tasks ?? []) {
    const kept = readdirSync(stage.taskDirectory(id)).filter(name => name.startsWith('snapshot-'))
    const wanted = snapshot_json === null ? 0 : 1
    if (kept.length !== wanted) found.push(`tasks/${id} has ${kept.join(', ') || 'no snapshot'}`)
  }
  const met = readIfThere(join(stage.keeper, 'met'))
  if (met !== undefined) found.push(`two agents at once: ${met}`)
  return found
}

function inRepository(stage: Stage, rows: Rows | undefined, isRestored: boolean): string[] {
  // What is kept of a worktree that no task asked for bears its own name.
  const ids = [...(rows?.tasks ?? []), ...(rows?.worktrees ?? [])].map(({ id }) => id)
  const found: string[] = []
  const isAsBefore = isRestored
    ? stage.fingerprint(false) === stage.contentBefore
    : stage.fingerprint() === stage.before
  if (!isAsBefore) found.push('the source checkout has changed')
  const submodule = join(stage.repo, 'lib')
  const repositories = existsSync(submodule) ? [stage.repo, submodule] : [stage.repo]
  const refs = repositories.map(path =>
    stage.ground.git(path, 'for-each-ref', '--format=%(refname)', 'refs/holdfast'),
  )
  for (const line of refs.join('').split('\n')) {
    if (line !== '' && !ids.includes(line.split('/')[2] ?? ''))
      found.push(`${line} is of no task and no worktree`)
  }
  const paths = (rows?.worktrees ?? []).map(({ path }) => path)
  for (const [, path] of stage
    .git('worktree', 'list', '--porcelain')
    .matchAll(/^worktree (.*)$/gm)) {
    if (path !== stage.repo && !paths.includes(path ?? ''))
      found.push(`${path} is registered, and of no row`)
  }
  return found
}

const STRAY =
  /\.new$|^offer\.json|\.discarded|^\.result|^index-|^diff-|\.reached$|^environment\.json$|^included|^collecting$|^snapshotting|\.kept$/

/** Files that only somebody who is in the middle of something has. */
function strayIn(directory: string, home: string): string[] {
  return entriesOf(directory).flatMap(entry => {
    const { name } = entry
    const path = join(directory, name)
    if (
      path === join(home, 'cache') ||
      path === join(home, 'locks') ||
      path === join(home, 'worktrees') ||
      // What can be brought back stays.
      path === join(home, 'snapshots')
    )
      return []
    if (path === join(home, 'trash') && entriesOf(path).length > 0)
      return ['the trash is not empty']
    if (STRAY.test(name)) return [`${path.slice(home.length + 1)} is left`]
    return entry.isDirectory() ? strayIn(path, home) : []
  })
}

/** A worker that is still up may be taking it away. */
function entriesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

const GIT_OWN = new Set(
  'COMMIT_EDITMSG HEAD config description hooks index info logs modules objects refs worktrees branches packed-refs'.split(
    ' ',
  ),
)

/**
 * A git that is killed, or whose reader is, leaves the pack that it was writing (`tmp_pack_*`) among
 * the objects. Nobody else can tell whose it is; git's own `gc` removes it.
 */
function strayInGit({ repo }: Stage): string[] {
  const gitDir = join(repo, '.git')
  const found = readdirSync(gitDir).filter(name => !GIT_OWN.has(name))
  const packs = readdirSync(join(gitDir, 'objects', 'pack')).filter(
    name => !/^pack-[0-9a-f]+\.(?:pack|idx|rev)$|^tmp_pack_/.test(name),
  )
  const locks = readdirSync(join(gitDir, 'refs'), { recursive: true, encoding: 'utf8' }).filter(
    name => name.endsWith('.lock'),
  )
  return [...found, ...packs, ...locks].map(name => `.git: ${name} is left`)
}

/** What must hold once the worker has left too. */
export function processesLeft(stage: Stage): string[] {
  const log = join(stage.home, 'worker.log')
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : []
  const bugs = lines.filter(line => /unexpected|failing|TypeError|not reconciled/.test(line))
  return [
    ...stage.processes().map(line => `it lives on: ${line}`),
    ...bugs.map(line => `worker.log: ${line}`),
  ]
}
