/** What attempts have used, summed by agent, repository or day. Pure. */
import type { Usage } from '../domain/outcome.ts'
import { addUsage } from '../domain/usage.ts'
import type { UsageRecord } from '../ports/store.ts'

export const usageGroupings = ['agent', 'repository', 'day'] as const
type UsageGrouping = (typeof usageGroupings)[number]

export interface UsageSum {
  /** An agent, the common git directory of a repository, or a day (`2026-11-29`) of the reader's calendar. */
  readonly key: string
  readonly tasks: number
  readonly attempts: number
  /** Attempts that did not say what they used: it is more than the sum by as much. */
  readonly unknown: number
  /** Null: no attempt has said anything. */
  readonly usage: Usage | null
}

/** In the order of the keys; days newest first. */
export function sumUsage(
  records: readonly UsageRecord[],
  by: UsageGrouping,
  timeZone: string,
): readonly UsageSum[] {
  const day = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' })
  const keyOf = (record: UsageRecord) => (by === 'day' ? day.format(record.startedAt) : record[by])
  const groups = new Map<string, UsageRecord[]>()
  for (const record of records) {
    const key = keyOf(record)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [record])
    else group.push(record)
  }
  const sums = [...groups].map(([key, group]) => ({
    key,
    tasks: new Set(group.map(({ task }) => task)).size,
    attempts: group.length,
    unknown: group.filter(({ usage }) => usage === null).length,
    usage: group.reduce<Usage | null>((sum, { usage }) => addUsage(sum, usage), null),
  }))
  const direction = by === 'day' ? -1 : 1
  return sums.sort((a, b) => (a.key < b.key ? -direction : direction))
}
