import type { CallerTokens } from '../ports/caller-tokens.ts'
import type { Outbox } from '../ports/outbox.ts'

/** The tokens of caller sessions that nothing is owed to any more, and that wait for no task. */
export async function forgetTokens(
  store: Pick<Outbox, 'unlessAwaited'>,
  tokens: CallerTokens,
): Promise<void> {
  for (const path of await tokens.list()) {
    await store.unlessAwaited(path, () => tokens.forget(path))
  }
}
