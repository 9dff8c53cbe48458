/** Reads all of `/proc`. Linux only, as is `identity.ts`: another system replaces these two files. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { MARK_VARIABLE } from '../domain/environment.ts'
import { hasDied, isGone, type LocalIdentity, type ProcessStat, readStat } from './identity.ts'
import type { SeenProcess } from './members.ts'

/** Is shown a process that bears a mark as soon as it is seen: a moment later it may be gone. */
export type OnBearer = (bearer: LocalIdentity, mark: string) => void

/**
 * The live processes of this user that may be ended: not this process, not one that it descends
 * from, not pid 1; and none that started before `since` (in the unit of start times).
 */
export function scanProcesses(since: number, onBearer: OnBearer): readonly SeenProcess[] {
  const spared = findOwnLine()
  const seen: SeenProcess[] = []
  // The newest are looked at first, because they are the likeliest to be gone soon.
  for (const pid of listPids().sort((a, b) => b - a)) {
    const stat = spared.has(pid) ? undefined : findCandidate(pid, since)
    if (stat === undefined) continue
    const mark = readMark(pid) ?? null
    if (mark !== null) onBearer(stat, mark)
    seen.push({ ...stat, mark, directory: readDirectory(pid) })
  }
  return seen
}

/**
 * Makes a look for nothing but marks, on nothing but processes that have come since the last look:
 * so much faster than a scan that, repeated without pause, it meets those that live for a
 * millisecond.
 */
export function makeChase(since: number): (onBearer: OnBearer) => void {
  let settled = findOwnLine()
  return onBearer => {
    const still = new Set<number>()
    for (const pid of listPids()) {
      if (!settled.has(pid)) {
        const stat = findCandidate(pid, since)
        const mark = stat === undefined ? null : readMark(pid)
        // In the middle of an `exec` it shows no environment: it is looked at again.
        if (mark === undefined) continue
        if (stat !== undefined && mark !== null) onBearer(stat, mark)
      }
      still.add(pid)
    }
    // Only those of this look: a number that was missing once may have been given out anew.
    settled = still
  }
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

function listPids(): number[] {
  return readdirSync('/proc')
    .filter(name => /^[1-9][0-9]*$/.test(name))
    .map(Number)
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

function findCandidate(pid: number, since: number): ProcessStat | undefined {
  const stat = readStat(pid)
  if (stat === undefined || hasDied(stat) || stat.startTime < since) return undefined
  return isOurs(pid) ? stat : undefined
}

/** By the real or the effective user; the owner of `/proc/PID` is root for whoever hides its memory. */
function isOurs(pid: number): boolean {
  const status = readIfAllowed(() => readFileSync(`/proc/${pid}/status`, 'latin1')) ?? ''
  const match = /^Uid:\t(\d+)\t(\d+)\t/m.exec(status)
  return match?.slice(1).includes(String(process.geteuid?.())) ?? false
}

/** Null: it does not let us see. */
function readDirectory(pid: number): string | null {
  return readIfAllowed(() => readlinkSync(`/proc/${pid}/cwd`)) ?? null
}

const NEEDLE = Buffer.from(`${MARK_VARIABLE}=`)
/** Grows to the largest environment seen; most have some kilobytes. */
let environment = Buffer.alloc(64 * 1024)

/** Null: it bears none, or does not let us see. Undefined: it has no environment at all. */
function readMark(pid: number): string | null | undefined {
  const length = readIfAllowed(() => readEnvironment(pid))
  if (length === undefined) return null
  if (length === 0) return undefined
  const variables = environment.subarray(0, length)
  let at = variables.indexOf(NEEDLE)
  // Variables end with a zero byte; within one, the same text may be part of a value.
  while (at > 0 && variables[at - 1] !== 0) at = variables.indexOf(NEEDLE, at + 1)
  if (at < 0) return null
  const end = variables.indexOf(0, at)
  return variables.toString('utf8', at + NEEDLE.length, end < 0 ? length : end)
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
