/**
 * The conversation with an agent that can be talked to while it works. What is to be said follows
 * from what it has said, so that any worker can go on with it: what was said already stands in the
 * run directory, and is not said again.
 */
import { reach } from '../domain/crash-points.ts'
import type { Message } from '../domain/message.ts'
import { findOpen, type Question } from '../domain/question.ts'
import type { Dialogue, Translation } from '../ports/agent.ts'
import type { Clock } from '../ports/clock.ts'
import type { ProcessHost } from '../ports/process-host.ts'
import type { ClaimedAttempt, Progress, Store } from '../ports/store.ts'
import type { TaskFiles } from '../ports/task-files.ts'

export interface ConversePorts {
  readonly store: Store
  readonly files: TaskFiles
  readonly host: ProcessHost
  readonly clock: Clock
}

export interface Conversation {
  /** Says what is due, and tells the log what that means. True: the agent waits for a person. */
  goOn(progress: Progress, messages: readonly Message[], interrupt: boolean): Promise<boolean>
  /** It was told to stop its turn. */
  wasInterrupted(): boolean
  /** Its turn is over (`isTurnOver`), and it can be talked to. */
  isOver(progress: Progress, messages: readonly Message[]): boolean
}

export function converse(
  attempt: ClaimedAttempt,
  dialogue: Dialogue,
  /** What the task asks already, as the store knows it. */
  asked: Question | null,
  { store, files, host, clock }: ConversePorts,
): Conversation {
  const runDirectory = files.runDirectory(attempt.task, attempt.fence)
  const brief = host.readBrief(runDirectory)
  const said = new Set(
    // Without a brief, its stdin is the prompt alone, or nothing yet.
    (brief === null ? [] : host.readSaid(runDirectory)).flatMap(line => {
      const key = dialogue.keyOf(line)
      return key === undefined ? [] : [key]
    }),
  )
  let open = asked

  const move = async (question: Question | undefined) => {
    if (question?.id === open?.id) return
    const event =
      question === undefined
        ? ({ kind: 'input_answered' } as const)
        : ({ kind: 'input_requested', question } as const)
    await store.transition(attempt.task, attempt.fence, event, clock.now())
    reach('converse.question-recorded')
    open = question ?? null
  }

  return {
    async goOn(progress, messages, interrupt) {
      if (brief === null) return false
      const state = progress.translation
      const isAsked = (state.questions ?? []).length > 0
      const answers = isAsked
        ? await store.listAnswers(attempt.task, attempt.fence)
        : new Map<string, string>()
      const due = dialogue
        .speak(state, brief, said, { answers, messages, interrupt })
        .filter(({ key }) => !said.has(key))
      if (due.length > 0) {
        // First the log: what it says twice over a crash is better than what it does not say.
        const events = due.flatMap(one => one.events ?? [])
        if (events.length > 0) await store.recordProgress(attempt, progress, events, clock.now())
        host.say(
          runDirectory,
          due.map(({ line }) => line),
        )
        reach('converse.said')
        for (const { key } of due) said.add(key)
      }
      const [first] = findOpen(state.questions ?? [], said)
      await move(first)
      return first !== undefined
    },
    wasInterrupted: () => said.has(dialogue.interruptKey),
    isOver: ({ translation }, messages) =>
      brief !== null && isTurnOver(dialogue, translation, messages),
  }
}

/** Nothing is left that it is to be told in this attempt, or does by itself. */
export function isTurnOver(
  { saysMessages, leaves, goesOn }: Dialogue,
  translation: Translation,
  messages: readonly Message[],
): boolean {
  const { turn } = translation
  if (turn?.ok !== true) return turn !== null
  const isTold = saysMessages !== true || messages.every(one => leaves?.(translation, one) === true)
  return isTold && goesOn?.(translation) !== true
}
