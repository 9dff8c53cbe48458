/** What the system says of processes. Reads `/proc`; where there is none it finds nobody. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'

/** A live process. Pid and start time together are given out once. */
export interface SeenProcess {
  readonly pid: number
  readonly startTime: string
  readonly session: string
}

/** Undefined: there is none, or it has died and only awaits its parent. */
export function findProcess(pid: number): SeenProcess | undefined {
  const line = readIfAllowed(() => readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? ''
  // From the state on, which is field 3 of proc_pid_stat(5): the name before it may hold anything.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const [state, session, startTime] = [fields[0], fields[3], fields[19]]
  if (startTime === undefined || session === undefined) return undefined
  return state === 'Z' || state === 'X' ? undefined : { pid, startTime, session }
}

/** The processes of this user, in this PID namespace, that have a variable; with its value. */
export function findBearers(variable: string): { bearer: SeenProcess; value: string }[] {
  const needle = Buffer.from(`${variable}=`)
  const valueAt = (pid: number) =>
    readIfAllowed(() => variableIn(readFileSync(`/proc/${pid}/environ`), needle))
  const found: { bearer: SeenProcess; value: string }[] = []
  for (const name of readIfAllowed(() => readdirSync('/proc')) ?? []) {
    const pid = Number(name)
    if (!(pid > 1) || pid === process.pid || valueAt(pid) === undefined) continue
    // Read again after the start time: should the pid be given out anew, that one is not meant.
    const bearer = findProcess(pid)
    const value = valueAt(pid)
    if (bearer && value !== undefined && isHereAndOurs(pid)) found.push({ bearer, value })
  }
  return found
}

function variableIn(environment: Buffer, needle: Buffer): string | undefined {
  let at = environment.indexOf(needle)
  // Variables end with a zero byte; within one, the same text may be part of a value.
  while (at > 0 && environment[at - 1] !== 0) at = environment.indexOf(needle, at + 1)
  if (at === -1) return undefined
  const end = environment.indexOf(0, at)
  return environment.toString('utf8', at + needle.length, end === -1 ? undefined : end)
}

/** A container's processes show here too, and speak of pids that are not ours to know. */
function isHereAndOurs(pid: number): boolean {
  const isOurs = () => statSync(`/proc/${pid}`).uid === process.geteuid?.()
  const isHere = () => readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync('/proc/self/ns/pid')
  return readIfAllowed(() => isOurs() && isHere()) ?? false
}

/** Undefined: it is gone, or not ours to look into. */
function readIfAllowed<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code)) return undefined
    throw error
  }
}
