import type { CommandContext } from '../cli/command.ts'

/** What Codex runs under: not a server of the session's, but the worker, which belongs to nobody. */
export interface SessionRuntime {
  readonly mode: 'direct'
  readonly label: string
  readonly detail: string
  readonly endpoint: null
}

export async function describeRuntime({ holdfast }: CommandContext): Promise<SessionRuntime> {
  const isUp = (await holdfast.presence()).look() !== undefined
  return {
    mode: 'direct',
    label: 'holdfast worker',
    detail: isUp
      ? 'The Holdfast worker runs; each job is a Codex process of its own.'
      : 'The Holdfast worker starts with the next job; each job is a Codex process of its own.',
    endpoint: null,
  }
}
