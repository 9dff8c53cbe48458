/** What the package exports; `scripts/build.mjs` makes `dist/library.js` of it. */
import { fileURLToPath } from 'node:url'
import { connectThrough } from './connect.ts'
import type { Connection, ConnectOptions } from './contract.ts'

export { AppError } from '../../domain/errors.ts'
export type * from './contract.ts'

/** Seen from `dist/`. */
const entry = fileURLToPath(new URL('../bin/holdfast.cjs', import.meta.url))

export function connect(options: ConnectOptions = {}): Connection {
  return connectThrough(entry, options)
}
