import type { Failure } from '../../domain/outcome.ts'
import type { Output } from './output.ts'

/** Why a task failed, and what to do. */
export function tellFailure(id: string, { code, message, hint }: Failure, output: Output): void {
  output.tell(`${id} failed (${code}): ${message}`)
  output.tell(hint === undefined ? `next: holdfast logs ${id} · holdfast retry ${id}` : `  ${hint}`)
}
