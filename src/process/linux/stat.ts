/** One look at one process: the line `/proc/PID/stat` (man 5 proc_pid_stat). */
import { closeSync, openSync, readSync } from 'node:fs'
import type { ProcessEntry } from '../../ports/process-table.ts'
import { isGone } from '../is-gone.ts'

/** Start times are clock ticks since boot. */
export interface ProcessStat extends ProcessEntry {
  /** One letter; `Z` and `X` are dead ones that nobody has collected yet. */
  readonly state: string
  /** Clock ticks of CPU time, also of its children that are gone. */
  readonly ticks: number
}

/** A stopped one lives; one that awaits its parent does not. */
export function hasDied(stat: ProcessStat): boolean {
  return stat.state === 'Z' || stat.state === 'X'
}

/** One read is enough for any line of `stat`, and no other buffer need be made for each look. */
const buffer = Buffer.alloc(4096)

/** Undefined: there is no such process. Other errors (no file descriptor left) are thrown. */
export function readStat(pid: number): ProcessStat | undefined {
  let file: number | undefined
  try {
    file = openSync(`/proc/${pid}/stat`, 'r')
    return parseStat(buffer.toString('latin1', 0, readSync(file, buffer)))
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/**
 * Undefined for what is no line of `/proc/PID/stat`. The name of the program stands in parentheses
 * and may hold anything: what follows is counted from the last one.
 */
export function parseStat(line: string): ProcessStat | undefined {
  const open = line.indexOf('(')
  const close = line.lastIndexOf(')')
  // Counted from the state, which is field 3 of the manual page; the start time is field 22.
  const fields = line.slice(close + 2).split(' ', 20)
  if (open < 0 || close < open || fields.length < 20) return undefined
  return {
    pid: Number.parseInt(line, 10),
    name: line.slice(open + 1, close),
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    terminal: fields[4] !== '0',
    startTime: Number(fields[19]),
    ticks: Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]),
  }
}
