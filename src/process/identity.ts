/**
 * Who a process is: machine, boot, PID namespace, pid and start time, never a name; and whether it
 * still lives. Linux only, as is `scan.ts`: another system replaces these two files.
 */
import { closeSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { AppError } from '../domain/errors.ts'
import type { Liveness } from '../domain/recovery.ts'
import type { ProcessIdentity } from '../ports/process-host.ts'

/** What a pid and a start time are relative to. */
export type Place = Pick<ProcessIdentity, 'machine' | 'boot' | 'pidNamespace'>

/** A pid with its start time: unique within one boot of one PID namespace. */
export type LocalIdentity = Pick<ProcessIdentity, 'pid' | 'startTime'>

/** What `/proc/PID/stat` says of a process (man 5 proc_pid_stat). Ids of 0 are outside our namespace. */
export interface ProcessStat extends LocalIdentity {
  readonly name: string
  /** One letter; `Z` and `X` are dead ones that nobody has collected yet. */
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly session: number
  /** Whether it has a controlling terminal. */
  readonly terminal: boolean
}

/**
 * A shell function that prints the identity of the shell that runs it, as `PID START`: the form of
 * the files `wrapper` and `pid`. Builtins only, so that no other process is mistaken for the shell.
 * The name of the program stands in parentheses and may hold anything: count from the last one.
 */
export const SHELL_IDENTIFY = `identify() {
  read -r HOLDFAST_STAT </proc/self/stat
  set -- \${HOLDFAST_STAT##*\\) }
  unset HOLDFAST_STAT
  echo "$$ \${20}"
}`

/** Refuses with `unsupported_platform` where there is no `/proc` to read. */
export function requireLinux(platform: NodeJS.Platform): void {
  if (platform === 'linux') return
  throw new AppError('unsupported_platform', `holdfast cannot run agents on ${platform} yet`, {
    hint: platform === 'win32' ? 'run it inside WSL2' : 'run it on Linux',
  })
}

let place: Place | undefined

/** Where this process runs. What cannot be read is an empty string, and equal only to itself. */
export function thisPlace(): Place {
  place ??= {
    machine: readTrimmed('/etc/machine-id') || readTrimmed('/var/lib/dbus/machine-id'),
    boot: readTrimmed('/proc/sys/kernel/random/boot_id'),
    pidNamespace: readPidNamespace(),
  }
  return place
}

/**
 * What can be known of a process of `there` without looking for it: `dead` after a reboot,
 * `unknown` on another machine or in another PID namespace; `here` means that one has to look.
 */
export function judgePlace(there: Place): 'here' | 'dead' | 'unknown' {
  const here = thisPlace()
  if (there.machine !== here.machine) return 'unknown'
  // Before the namespace: their numbers are given out anew at each boot.
  if (there.boot !== here.boot) return 'dead'
  return there.pidNamespace === here.pidNamespace ? 'here' : 'unknown'
}

export function livenessOf(identity: ProcessIdentity): Liveness {
  const judged = judgePlace(identity)
  if (judged !== 'here') return judged
  return isAlive(identity) ? 'alive' : 'dead'
}

/** Whether a process of this place lives. A stopped one does; one that awaits its parent does not. */
export function isAlive(identity: LocalIdentity): boolean {
  const stat = readStat(identity.pid)
  return stat !== undefined && stat.startTime === identity.startTime && !hasDied(stat)
}

export function hasDied(stat: ProcessStat): boolean {
  return stat.state === 'Z' || stat.state === 'X'
}

export function selfIdentity(): ProcessIdentity {
  const stat = readStat(process.pid)
  if (stat === undefined) throw new Error('/proc does not show this process')
  return { ...thisPlace(), pid: stat.pid, startTime: stat.startTime }
}

/** The form of the files `wrapper` and `pid`. A line without its end is not yet complete. */
export function parseIdentityLine(text: string): LocalIdentity | undefined {
  const match = /^([1-9][0-9]*) ([0-9]+)\n$/.exec(text)
  return match ? { pid: Number(match[1]), startTime: Number(match[2]) } : undefined
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

/** Undefined for what is no line of `/proc/PID/stat`. */
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
  }
}

/** Whether an error of a look into `/proc` means that the process has ended meanwhile. */
export function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ESRCH'
}

function readTrimmed(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return '' // a container may have none
  }
}

function readPidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return '' // a kernel built without namespaces
  }
}
