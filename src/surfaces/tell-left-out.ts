import type { Result } from '../domain/outcome.ts'
import { resultOf, type Task } from '../domain/task.ts'
import type { SurfaceContext } from './context.ts'

type Told = SurfaceContext['output']

/** What a result does not hold is said wherever it is looked at. */
export function tellLeftOut({ leftOut }: Pick<Result, 'leftOut'>, output: Told): void {
  for (const line of leftOut) output.tell(`left out: ${line}`)
}

/** Before the work of a task is taken home. */
export function tellWhatItIs({ request, state }: Task, output: Told): void {
  if (state.name === 'failed' || state.name === 'cancelled') {
    output.tell(`${request.id} ${state.name}: this is what it had changed by then`)
  }
  const result = resultOf(state)
  if (result !== null) tellLeftOut(result, output)
}
