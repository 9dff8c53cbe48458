/** Asks a task's question at this terminal, and passes the answer on. */
import { AppError } from '../../domain/errors.ts'
import { plainText } from '../../domain/plain-text.ts'
import type { Task } from '../../domain/task.ts'
import { describeOptions, requireQuestion } from '../../engine/answer.ts'
import { passAnswer } from '../pass-answer.ts'
import { isTerminal } from '../terminal.ts'
import type { CommandContext } from './command.ts'

/** Says what a task asks, and how that is answered from elsewhere. `who`, where it could be another. */
export function tellQuestion(
  task: Task,
  { output }: CommandContext,
  who: string | null = null,
): void {
  const { text, options } = requireQuestion(task)
  output.tell(`${who ?? 'it'} asks: ${plainText(text)}`)
  if (options.length > 0) output.tell(`  ${plainText(describeOptions(options))}`)
  const answer = `holdfast answer ${task.request.id} ${options.length > 0 ? '1' : '"…"'}`
  output.tell(who === null ? `next: ${answer}` : `  ${answer}`)
}

/** False: nobody sits here, or whoever does has gone. `who` asks, where it could be another. */
export async function askHere(
  task: Task,
  context: CommandContext,
  who: string | null = null,
): Promise<boolean> {
  const { output, interrupted, stdin } = context
  if (!isTerminal(0) || !isTerminal(2) || stdin.readableEnded) return false
  const { text, options } = requireQuestion(task)
  const { createInterface } = await import('node:readline/promises')
  const lines = createInterface({ input: stdin, output: process.stderr })
  // It detaches here, as everywhere.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  const closed = new Promise<null>(resolve => lines.once('close', () => resolve(null)))
  const readLine = async () =>
    await Promise.race([closed, lines.question('> ', { signal: interrupted }).catch(noneIfGone)])
  try {
    for (;;) {
      output.tell(`${who === null ? '' : `${who} asks: `}${plainText(text)}`)
      if (options.length > 0) output.tell(`  ${plainText(describeOptions(options))}`)
      const words = await readLine()
      if (words === null) {
        output.tell('')
        return false
      }
      try {
        await passAnswer(task, words, context)
        return true
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        output.tell(error.message)
        // Somebody else has answered: the wait goes on.
        if (error.code === 'refused_in_state') return true
      }
    }
  } finally {
    lines.close()
  }
}

/** Interrupted, or the end of the input. */
function noneIfGone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ABORT_ERR' || error.code === 'ERR_USE_AFTER_CLOSE') return null
  throw error
}
