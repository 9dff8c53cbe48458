/** Claims ports for worktrees, all at once: its arguments are the state directory and their ids. */
import type { WorktreeId } from '../../src/domain/ids.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { systemClock } from '../../src/system-clock.ts'

const [directory = '', ...ids] = process.argv.slice(2)
const store = await openSqliteStore(directory, systemClock)
// Exactly as many as all of the processes ask for together.
const range = { first: 23_000, blocks: 20 }
const ports = await Promise.all(ids.map(id => store.claimPorts(id as WorktreeId, range)))
await store.close()
process.stdout.write(JSON.stringify(ports))
