/** Values that several subcommands take. */
import { Refusal } from './subcommand.ts'

/** Codex's own names are passed on; a short one is made whole. */
export function readModel(given: string | undefined): string | null {
  const model = given?.trim()
  if (!model) return null
  return model.toLowerCase() === 'spark' ? 'gpt-5.3-codex-spark' : model
}

const efforts = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh']

export function readEffort(given: string | undefined): string | null {
  const effort = given?.trim().toLowerCase()
  if (!effort) return null
  if (efforts.includes(effort)) return effort
  throw new Refusal(`Unsupported reasoning effort "${given}". Use one of: ${efforts.join(', ')}.`)
}
