import { createHash } from 'node:crypto'

/** A short name for whoever pays, from what identifies them: keys and account ids, none in clear. */
export function nameAccount(agent: string, marks: readonly string[]): string {
  const text = JSON.stringify([...new Set(marks)].sort())
  return `${agent}-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
}
