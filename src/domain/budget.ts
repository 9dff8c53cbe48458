/** What a task may use in all, as its user set it. Pure. */
import type { Usage } from './outcome.ts'

/** `tokens`: those read (also from a cache) and those written. */
export type Budget =
  | { readonly kind: 'usd'; readonly usd: number }
  | { readonly kind: 'tokens'; readonly tokens: number }

/** What was used of it; null: not known. */
export function spentOf(budget: Budget, usage: Usage | null): number | null {
  if (budget.kind === 'usd') return usage?.costUsd ?? null
  const { inputTokens = null, outputTokens = null } = usage ?? {}
  return inputTokens === null && outputTokens === null
    ? null
    : (inputTokens ?? 0) + (outputTokens ?? 0)
}

export function isUsedUp(budget: Budget | null, usage: Usage | null): boolean {
  if (budget === null) return false
  const spent = spentOf(budget, usage)
  return spent !== null && spent >= limitOf(budget)
}

export function limitOf(budget: Budget): number {
  return budget.kind === 'usd' ? budget.usd : budget.tokens
}

/** `$5.00`, `2,000,000 tokens`. */
export function describeBudget(budget: Budget, amount: number = limitOf(budget)): string {
  return budget.kind === 'usd'
    ? `$${amount.toFixed(2)}`
    : `${amount.toLocaleString('en-US')} tokens`
}

const FACTORS: Readonly<Record<string, number>> = { '': 1, k: 1_000, m: 1_000_000 }

/** From `5usd`, `$5`, `2Mtok`, `500ktok`, `200000tok`; undefined: it is none. */
export function parseBudget(text: string): Budget | undefined {
  const money = text.match(/^(?:\$(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?) ?usd)$/i)
  if (money !== null) {
    const usd = Number(money[1] ?? money[2])
    return usd > 0 ? { kind: 'usd', usd } : undefined
  }
  const [, count, factor = ''] = text.match(/^(\d+(?:\.\d+)?) ?([km]?) ?tok(?:ens?)?$/i) ?? []
  if (count === undefined) return undefined
  const tokens = Math.round(Number(count) * (FACTORS[factor.toLowerCase()] ?? 1))
  return tokens > 0 ? { kind: 'tokens', tokens } : undefined
}
