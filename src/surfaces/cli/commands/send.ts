import { AppError } from '../../../domain/errors.ts'
import { requireTask } from '../../find-task.ts'
import { ringOrTell } from '../../look.ts'
import { findingsFlags, refuseLoneOnly, refuseReadOnly } from '../../review/read-findings.ts'
import { type Sent, sendWords, viewSent, whenHeard } from '../../send-words.ts'
import type { SentView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag } from '../command.ts'
import { exitCodes, signalExitCode } from '../exit-codes.ts'
import { waitAndTell, waitFlag } from '../hand-in-and-tell.ts'
import { readFindingsText } from '../read-findings-request.ts'
import { readWords } from '../read-request.ts'

const usage = 'send TASK TEXT'

export const send = defineCommand({
  name: 'send',
  group: 'Do',
  summary: 'Say more to a task: at work, it hears it; ended, a task follows in the same session',
  takesVerbatim: true,
  usage,
  flags: {
    promptFile: { about: 'read the text from a file', value: 'FILE' },
    idempotencyKey: { about: 'sent again under the same key, it is said once', value: 'KEY' },
    ...findingsFlags,
    ...waitFlag,
    ...jsonFlag,
  },
  examples: [
    'holdfast send fix-the-login "leave the tests as they are"',
    'holdfast send k3v9 --prompt-file more.md --wait',
    'git diff | holdfast send fix-the-login -',
    'holdfast send fix-the-login --findings review-fix-the-login --only 1,3',
  ],
  async run({ flags, words, verbatim }, context) {
    const [reference, ...rest] = words
    if (reference === undefined || reference === '-') {
      throw new AppError('bad_usage', 'send wants the task named', {
        hint: `usage: holdfast ${usage}; holdfast status lists them`,
      })
    }
    const task = await requireTask(await context.holdfast.store(), reference)
    refuseLoneOnly(flags)
    const { findings, only } = flags
    refuseReadOnly(task, findings)
    const typed = { flags, words: rest, verbatim }
    const example = `holdfast send ${reference} "leave the tests as they are"`
    const text =
      findings === undefined
        ? await readWords(typed, example, context)
        : await readFindingsText(typed, { findings, only }, example, context)
    const key = flags.idempotencyKey ?? null
    // From here on a signal waits: nobody should have to guess whether it was said.
    const { interrupted } = context
    const sent = await sendWords(task, { text, key, isAwaited: flags.wait === true }, context)
    await ringOrTell(context)
    tell(sent, await whenHeard(sent, context), task.request.id, context)
    if (flags.wait === true) {
      const store = await context.holdfast.store()
      const [last] = await store.lastEvents(sent.task.request.id, 1)
      return await waitAndTell(sent.task, flags, context, last?.seq)
    }
    if (flags.json === true) context.output.writeJson(await viewSent(sent, context))
    else context.output.write(`${sent.task.request.id}\n`)
    if (!interrupted.aborted) return exitCodes.done
    context.output.tell('interrupted; it was said, and is passed on')
    return signalExitCode(Number(interrupted.reason))
  },
})

function tell(
  sent: Sent,
  heard: SentView['heard'],
  named: string,
  { output }: CommandContext,
): void {
  const { task, isNew } = sent
  const { id } = task.request
  if (!isNew) output.tell('it was sent before, under the same key')
  output.tell(describe(sent, heard, named))
  const next =
    sent.message === null
      ? `holdfast logs -f ${id} · holdfast wait ${id} · holdfast result ${id}`
      : task.state.name === 'needs_input'
        ? `holdfast answer ${id}`
        : `holdfast logs -f ${id}`
  output.tell(`next: ${next}`)
}

function describe({ task, message }: Sent, heard: SentView['heard'], named: string): string {
  const { id, name, follows } = task.request
  if (message === null) return `${name} follows ${follows}, in its session and worktree`
  const whom = id === named ? name : `${name} (${id}), the newest of its conversation`
  if (message.heardAt !== null) return `${whom}: its agent has heard it`
  const { state } = task
  if (state.name === 'needs_input') {
    return `${whom}: told; that answers nothing, and the question stands: ${state.question.text}`
  }
  return `${whom}: told; its agent hears it ${WHEN[heard]}`
}

const WHEN = {
  at_once: 'at once',
  after_turn: 'when its turn is over, and goes on with it',
  at_start: 'when it starts, or goes on',
} as const satisfies Record<SentView['heard'], string>
