/**
 * Descriptors that came from whoever started us: a lock of the caller's, a directory that it had
 * open. They would be passed on to whatever we start: a worker would hold the lock for as long as
 * it lives, and an agent could write through the directory, past what confines it.
 */
import { readdirSync, readFileSync } from 'node:fs'

const CLOSE_ON_EXEC = 0o2_000_000

/**
 * Those beyond 0, 1 and 2 that a program which is started here would get, too. Node opens none like
 * that itself. None where there is no `/proc`: on macOS, Node has the system pass on only what it
 * names. (Nor those beyond the limit of open files, which was lowered once they were open: nothing
 * can be put in their place any more.)
 */
export function inheritedDescriptors(): readonly number[] {
  const passedOn = numbersIn('/proc/self/fd').filter(number => number > 2 && isPassedOn(number))
  return passedOn.length === 0 ? [] : passedOn.filter(number => number < openFileLimit())
}

function openFileLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
  } catch {
    // Nothing says that there is one.
    return Number.POSITIVE_INFINITY
  }
}

function numbersIn(directory: string): readonly number[] {
  try {
    return readdirSync(directory).map(Number)
  } catch {
    return []
  }
}

function isPassedOn(number: number): boolean {
  let about: string
  try {
    about = readFileSync(`/proc/self/fdinfo/${number}`, 'utf8')
  } catch {
    // Closed by now, as the one is with which the directory was read.
    return false
  }
  const flags = /^flags:\s*([0-7]+)$/m.exec(about)?.[1]
  return flags === undefined || (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0
}
