/** What the kernel says that a process costs. Linux only. */
import { readFileSync } from 'node:fs'

/** Linux counts CPU time for user space in hundredths of a second, whatever its own clock is. */
const TICKS_PER_SECOND = 100

/** Its own memory and its share of what it shares with others, in bytes. */
export const readPss = (pid: number) => readKilobytes(pid, 'Pss') * 1024
/** All memory that it has mapped and that is present, in bytes. */
export const readRss = (pid: number) => readKilobytes(pid, 'Rss') * 1024

function readKilobytes(pid: number, name: string): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)
  if (match === null) throw new Error(`no ${name} of process ${pid}`)
  return Number(match[1])
}

/** CPU time so far, of all its threads, in seconds. */
export function readCpuTime(pid: number): { readonly user: number; readonly system: number } {
  const line = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name may hold anything: count from its end. utime and stime are fields 14 and 15.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const [user, system] = [fields[11], fields[12]].map(ticks => Number(ticks) / TICKS_PER_SECOND)
  if (user === undefined || system === undefined) throw new Error(`no CPU time of process ${pid}`)
  return { user, system }
}
