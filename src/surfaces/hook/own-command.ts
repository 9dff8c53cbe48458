/** The one command that a model is given to run, and how it is known again: to the letter. */

import { isReview, type RequestKind } from '../../domain/kept-request.ts'
import { shellLine } from '../../domain/shell-word.ts'

export interface OwnCommand {
  readonly verb: 'rescue' | 'review'
  readonly request: string
  /** What the user has answered, where there was a question. */
  readonly choice: 'resume' | 'fresh' | null
}

const ENDING = /^ (rescue|review) --request ([0-9a-f]{24})(?: --(resume|fresh))?$/

export const verbOf = (kind: RequestKind) => (isReview(kind) ? 'review' : 'rescue')

/** `program`: what starts us. */
export function ownLine(program: readonly string[], { verb, request, choice }: OwnCommand): string {
  const words = [...program, verb, '--request', request]
  return shellLine(choice === null ? words : [...words, `--${choice}`])
}

/** Undefined where it is anything else, or anything more: what else stands there would be run too. */
export function parseOwnLine(program: readonly string[], line: string): OwnCommand | undefined {
  const start = shellLine(program)
  const said = line.trim()
  if (!said.startsWith(start)) return undefined
  const [, verb, request, choice] = ENDING.exec(said.slice(start.length)) ?? []
  if ((verb !== 'rescue' && verb !== 'review') || request === undefined) return undefined
  return { verb, request, choice: choice === 'resume' || choice === 'fresh' ? choice : null }
}
