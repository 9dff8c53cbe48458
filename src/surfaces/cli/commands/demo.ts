import { defineCommand, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'

export const demo = defineCommand({
  name: 'demo',
  group: 'Keep house',
  summary: 'Watch a task outlive its caller, its agent and the worker; needs no account',
  usage: 'demo',
  flags: {},
  examples: ['holdfast demo'],
  async run({ words }, { environment, holdfast, output }) {
    refuseWords(words, 'demo')
    const { playDemo } = await import('../../../demo/demo.ts')
    try {
      await playDemo({
        holdfast: holdfast.command,
        environment,
        say: line => output.write(`${line}\n`),
      })
    } catch (error) {
      output.tell(`the demo failed: ${error instanceof Error ? error.message : error}`)
      return exitCodes.taskFailed
    }
    return exitCodes.done
  },
})
