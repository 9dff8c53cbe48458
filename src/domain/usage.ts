/** Counting tokens and money: null is "not known", and stays out of every sum. Pure. */
import type { Usage } from './outcome.ts'

const fields = ['inputTokens', 'cachedInputTokens', 'outputTokens', 'costUsd'] as const

/** What two have used together; where only one is known, that. */
export function addUsage(a: Usage | null, b: Usage): Usage
export function addUsage(a: Usage | null, b: Usage | null): Usage | null
export function addUsage(a: Usage | null, b: Usage | null): Usage | null {
  return combine(a, b, (one, other) => one + other)
}

/** What came after `before`, of a count that only grows. */
export function usageSince(count: Usage | null, before: Usage | null): Usage | null {
  if (count === null) return null
  return combine(count, before, (now, then) => Math.max(0, now - then))
}

function combine(
  a: Usage | null,
  b: Usage | null,
  of: (a: number, b: number) => number,
): Usage | null {
  if (a === null || b === null) return a ?? b
  const parts = fields.map(field => {
    const [one, other] = [a[field], b[field]]
    return [field, one === null || other === null ? (one ?? other) : of(one, other)] as const
  })
  return Object.fromEntries(parts) as unknown as Usage
}
