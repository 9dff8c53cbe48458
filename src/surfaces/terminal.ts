import { fstatSync } from 'node:fs'

/** A terminal is a character device; so is /dev/null, which has no size. */
export function isTerminal(descriptor: number): boolean {
  try {
    if (!fstatSync(descriptor).isCharacterDevice()) return false
  } catch {
    return false // closed
  }
  return (process.getBuiltinModule('node:tty') as typeof import('node:tty')).isatty(descriptor)
}
