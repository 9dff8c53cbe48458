/** Yes or no, at this terminal. */
import type { CommandContext } from './command.ts'

interface Asker {
  /** What Enter alone means is `otherwise`; so does the end of the input. */
  ask(question: string, otherwise: boolean): Promise<boolean>
  close(): void
}

export async function openAsker({ stdin, output }: CommandContext): Promise<Asker> {
  const { createInterface } = await import('node:readline')
  // The terminal itself edits the line: an interrupt ends the command, as it does elsewhere.
  const reader = createInterface({ input: stdin, terminal: false })
  const lines = reader[Symbol.asyncIterator]()
  return {
    async ask(question, otherwise) {
      for (;;) {
        output.tell(`${question} ${otherwise ? '[Y/n]' : '[y/N]'}`)
        const { done, value } = await lines.next()
        const answer = done === true ? '' : String(value).trim().toLowerCase()
        if (answer === '') return otherwise
        if (['y', 'yes'].includes(answer)) return true
        if (['n', 'no'].includes(answer)) return false
      }
    },
    close() {
      reader.close()
    },
  }
}
