/** What the bin starts on a Node that is new enough: the compile cache first, then the commands. */
import { mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stateDirectory } from './compose.ts'

const home = stateDirectory(process.env)
try {
  mkdirSync(home, { recursive: true, mode: 0o700 })
  enableCompileCache(join(home, 'cache', 'compile'))
} catch {
  // Only speed is lost; a command that needs the directory says what is wrong with it.
}
const { main } = await import('./surfaces/cli/main.ts')
process.exitCode = await main(
  process,
  fileURLToPath(new URL('../bin/holdfast.js', import.meta.url)),
)
