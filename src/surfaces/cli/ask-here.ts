/** Asks a task's question at this terminal, and passes the answer on. */
import { AppError } from '../../domain/errors.ts'
import type { Task } from '../../domain/task.ts'
import { describeOptions, requireQuestion } from '../../engine/answer.ts'
import { passAnswer } from '../pass-answer.ts'
import { isTerminal } from '../terminal.ts'
import type { CommandContext } from './command.ts'

/** False: nobody sits here, or whoever does has gone. */
export async function askHere(task: Task, context: CommandContext): Promise<boolean> {
  if (!isTerminal(0) || !isTerminal(2)) return false
  const { output, interrupted, stdin } = context
  const { text, options } = requireQuestion(task)
  const { createInterface } = await import('node:readline/promises')
  const lines = createInterface({ input: stdin, output: process.stderr })
  try {
    for (;;) {
      output.tell(text)
      if (options.length > 0) output.tell(`  ${describeOptions(options)}`)
      const words = await lines.question('> ', { signal: interrupted })
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
  } catch (error) {
    // Interrupted, or the end of the input.
    if (error instanceof Error && ['AbortError', 'ERR_USE_AFTER_CLOSE'].includes(codeOf(error))) {
      return false
    }
    throw error
  } finally {
    lines.close()
  }
}

const codeOf = (error: Error) => (error as NodeJS.ErrnoException).code ?? error.name
