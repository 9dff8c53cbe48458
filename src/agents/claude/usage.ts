/**
 * Tokens as they are counted for all agents: the input with what came from a cache, and went into
 * one (Claude Code counts the three apart); what came from a cache also by itself.
 */
import type { Usage } from '../../domain/outcome.ts'
import type { Counted, Tokens } from './state.ts'
import type { WireResult, WireUsage } from './wire.ts'

/** Messages of sub-agents come in between: so many may be under way at once. */
const MESSAGES_KEPT = 32

/** A message's input, once. Its output is counted by the result alone. */
export function countMessage(
  counted: Counted,
  id: string | undefined,
  usage: WireUsage | undefined,
): Counted {
  if (id === undefined || usage === undefined || counted.messages.includes(id)) return counted
  const { open } = counted
  return {
    ...counted,
    open: {
      input: open.input + (inputOf(usage) ?? 0),
      cached: open.cached + (usage.cache_read_input_tokens ?? 0),
    },
    messages: [...counted.messages, id].slice(-MESSAGES_KEPT),
  }
}

/** A result says it all of what came since the one before, and replaces what its messages said. */
export function countResult(counted: Counted, result: WireResult): Counted {
  const said = tokensOf(result)
  if (said === null) return counted
  const sum = counted.settled === null ? said : addTokens(counted.settled, said)
  // In 2.1.197 the cost, alone of all, is said from the start of the process.
  const settled =
    result.model_usage_since_last_result === undefined ? { ...sum, costUsd: said.costUsd } : sum
  return { settled, open: { input: 0, cached: 0 }, messages: [] }
}

/** Null: nothing is known yet. */
export function usageOf({ settled, open }: Counted): Usage | null {
  if (settled === null && open.input === 0) return null
  return {
    inputTokens: settled === null ? open.input : add(settled.input, open.input),
    cachedInputTokens: settled === null ? open.cached : add(settled.cached, open.cached),
    outputTokens: settled?.output ?? null,
    costUsd: settled?.costUsd ?? null,
  }
}

/**
 * By model where that is said (2.1.329): it counts sub-agents too, and of a session that goes on
 * only this attempt, whereas `total_cost_usd` then counts the whole session.
 */
function tokensOf(result: WireResult): Tokens | null {
  const { usage, model_usage_since_last_result: models } = result
  if (models !== undefined) {
    return Object.values(models).reduce<Tokens>(
      (sum, model) =>
        addTokens(sum, {
          input: inputOf({
            input_tokens: model.inputTokens,
            cache_creation_input_tokens: model.cacheCreationInputTokens,
            cache_read_input_tokens: model.cacheReadInputTokens,
          }),
          cached: model.cacheReadInputTokens ?? null,
          output: model.outputTokens ?? null,
          costUsd: model.costUSD ?? null,
        }),
      { input: 0, cached: 0, output: 0, costUsd: 0 },
    )
  }
  if (usage === undefined) return null
  return {
    input: inputOf(usage),
    cached: usage.cache_read_input_tokens ?? null,
    output: usage.output_tokens ?? null,
    costUsd: result.total_cost_usd ?? null,
  }
}

/** Null: the part that is never missing is missing. */
function inputOf(usage: WireUsage): number | null {
  if (usage.input_tokens === undefined) return null
  return (
    usage.input_tokens +
    (usage.cache_creation_input_tokens ?? 0) +
    (usage.cache_read_input_tokens ?? 0)
  )
}

function addTokens(a: Tokens, b: Tokens): Tokens {
  return {
    input: add(a.input, b.input),
    cached: add(a.cached, b.cached),
    output: add(a.output, b.output),
    costUsd: add(a.costUsd, b.costUsd),
  }
}

function add(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b
}
