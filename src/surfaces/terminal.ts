import { fstatSync } from 'node:fs'

/** The major number of Linux's memory devices, `/dev/null` among them. */
const MEMORY_DEVICES = 1

/** Whether a descriptor is a terminal. Most are not, and that is found without loading `node:tty`. */
export function isTerminal(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isCharacterDevice() || stat.rdev >> 8 === MEMORY_DEVICES) return false
  } catch {
    return false // closed
  }
  return (process.getBuiltinModule('node:tty') as typeof import('node:tty')).isatty(descriptor)
}
