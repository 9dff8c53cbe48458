import { sumUsage, type UsageSum, usageGroupings } from '../../../engine/sum-usage.ts'
import { defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { parseChoice, parseDuration } from '../flags.ts'

const usageLine = 'usage'
const DAY_MS = 86_400_000
const DEFAULT_DAYS = 30

export const usage = defineCommand({
  name: 'usage',
  group: 'Look',
  summary: 'What tasks have used: tokens and cost',
  usage: usageLine,
  flags: {
    since: { about: `how far back (default ${DEFAULT_DAYS}d)`, value: 'DURATION' },
    by: {
      about: 'agent, repository or day (default: agent)',
      value: 'WHAT',
      choices: usageGroupings,
    },
    ...jsonFlag,
  },
  examples: ['holdfast usage', 'holdfast usage --by day --since 7d', 'holdfast usage --json'],
  async run({ flags, words }, context) {
    refuseWords(words, usageLine)
    const { holdfast, output } = context
    const back =
      flags.since === undefined ? DEFAULT_DAYS * DAY_MS : parseDuration(flags.since, 'since')
    const by = flags.by === undefined ? 'agent' : parseChoice(flags.by, 'by', usageGroupings)
    const since = context.now() - back
    const records = await (await holdfast.store()).listUsage(since)
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
    const sums = sumUsage(records, by, timeZone)
    if (flags.json === true) {
      output.writeJson({ since: new Date(since).toISOString(), by, sums: sums.map(viewSum) })
      return exitCodes.done
    }
    for (const line of table(by, sums)) output.write(`${line}\n`)
    if (sums.length === 0) output.tell('nothing was used in this time')
    return exitCodes.done
  },
})

const viewSum = (sum: UsageSum) => ({ ...sum, usage: sum.usage && { ...sum.usage } })

function table(by: string, sums: readonly UsageSum[]): readonly string[] {
  if (sums.length === 0) return []
  const head = [by, 'tasks', 'tries', 'in', 'cached', 'out', 'cost']
  const rows = sums.map(({ key, tasks, attempts, unknown, usage }) => [
    key,
    String(tasks),
    unknown === 0 ? String(attempts) : `${attempts} (${unknown} unknown)`,
    count(usage?.inputTokens),
    count(usage?.cachedInputTokens),
    count(usage?.outputTokens),
    usage?.costUsd == null ? '?' : `$${usage.costUsd.toFixed(2)}`,
  ])
  const all = [head, ...rows]
  const widths = head.map((_, n) => Math.max(...all.map(row => row[n]?.length ?? 0)))
  return all.map(row =>
    row
      .map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)))
      .join('  '),
  )
}

const count = (tokens: number | null | undefined) => tokens?.toLocaleString('en-US') ?? '?'
