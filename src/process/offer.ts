/**
 * How an attempt comes to run at a terminal: the launcher offers it, in its run directory, and whoever
 * sits there takes it, writes itself down and starts it (`docs/reference/run-directory.md`).
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { Offer } from '../ports/process-host.ts'
import type { ProcessTable } from '../ports/process-table.ts'
import { judgePlace } from './identity.ts'
import { isGone } from './is-gone.ts'
import { loadLaunch, writeNew } from './run-directory.ts'

const offerRecord = z.object({
  argv: z.tuple([z.string()], z.string()),
  environment: z.record(z.string(), z.string()),
})

export async function writeOffer(runDirectory: string, offer: Offer): Promise<void> {
  await writeNew(runDirectory, 'offer.json.new', JSON.stringify(offer))
  await rename(join(runDirectory, 'offer.json.new'), join(runDirectory, 'offer.json'))
}

/** Whether somebody took it. */
export const isTaken = (runDirectory: string) => existsSync(join(runDirectory, 'opener'))

/** Where its terminal or its opener is gone, a program may end as if it were told to. */
export function noteEnd(runDirectory: string, how: 'saw_end' | 'hung_up'): void {
  const path = join(runDirectory, 'saw-end')
  writeFileSync(`${path}.new`, `${how}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** What its opener noted; null: nothing (yet). */
export function loadEnd(runDirectory: string): 'saw_end' | 'hung_up' | null {
  try {
    const noted = readFileSync(join(runDirectory, 'saw-end'), 'utf8').trim()
    return noted === 'hung_up' ? 'hung_up' : 'saw_end'
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

/** See `ProcessHost.takeOffer`. */
export async function takeOffer(
  runDirectory: string,
  processes: ProcessTable,
): Promise<Offer | undefined> {
  const path = join(runDirectory, 'offer.json')
  if (!existsSync(path)) return undefined
  const launched = loadLaunch(runDirectory)
  const isSeen =
    launched.kind === 'loaded' && judgePlace(launched.record, processes.place()) === 'here'
  if (!isSeen) {
    throw new AppError('refused_in_state', 'the worker runs where it cannot see this terminal', {
      hint: 'in another container, or on another machine: open it there',
    })
  }
  const { pid, startTime } = processes.self()
  const taken = `${path}.${pid}`
  try {
    // One of several gets it.
    renameSync(path, taken)
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
  reach('open.taken')
  const offer = offerRecord.parse(JSON.parse(readFileSync(taken, 'utf8')))
  rmSync(taken)
  writeFileSync(join(runDirectory, 'opener'), `${pid} ${startTime}\n`, { mode: 0o600 })
  reach('open.recorded')
  return offer
}
