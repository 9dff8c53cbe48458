/** Processes by where they stand, as an outside tool would find them. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** The processes that stand in a directory or below it; none where there is no `/proc`. */
export function standingIn(directory: string): readonly number[] {
  if (!existsSync('/proc/self/cwd')) return []
  const pids = readdirSync('/proc').filter(entry => /^\d+$/.test(entry))
  return pids.map(Number).filter(pid => {
    try {
      // Of a directory that is gone, the name goes on: "… (deleted)".
      const place = readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, '')
      return `${place}/`.startsWith(`${directory}/`)
    } catch {
      return false // It is gone, or a zombie, or not ours.
    }
  })
}

/** The same without the gits of a worker, which looks at a worktree when it likes. */
export function othersIn(directory: string): readonly number[] {
  return standingIn(directory).filter(pid => {
    try {
      return !readFileSync(`/proc/${pid}/environ`, 'latin1').includes('HOLDFAST_GIT=')
    } catch {
      return false // It is gone.
    }
  })
}

/** Kills everything that stands there with SIGKILL; how many these were. */
export function killAllIn(directory: string): number {
  let killed = 0
  for (const pid of standingIn(directory)) {
    try {
      process.kill(pid, 'SIGKILL')
      killed++
    } catch {
      // It went by itself.
    }
  }
  return killed
}
