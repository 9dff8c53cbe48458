/** What could not be told to whom, after many tries. */
import { describeSubscriber } from '../../domain/delivery.ts'
import type { DeadLetter, Outbox } from '../../ports/outbox.ts'
import { type Finding, fine } from './finding.ts'

const CHECK = 'deliveries'

export type DeadLetterFate = 'retry' | 'drop'

export async function findDeliveryTrouble(
  store: Pick<Outbox, 'listDeadLetters' | 'listOwed'>,
  fate: DeadLetterFate | null,
): Promise<readonly Finding[]> {
  const letters = await store.listDeadLetters()
  const owed = await store.listOwed()
  if (letters.length === 0) {
    const said = owed.length === 0 ? 'all were sent' : `${owed.length} to be told`
    return [fine(CHECK, said)]
  }
  const findings = [...group(letters)].map(
    ([whom, some]): Finding => ({
      check: CHECK,
      status: 'warning',
      message: `${whom} was not told ${some.length === 1 ? 'once' : `${some.length} times`}: ${some[0]?.problem}`,
      hint: 'holdfast doctor --dead-letters retry, or drop; the inbox has them',
      repair: null,
    }),
  )
  if (fate === null) return findings
  const [first, ...others] = findings
  if (first === undefined) return findings
  const asked: Finding = { ...first, hint: null, repair: { kind: 'dead_letters', fate } }
  return [asked, ...others.map(one => ({ ...one, hint: null }))]
}

function group(letters: readonly DeadLetter[]): Map<string, DeadLetter[]> {
  const groups = new Map<string, DeadLetter[]>()
  for (const letter of letters) {
    const { subscriber } = letter
    const whom = subscriber === null ? 'somebody' : describeSubscriber(subscriber)
    groups.set(whom, [...(groups.get(whom) ?? []), letter])
  }
  return groups
}
