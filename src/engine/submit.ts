/**
 * Hands a task in. First a plan that can still be refused and has touched nothing; then, in this
 * order, the task directory, the base, the row: whatever is visible is whole, and a failure in
 * between takes back what was made.
 */

import type { CaptureLimits } from '../domain/configuration.ts'
import { reach } from '../domain/crash-points.ts'
import { agentEnvironment } from '../domain/environment.ts'
import { AppError } from '../domain/errors.ts'
import { makeTaskId, makeTaskName, type TaskId } from '../domain/ids.ts'
import type { PermissionMode, Permissions } from '../domain/permissions.ts'
import type { Caller, Task } from '../domain/task.ts'
import type { Agent, Environment } from '../ports/agent.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'
import type { CaptureOrder, Checkout, Worktrees } from '../ports/worktrees.ts'

/** What a caller asks for. */
export interface Submission {
  readonly agent: Agent
  /** Byte for byte; empty for the agent `command`. */
  readonly prompt: Uint8Array
  /** For the agent `command`. */
  readonly argv: readonly string[]
  readonly retryOnCrash: boolean
  readonly model: string | null
  readonly effort: string | null
  readonly permissions: PermissionMode | null
  readonly captureLimits: CaptureLimits
  readonly caller: Caller
  readonly callerEnvironment: Readonly<Record<string, string | undefined>>
}

/** A submission that nothing speaks against; only `planSubmission` makes one. */
export interface SubmissionPlan {
  readonly submission: Submission
  readonly checkout: Checkout
  readonly permissions: Permissions
  readonly environment: Environment
}

export interface SubmitPorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly worktrees: Worktrees
  readonly clock: Clock
  readonly randomBytes: (count: number) => Uint8Array
}

/** Checks everything that can be checked without writing. Throws a refusal. */
export async function planSubmission(
  submission: Submission,
  worktrees: Worktrees,
): Promise<SubmissionPlan> {
  const { agent, prompt, argv, caller } = submission
  if (agent.capabilities.takesPrompt) checkPrompt(prompt, agent)
  else if (argv.length === 0) {
    throw new AppError('bad_usage', `the agent ${agent.name} needs a program to run`, {
      hint: 'holdfast run command -- npm test',
    })
  }
  const environment = agentEnvironment(submission.callerEnvironment)
  const [checkout, permissions] = await Promise.all([
    worktrees.openCheckout(caller.directory),
    agent.settlePermissions(submission.permissions, environment),
    agent.findInstallation(environment, argv, caller.directory),
  ])
  return { submission, checkout, permissions, environment }
}

/** Hands the task in; it is durable when this returns. The worker is yet to be told. */
export async function submitTask(plan: SubmissionPlan, ports: SubmitPorts): Promise<Task> {
  const { submission, checkout, permissions, environment } = plan
  const { store, files, worktrees, clock } = ports
  const { agent, prompt, argv } = submission
  const id = makeTaskId(ports.randomBytes(16))
  const said = agent.capabilities.takesPrompt ? new TextDecoder().decode(prompt) : argv.join(' ')

  reach('submission.planned')
  await files.create(id, checkout.place.commonDir)
  let captured = false
  try {
    const written = files.writeRequest(id, prompt, environment)
    const order: CaptureOrder = { ...submission.captureLimits, changes: 'all', revision: null }
    const capturing = worktrees.captureBase(checkout, id, files.directory(id), order)
    // Both are waited for, whichever fails, so that nothing is taken back under their hands.
    const [base, request] = await Promise.allSettled([capturing, written])
    captured = base.status === 'fulfilled'
    if (base.status === 'rejected') throw base.reason
    if (request.status === 'rejected') throw request.reason
    reach('submission.base-captured')
    const task = await store.submitTask({
      id,
      name: makeTaskName(said, `${agent.name}-task`),
      agent: agent.name,
      model: submission.model,
      effort: submission.effort,
      permissions,
      argv,
      retryOnCrash: submission.retryOnCrash,
      repo: checkout.place,
      base: base.value,
      caller: submission.caller,
      createdAt: clock.now(),
    })
    reach('submission.row-committed')
    return task
  } catch (error) {
    if ((await isKept(id, store)) === 'no') {
      if (captured) await worktrees.dropBase(checkout.place.commonDir, id)
      await files.remove(id)
      reach('refusal.directory-removed')
    }
    throw error
  }
}

/** Whether a submission that failed is in the store all the same. What is unsure is left alone. */
async function isKept(id: TaskId, store: Store): Promise<'yes' | 'no' | 'unknown'> {
  try {
    return (await store.findTask(id)) === undefined ? 'no' : 'yes'
  } catch {
    // The store fails just now, perhaps right after its commit. If there is no row after all, the
    // next worker finds the leftovers.
    return 'unknown'
  }
}

function checkPrompt(prompt: Uint8Array, { name, capabilities }: Agent): void {
  const nul = prompt.indexOf(0)
  if (nul >= 0) {
    throw new AppError('bad_prompt', `the prompt has a NUL byte at offset ${nul}`, {
      hint: 'agents take text: remove the byte, or name a file in the prompt instead',
    })
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(prompt)
  } catch (cause) {
    throw new AppError('bad_prompt', 'the prompt is not valid UTF-8', {
      hint: 'convert it first, for example with: iconv -f latin1 -t utf-8',
      cause,
    })
  }
  if (text.trim() === '') {
    throw new AppError('bad_prompt', 'the prompt is empty', {
      hint: 'holdfast run "fix the failing test", or --prompt-file F, or a prompt on stdin',
    })
  }
  const { promptLimit } = capabilities
  // A character is at least one byte: only a long prompt needs to be counted.
  if (promptLimit !== null && prompt.length > promptLimit) {
    const characters = [...text].length
    if (characters > promptLimit) {
      throw new AppError(
        'bad_prompt',
        `the prompt has ${characters} characters; ${name} takes at most ${promptLimit}`,
        { hint: 'put the long part into a file of the repository, and name it in the prompt' },
      )
    }
  }
}
