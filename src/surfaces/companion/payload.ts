/** What a job that is over brought home, as `--json` has it, and as people read it. */
import { relative } from 'node:path'
import type { CompanionReview } from '../../domain/companion-job.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import type { CommandContext } from '../cli/command.ts'
import { eventPages } from '../event-pages.ts'
import { companionOf } from './job.ts'
import {
  parseReview,
  type Review,
  renderPlainReview,
  renderReview,
  wordsOfReview,
} from './review-output.ts'

export interface TaskPayload {
  readonly status: number
  readonly threadId: string | null
  readonly rawOutput: string
  readonly touchedFiles: readonly string[]
  readonly reasoningSummary: readonly string[]
}

export interface ReviewPayload {
  readonly review: 'Review' | 'Adversarial Review'
  readonly target: CompanionReview['target']
  readonly threadId: string | null
  readonly sourceThreadId?: string | null
  readonly context?: CompanionReview['context']
  readonly codex: {
    readonly status: number
    readonly stderr: string
    readonly stdout: string
    readonly reasoning: readonly string[]
  }
  readonly result?: Review | null
  readonly rawOutput?: string
  readonly parseError?: string | null
  readonly reasoningSummary?: readonly string[]
}

export interface Outcome {
  readonly payload: TaskPayload | ReviewPayload
  /** For people; ends with a newline. */
  readonly rendered: string
  /** 0: it succeeded. */
  readonly status: 0 | 1
}

export async function gatherOutcome(task: Task, context: CommandContext): Promise<Outcome> {
  const { kind, review } = companionOf(task)
  const said = await gatherSaid(task, context)
  if (kind === 'task' || review === undefined) return taskOutcome(said)
  return kind === 'review' ? plainOutcome(said, review) : structuredOutcome(said, review)
}

/** What Codex said and did, over all attempts. */
interface Said {
  readonly status: 0 | 1
  readonly threadId: string | null
  readonly answer: string
  /** Empty: it succeeded. */
  readonly failure: string
  readonly touchedFiles: readonly string[]
  readonly reasoning: readonly string[]
}

async function gatherSaid(task: Task, { holdfast }: CommandContext): Promise<Said> {
  const { state, session: threadId, worktree } = task
  const touched = new Set<string>()
  const reasoning: string[] = []
  const root = worktree?.path ?? task.request.repo.root
  for await (const page of eventPages(await holdfast.store(), task.request.id, 0)) {
    for (const { body } of page) {
      if (body.kind === 'reasoning_ended') reasoning.push(body.text)
      if (body.kind !== 'files_changed') continue
      for (const path of body.paths) touched.add(path.startsWith('/') ? relative(root, path) : path)
    }
  }
  const result = hasEnded(state) ? state.result : null
  return {
    status: state.name === 'succeeded' ? 0 : 1,
    threadId,
    answer: result?.answer ?? '',
    failure: describeFailure(task),
    touchedFiles: [...touched],
    reasoning,
  }
}

function describeFailure({ state }: Task): string {
  if (state.name === 'cancelled') return 'Cancelled by user.'
  if (state.name !== 'failed') return ''
  const { code, message, hint } = state.failure
  return `${message} (${code})${hint === undefined ? '' : `\n${hint}`}`
}

function taskOutcome({
  status,
  threadId,
  answer,
  failure,
  touchedFiles,
  reasoning,
}: Said): Outcome {
  const text = answer || failure || 'Codex did not return a final message.'
  return {
    payload: { status, threadId, rawOutput: answer, touchedFiles, reasoningSummary: reasoning },
    rendered: withNewline(text),
    status,
  }
}

function plainOutcome(said: Said, { target }: CompanionReview): Outcome {
  const { status, threadId, failure, reasoning } = said
  const words = wordsOfReview(said.answer, failure)
  return {
    payload: {
      review: 'Review',
      target,
      threadId,
      // It reviews in a thread of its own.
      sourceThreadId: null,
      codex: { status, stderr: failure, stdout: words, reasoning },
    },
    rendered: renderPlainReview(words, said, target.label),
    status,
  }
}

function structuredOutcome(said: Said, { target, context }: CompanionReview): Outcome {
  const { status, threadId, answer, failure, reasoning } = said
  const parsed = parseReview(answer, failure)
  return {
    payload: {
      review: 'Adversarial Review',
      target,
      threadId,
      context,
      codex: { status, stderr: failure, stdout: answer, reasoning },
      result: parsed.review,
      rawOutput: answer,
      parseError: parsed.problem,
      reasoningSummary: reasoning,
    },
    rendered: renderReview(parsed, said, target.label),
    status,
  }
}

export const withNewline = (text: string) => (text.endsWith('\n') ? text : `${text}\n`)
