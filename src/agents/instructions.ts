/** What Holdfast itself tells an agent, the same for all. */
import type { PermissionMode } from '../domain/permissions.ts'
import type { LaunchRequest } from '../ports/agent.ts'

/** Everything that Holdfast adds to a prompt is shorter than this, in characters. */
export const INSTRUCTIONS_ROOM = 1_024

/**
 * The prompt as the agent gets it, or, of a session that goes on, why and how to. A session that is
 * given a new prompt gets both if it was stopped since: nobody knows whether it has heard it. What
 * it was told besides comes last; of a session that nothing has stopped, it is all.
 */
export function promptFor(request: LaunchRequest): Uint8Array {
  const { mode, permissions, asks, prompt, handOver } = request
  const told = (request.messages ?? []).join('\n\n')
  const isResumed = mode.kind === 'resume'
  const goesOn = isResumed && mode.saysPrompt !== true
  const stopped = isResumed && (mode.why !== null || (goesOn && told === ''))
  const resuming = stopped ? resumeSentence(mode.why ?? 'unknown') : ''
  if (goesOn && !stopped) return Buffer.from(told)
  const besides = told === '' ? '' : `\n\nMeanwhile you were told:\n\n${told}\n`
  if (goesOn) return Buffer.from(`${resuming}${besides}`)
  return Buffer.concat([
    Buffer.from(resuming === '' ? '' : `${resuming}\n`),
    Buffer.from(preamble(permissions.effective, asks)),
    prompt,
    Buffer.from(`${handOver ?? ''}${besides}`),
  ])
}

function preamble(mode: PermissionMode, asks: boolean): string {
  const work = {
    'read-only': 'You can read but not change anything: your final answer is the result.',
    workspace:
      'When you are done, Holdfast collects your work from the working tree: do not commit it.',
    full: 'When you are done, Holdfast collects your work from the working tree: do not commit it unless you are asked to.',
  }[mode]
  const whom = asks
    ? 'You were started by Holdfast: whoever asked may be away, so ask only for what you must.'
    : 'You run unattended, started by Holdfast: nobody answers questions, so decide for yourself and say in your final answer what you assumed.'
  return `${whom} ${work}\n\n`
}

function resumeSentence(why: string): string {
  return `You were interrupted (${why.replace(/\s+/g, ' ').trim()}): check what is already done in the working tree before you repeat anything with side effects, then continue the task.\n`
}
