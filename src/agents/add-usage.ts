import type { Usage } from '../domain/outcome.ts'

/** For agents that say what each request has used. What is not known of one counts as nothing. */
export function addUsage(sum: Usage | null, more: Usage): Usage {
  if (sum === null) return more
  const add = (a: number | null, b: number | null) => (a === null ? b : a + (b ?? 0))
  return {
    inputTokens: add(sum.inputTokens, more.inputTokens),
    cachedInputTokens: add(sum.cachedInputTokens, more.cachedInputTokens),
    outputTokens: add(sum.outputTokens, more.outputTokens),
    costUsd: add(sum.costUsd, more.costUsd),
  }
}
