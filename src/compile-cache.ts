/**
 * Loaded before everything else: lets Node keep what it has compiled. That is half of the time
 * that a command takes. The cache is code that will be run: it lies in the private directory.
 *
 * Node keeps of a file what its first user ran of it, so each frequent command has a cache of its
 * own: one that `worker` had made would be of no use to `status`.
 */
import { mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { stateDirectory } from './state-directory.ts'

const FREQUENT = ['run', 'status', 'wait', 'result', 'logs', 'diff', 'worker']

try {
  const home = stateDirectory(process.env)
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const command = process.argv[2] ?? ''
  const shelf = FREQUENT.includes(command) ? command : 'other'
  enableCompileCache(join(home, 'cache', 'compile', shelf))
} catch {
  // Only speed is lost; a command that needs the directory says what is wrong with it.
}
