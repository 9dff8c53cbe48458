/** What `ps` of macOS says (man 1 ps), as text and parsed. */
import type { ProcessEntry } from '../../ports/process-table.ts'

/** All but its session, which `ps` shows as 0 for everybody. */
export interface PsRow extends Omit<ProcessEntry, 'session'> {
  /** Its first letter is the state; `Z` is a dead one that nobody has collected yet. */
  readonly state: string
  readonly effectiveUser: number
  readonly realUser: number
}

/**
 * Each column by an option of its own, without a header. The name last: it may hold anything.
 * (`ucomm`, unlike `comm`, costs no look into the process.)
 */
export const TABLE = [
  '-ax',
  ...['pid', 'ppid', 'pgid', 'uid', 'ruid', 'stat', 'tty', 'lstart', 'ucomm'].flatMap(name => [
    '-o',
    `${name}=`,
  ]),
] as const

const ROW =
  /^ *(\d+) +(\d+) +(\d+) +(-?\d+) +(-?\d+) +(\S+) +(\S+) +\w{3} +(\w{3}) +(\d{1,2}) +(\d\d):(\d\d):(\d\d) +(\d{4,}) +(.*?) *$/

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** What `ps` shows for a process without a controlling terminal. */
const NO_TERMINAL = '??'

/** A line that is no row (the rest of a name with a line break in it) is left out. */
export function parseTable(text: string): readonly PsRow[] {
  return text.split('\n').flatMap(line => parseRow(line) ?? [])
}

function parseRow(line: string): PsRow | undefined {
  const match = ROW.exec(line)
  if (match === null) return undefined
  const [pid, parent, group, effectiveUser, realUser] = match.slice(1, 6).map(Number)
  const [, , , , , , state = '', tty, month = '', ...rest] = match
  const [day, hour, minute, second, year] = rest.slice(0, 5).map(Number)
  const time = Date.UTC(year ?? 0, MONTHS.indexOf(month), day, hour, minute, second)
  // Number 0 is the kernel, and means "all of us" to whoever sends a signal.
  if (!MONTHS.includes(month) || !pid) return undefined
  return {
    pid,
    parent: parent ?? 0,
    group: group ?? 0,
    effectiveUser: effectiveUser ?? -1,
    realUser: realUser ?? -1,
    state,
    terminal: tty !== NO_TERMINAL,
    startTime: time / 1000,
    name: rest[5] ?? '',
  }
}

export function hasDied({ state }: PsRow): boolean {
  return state.startsWith('Z')
}

const pidList = (pids: readonly number[]) => ['-p', pids.join(',')]

/** The arguments of some processes. */
export function commandsOf(pids: readonly number[]): readonly string[] {
  return ['-ww', '-o', 'pid=', '-o', 'command=', ...pidList(pids)]
}

/** The same with their environments behind them. */
export function environmentsOf(pids: readonly number[]): readonly string[] {
  return ['-E', ...commandsOf(pids)]
}

/** Pid → the rest of the line. Line breaks in it are shown as `^J`, so a line is one process. */
export function parseCommands(text: string): ReadonlyMap<number, string> {
  const found = new Map<number, string>()
  for (const line of text.split('\n')) {
    const match = /^ *(\d+) +(.*?) *$/.exec(line)
    if (match !== null) found.set(Number(match[1]), match[2] ?? '')
  }
  return found
}

/**
 * The value of a variable in a line of `environmentsOf`; null: it is not seen. Arguments and
 * variables stand there with a blank in between: a value with a blank in it cannot be told from the
 * next variable, so ours have none. The last one counts: environments stand behind the arguments,
 * which may speak of it too.
 */
export function findVariable(line: string, variable: string): string | null {
  const needle = ` ${variable}=`
  const at = line.lastIndexOf(needle)
  if (at < 0) return null
  const value = line.slice(at + needle.length)
  return value.slice(0, value.search(/ |$/)) || null
}

/** What `ps` shows for arguments that it cannot read: of a dead one, or in the middle of an `exec`. */
export function isUnreadable(line: string | undefined, { name }: PsRow): boolean {
  return line === undefined || line === `(${name})` || line === '<defunct>'
}

/** The CPU time of one process. */
export function cpuTimeOf(pid: number): readonly string[] {
  return ['-o', 'time=', ...pidList([pid])]
}

/** From `12:34.56`, or `1:02:03.45`, in milliseconds; 0 for anything else. */
export function parseCpuTime(text: string): number {
  if (!/^ *(?:\d+:)*\d+(?:\.\d+)? *$/m.test(text)) return 0
  return (
    text
      .trim()
      .split(':')
      .reduce((sum, part) => sum * 60 + Number(part), 0) * 1_000
  )
}
