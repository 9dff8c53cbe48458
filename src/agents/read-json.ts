import { readFileSync } from 'node:fs'
import * as z from 'zod/mini'

/**
 * A file of an agent's own, as far as it is what we expect. Undefined where it is missing, not ours
 * to read or of another shape: the agent itself says then what is wrong with it.
 */
export function findJson<Schema extends z.core.$ZodType>(
  path: string,
  schema: Schema,
): z.core.output<Schema> | undefined {
  try {
    return z.safeParse(schema, JSON.parse(readFileSync(path, 'utf8'))).data
  } catch {
    return undefined // See above.
  }
}
