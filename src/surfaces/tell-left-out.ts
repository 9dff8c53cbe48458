import type { Result } from '../domain/outcome.ts'
import type { SurfaceContext } from './context.ts'

/** What a result does not hold is said wherever it is looked at. */
export function tellLeftOut(
  { leftOut }: Pick<Result, 'leftOut'>,
  output: SurfaceContext['output'],
): void {
  for (const line of leftOut) output.tell(`left out: ${line}`)
}
