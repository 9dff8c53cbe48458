/** What must hold once all has ended: in words, what does not. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { eventually } from '../eventually.ts'
import { type Rows, readRows } from '../faults/rows.ts'
import { type Place, readIfThere } from './place.ts'
import type { Tally } from './tally.ts'

const ENDED = ['succeeded', 'failed', 'cancelled']
/** Without its worktree, its own record, or anything that git could say, nothing can be collected. */
const UNCOLLECTED = ['worktree_lost', 'repository_lost', 'worktree_failed', 'collect_failed']

/** What the tally calls commands that were killed before they had handed in. */
const KILLED_COMMANDS = 'kill: a command that hands in'

/**
 * Directories that a command had begun when it was killed. It might have been asleep, so they are
 * cleared away only after 15 minutes.
 */
function begunOnly({ home }: Place, known: ReadonlySet<string>): string[] {
  return readdirSync(join(home, 'tasks')).filter(
    name => !known.has(name) && !existsSync(join(home, 'tasks', name, 'runs')),
  )
}

/** `handedIn`: whose ids were told, which are all that there may be. */
export function complaintsAbout(place: Place, handedIn: readonly string[], tally: Tally): string[] {
  const rows = readRows(place.home)
  if (rows === undefined) return ['there is no store']
  const known = new Set(rows.tasks.map(({ id }) => id))
  const lost = handedIn.filter(id => !known.has(id))
  tally.count('tasks lost', lost.length)
  const found = lost.map(id => `the task ${id} is lost`)
  if (rows.tasks.length !== new Set(handedIn).size) {
    found.push(`${new Set(handedIn).size} tasks were handed in, and ${rows.tasks.length} are there`)
  }
  for (const row of rows.tasks) {
    tally.count(`ended: ${row.state}`)
    found.push(...endedWrong(place, row, rows, tally).map(text => `${row.id}: ${text}`))
  }
  for (const { worktree, task } of rows.leases) found.push(`${worktree} is leased to ${task}`)
  const begun = begunOnly(place, known)
  tally.count('left by a killed command, for 15 minutes', begun.length)
  if (begun.length > tally.of(KILLED_COMMANDS)) {
    found.push(`${begun.join(', ')} is of no task, and of no command that was killed`)
  }
  const ids = new Set([...known, ...begun])
  return [
    ...found,
    ...inStore(place),
    ...onDisk(place, rows, ids),
    ...inRepository(place, rows, ids),
  ]
}

/** Somebody is told of every end: at least once, for whoever is killed in between sends it again. */
function toldWrong(place: Place, owed: Rows['deliveries'], tally: Tally): string[] {
  const sent = owed.filter(({ channel }) => channel === 'file')
  const heard = (readIfThere(place.told) ?? '').split('\n')
  const times = sent.map(({ id }) => heard.filter(line => line.includes(`"${id}"`)).length)
  tally.count('notices: undelivered', times.filter(count => count === 0).length)
  tally.count('notices: delivered once', times.filter(count => count === 1).length)
  tally.count('notices: delivered twice or more', times.filter(count => count > 1).length)
  if (sent.length !== 1) return [`its end is owed to ${sent.length} files`]
  if (sent[0]?.state !== 'sent') return [`the notice of its end is ${sent[0]?.state}`]
  return times[0] === 0 ? ['nobody was told of its end'] : []
}

function endedWrong(
  place: Place,
  { id, state, state_json }: Rows['tasks'][number],
  { events, attempts, deliveries }: Rows,
  tally: Tally,
): string[] {
  const found: string[] = []
  if (!ENDED.includes(state)) return [`it is ${state}: ${state_json}`]
  const { failure, result } = JSON.parse(state_json)
  if (state === 'succeeded' && result == null) found.push('it succeeded, and has no result')
  if (state === 'failed') {
    if (typeof failure?.code !== 'string') found.push('it failed, and nobody knows by what')
    else tally.count(`failure: ${failure.code}`)
    if (failure?.code === 'internal_error') found.push(`it failed by a bug: ${failure.message}`)
  }
  const log = events.filter(({ task }) => task === id)
  if (log.some(({ seq }, n) => seq !== n + 1)) found.push('the log has gaps')
  const ends = log.filter(
    ({ kind, text }) => kind === 'task_changed' && ENDED.includes((text ?? '').split(' ')[0] ?? ''),
  )
  if (ends.length !== 1) found.push(`it ended ${ends.length} times`)
  const owed = deliveries.filter(({ task, event }) => task === id && ENDED.includes(event))
  const told = owed.filter(({ channel }) => channel === 'inbox')
  if (told.length === 0) tally.count('deliveries: missing')
  if (told.length > 1) tally.count('deliveries: owed twice')
  if (told.length !== 1 || told[0]?.event !== state) {
    found.push(`of its end ${told.map(({ event }) => event).join(', ') || 'nothing'} is owed`)
  }
  tally.count('deliveries: owed once', told.length === 1 ? 1 : 0)
  found.push(...toldWrong(place, owed, tally))
  const tries = attempts.filter(({ task }) => task === id)
  tally.count('tries', tries.length)
  if (tries.some(({ ended_at }) => ended_at === null)) found.push('a try has no end')
  if (tries.some(({ fence }, n) => fence !== n + 1)) found.push('tries are missing')
  return [...found, ...workLost(place, id, failure?.code, tally)]
}

