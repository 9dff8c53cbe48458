/** Where whoever goes on with a task works: a hand-off of it, or of one that it follows, decides. */
import type { HandOff, Task } from '../domain/task.ts'
import type { Store } from '../ports/store.ts'
import { isHandOff } from './apply.ts'

type Stay =
  /** The task's own workplace, from the base that it had. */
  | { readonly kind: 'as_it_was' }
  /** The checkout that `home`, whose worktree it all began in, was handed off to. */
  | { readonly kind: 'handed_off'; readonly home: Task; readonly handOff: HandOff }
  /** The worktree of `home`, with what was done in the checkout. */
  | { readonly kind: 'handed_back'; readonly home: Task; readonly handOff: HandOff }

export async function findStay(task: Task, store: Store): Promise<Stay> {
  for (let home: Task | undefined = task; home !== undefined; ) {
    const { taken, request } = home
    if (isHandOff(taken)) return { kind: taken.how, home, handOff: taken }
    // One that worked in a checkout may do so because the one before it was handed off to it.
    if (request.workplace.kind !== 'borrowed' || request.follows === null) break
    home = await store.findTask(request.follows)
  }
  return { kind: 'as_it_was' }
}
