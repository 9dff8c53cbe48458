/** The one command that a model is given to run, and how it is known again: to the letter. */

import { shellLine } from '../../domain/shell-word.ts'

export interface OwnCommand {
  readonly request: string
  /** What the user has answered, where there was a question. */
  readonly choice: 'resume' | 'fresh' | null
}

const ENDING = /^ rescue --request ([0-9a-f]{24})(?: --(resume|fresh))?$/

/** `program`: what starts us. */
export function ownLine(program: readonly string[], { request, choice }: OwnCommand): string {
  const words = [...program, 'rescue', '--request', request]
  return shellLine(choice === null ? words : [...words, `--${choice}`])
}

/** Undefined where it is anything else, or anything more: what else stands there would be run too. */
export function parseOwnLine(program: readonly string[], line: string): OwnCommand | undefined {
  const start = shellLine(program)
  const said = line.trim()
  if (!said.startsWith(start)) return undefined
  const [, request, choice] = ENDING.exec(said.slice(start.length)) ?? []
  if (request === undefined) return undefined
  return { request, choice: choice === 'resume' || choice === 'fresh' ? choice : null }
}
