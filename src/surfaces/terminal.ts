import { fstatSync, readlinkSync } from 'node:fs'

/** Whether a device is one of the memory devices, `/dev/null` among them: by its major number. */
const isMemory: Partial<Record<NodeJS.Platform, (device: number) => boolean>> = {
  linux: device => device >> 8 === 1,
  darwin: device => device >>> 24 === 3,
}

/** Whether a descriptor is a terminal. Most are not, and that is found without loading `node:tty`. */
export function isTerminal(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isCharacterDevice() || isMemory[process.platform]?.(stat.rdev)) return false
  } catch {
    return false // closed
  }
  return (process.getBuiltinModule('node:tty') as typeof import('node:tty')).isatty(descriptor)
}

/** What the terminal on stdin is called, for people; null where the system does not simply say. */
export function terminalName(): string | null {
  try {
    return readlinkSync('/proc/self/fd/0')
  } catch {
    return null // No /proc here.
  }
}
