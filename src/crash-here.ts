/**
 * For tests: lets this process die, or stand still, at a crash point. It can end and pause nothing
 * but itself, and is loaded only where `HOLDFAST_CRASH_POINTS` names a directory. A file there that
 * bears the name of a point arms it, once for all processes together: whoever reaches it first
 * renames the file to `<point>.reached`, and writes its pid to `<point>.pid`. What the file says
 * decides: `kill`, and the process kills itself with SIGKILL; `stand`, and it stands still until
 * there is `<point>.go`.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onReach } from './domain/crash-points.ts'

const LOOK_MS = 5
/** A test that has died tells nobody to go on. */
const STAND_LIMIT_MS = 120_000

export function crashHere(directory: string): void {
  onReach(point => {
    const armed = join(directory, point)
    const order = takeOrder(armed)
    if (order === undefined) return
    // Whoever finds the file finds the pid in it.
    writeFileSync(`${armed}.new`, `${process.pid}\n`)
    renameSync(`${armed}.new`, `${armed}.pid`)
    if (order === 'kill') process.kill(process.pid, 'SIGKILL')
    standStill(armed)
  })
}

function takeOrder(armed: string): string | undefined {
  try {
    renameSync(armed, `${armed}.reached`)
  } catch {
    // Not armed, or another process was quicker.
    return undefined
  }
  return readFileSync(`${armed}.reached`, 'utf8').trim()
}

/** The whole process: nothing else of it goes on meanwhile. */
function standStill(armed: string): void {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  const deadline = performance.now() + STAND_LIMIT_MS
  while (!existsSync(`${armed}.go`) && performance.now() < deadline) {
    Atomics.wait(cell, 0, 0, LOOK_MS)
  }
}
