/** Reads all of `/proc`. Linux only, as is `identity.ts`: another system replaces these two files. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { MARK_VARIABLE } from '../domain/environment.ts'
import { hasDied, isGone, type ProcessStat, readStat } from './identity.ts'
import type { SeenProcess } from './members.ts'

/**
 * The live processes of this user that may be ended: not this process, not one that it descends
 * from, not pid 1; and none that started before `since` (in the unit of start times). Newest
 * first, and each is shown to `onSight` at once, because those that fork and vanish live for
 * less time than a scan takes.
 */
export function scanProcesses(
  since: number,
  onSight: (seen: SeenProcess) => void,
): readonly SeenProcess[] {
  const spared = findOwnLine()
  const seen: SeenProcess[] = []
  const pids = readdirSync('/proc').filter(name => /^[1-9][0-9]*$/.test(name))
  for (const pid of pids.map(Number).sort((a, b) => b - a)) {
    if (spared.has(pid)) continue
    const stat = readStat(pid)
    if (stat === undefined || hasDied(stat) || stat.startTime < since) continue
    const process = isOurs(pid) ? look(stat) : undefined
    if (process === undefined) continue
    seen.push(process)
    onSight(process)
  }
  return seen
}

/** Enough to tell a program and what it works on. */
const COMMAND_LENGTH = 200

/** What a process was started as, on one line; its short name in brackets if it does not say. */
export function readCommand(stat: ProcessStat): string {
  const line = readIfAllowed(() => readFileSync(`/proc/${stat.pid}/cmdline`, 'utf8')) ?? ''
  const words = line.replaceAll('\0', ' ').replace(/\s+/g, ' ').trim()
  if (words === '') return `[${stat.name}]`
  return words.length > COMMAND_LENGTH ? `${words.slice(0, COMMAND_LENGTH)}…` : words
}

function look(stat: ProcessStat): SeenProcess {
  return {
    ...stat,
    mark: readMark(stat.pid),
    directory: readIfAllowed(() => readlinkSync(`/proc/${stat.pid}/cwd`)) ?? null,
  }
}

/** Pid 1, this process, and all that it descends from. */
function findOwnLine(): ReadonlySet<number> {
  const line = new Set([1])
  // A parent of 0 is outside of our PID namespace.
  for (let pid = process.pid; pid > 0 && !line.has(pid); pid = readStat(pid)?.parent ?? 0) {
    line.add(pid)
  }
  return line
}

/** By the real or the effective user; the owner of `/proc/PID` is root for whoever hides its memory. */
function isOurs(pid: number): boolean {
  const status = readIfAllowed(() => readFileSync(`/proc/${pid}/status`, 'latin1')) ?? ''
  const match = /^Uid:\t(\d+)\t(\d+)\t/m.exec(status)
  return match?.slice(1).includes(String(process.geteuid?.())) ?? false
}

const NEEDLE = Buffer.from(`${MARK_VARIABLE}=`)
/** Grows to the largest environment seen (2 MiB is the kernel's usual limit). */
let environment = Buffer.alloc(64 * 1024)

function readMark(pid: number): string | null {
  const length = readIfAllowed(() => readEnvironment(pid)) ?? 0
  for (let at = 0; at < length; ) {
    const found = environment.subarray(0, length).indexOf(NEEDLE, at)
    if (found < 0) return null
    at = found + NEEDLE.length
    // Variables end with a zero byte; within one, the same text may be part of a value.
    if (found > 0 && environment[found - 1] !== 0) continue
    const end = environment.subarray(0, length).indexOf(0, at)
    return environment.toString('utf8', at, end < 0 ? length : end)
  }
  return null
}

/** Fills `environment`, and returns how many bytes of it. */
function readEnvironment(pid: number): number {
  const file = openSync(`/proc/${pid}/environ`, 'r')
  try {
    let length = 0
    for (;;) {
      const count = readSync(file, environment, length, environment.length - length, null)
      length += count
      if (count === 0) return length
      if (length === environment.length) {
        environment = Buffer.concat([environment, Buffer.alloc(environment.length)])
      }
    }
  } finally {
    closeSync(file)
  }
}

/** Undefined where the process is gone, or is not ours to look into. */
function readIfAllowed<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (isGone(error) || code === 'EACCES' || code === 'EPERM') return undefined
    throw error
  }
}
