import { AppError } from '../domain/errors.ts'
import type { TaskId } from '../domain/ids.ts'
import type { Store } from '../ports/store.ts'
import type { HandInPlan } from './hand-in.ts'

/**
 * An agent that stays with a task which is to start after the agent's own task would wait for ever.
 * Refuses with `refused_in_state`.
 */
export async function refuseCircle({ request }: HandInPlan, store: Store): Promise<void> {
  let above: TaskId | undefined = request.delegation?.parent
  while (above !== undefined) {
    if (request.after.includes(above)) {
      throw new AppError('refused_in_state', `${above} would wait for a task that waits for it`, {
        hint: 'without --wait it starts when this task has succeeded',
      })
    }
    above = (await store.findTask(above))?.request.delegation?.parent
  }
}