/** What its program says that it has done must be in the patch. */
function workLost(place: Place, id: string, failure: string | undefined, tally: Tally): string[] {
  if (!existsSync(join(place.did, id)) || UNCOLLECTED.includes(failure ?? '')) return []
  tally.count('work: looked for')
  const patch = readIfThere(join(place.home, 'tasks', id, 'result.patch')) ?? ''
  if (patch.includes(`made by ${id}`)) return []
  tally.count('work: lost')
  return ['its work is not in its patch']
}

function inStore({ home }: Place): string[] {
  const database = new DatabaseSync(join(home, 'store.db'), { readOnly: true, timeout: 60_000 })
  try {
    const check = (pragma: string) => database.prepare(`PRAGMA ${pragma}`).all()
    const integrity = JSON.stringify(check('integrity_check'))
    const found = integrity.includes('"ok"') ? [] : [`integrity_check: ${integrity}`]
    const foreign = check('foreign_key_check')
    return foreign.length === 0 ? found : [...found, `${foreign.length} rows refer to nothing`]
  } finally {
    database.close()
  }
}

function onDisk({ home }: Place, { worktrees, tasks }: Rows, ids: ReadonlySet<string>): string[] {
  const found: string[] = []
  const paths = worktrees.map(({ path }) => path)
  for (const name of readdirSync(join(home, 'worktrees'))) {
    if (!paths.includes(join(home, 'worktrees', name))) found.push(`worktrees/${name} is of no row`)
  }
  const ended = new Set(tasks.map(({ id }) => id))
  for (const name of readdirSync(join(home, 'tasks'))) {
    if (!ids.has(name)) found.push(`tasks/${name} is of no task`)
    if (ended.has(name) && existsSync(join(home, 'tasks', name, 'environment.json'))) {
      found.push(`tasks/${name} still has its environment`)
    }
  }
  return found
}

function inRepository(place: Place, { worktrees }: Rows, ids: ReadonlySet<string>): string[] {
  const found: string[] = place.isAsBefore ? [] : ['the checkout of the caller has changed']
  const known = new Set(worktrees.map(({ id }) => id))
  for (const ref of place.git('for-each-ref', '--format=%(refname)', 'refs/holdfast').split('\n')) {
    const owner = ref.split('/')[2] ?? ''
    if (ref !== '' && !ids.has(owner) && !known.has(owner)) found.push(`${ref} is of no task`)
  }
  const paths = worktrees.map(({ path }) => path)
  const listed = place.git('worktree', 'list', '--porcelain').matchAll(/^worktree (.*)$/gm)
  for (const [, path = ''] of listed) {
    if (path !== place.repo && !paths.includes(path))
      found.push(`${path} is registered, and of no row`)
  }
  return found
}

/** One that stays, which a program has deleted: nothing is to be mended. */
const DELETED = /common-\w+ was deleted; the next task there makes it anew$/

/** Of `doctor`: what is an error, and what is a warning that is not about an agent that is missing. */
export async function doctorsComplaints(place: Place): Promise<string[]> {
  const { stdout, stderr } = await place.run(['doctor', '--json'])
  try {
    const { findings } = JSON.parse(stdout) as {
      findings: readonly { check: string; status: string; message: string }[]
    }
    return findings
      .filter(({ check, status }) => status !== 'ok' && !check.startsWith('agent '))
      .filter(({ message }) => !DELETED.test(message))
      .map(({ check, status, message }) => `doctor: ${status}: ${check}: ${message}`)
  } catch {
    return [`doctor: ${stdout} ${stderr}`]
  }
}

/** What must hold once the worker has left too; its watchdog leaves a moment later. */
export async function leftBehind(place: Place): Promise<string[]> {
  await eventually('nothing runs', () => place.processes().length === 0).catch(() => undefined)
  const log = readIfThere(join(place.home, 'worker.log')) ?? ''
  const bugs = log
    .split('\n')
    .filter(line => /unexpected|failing |TypeError|not reconciled/.test(line))
  return [
    ...place.processes().map(line => `it lives on: ${line.slice(0, 200)}`),
    ...bugs.map(line => `worker.log: ${line}`),
  ]
}
