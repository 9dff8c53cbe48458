import { messageOf } from '../../../domain/errors.ts'
import type { DemoView } from '../../view.ts'
import { defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'

export const demo = defineCommand({
  name: 'demo',
  group: 'Keep house',
  summary: 'Watch a task outlive its caller, its agent and the worker; needs no account',
  usage: 'demo',
  flags: jsonFlag,
  examples: ['holdfast demo'],
  async run({ flags, words }, { environment, holdfast, output }) {
    refuseWords(words, 'demo')
    const { playDemo } = await import('../../../demo/demo.ts')
    const json = flags.json === true
    const view: DemoView = { ok: true, told: [], problem: null }
    const say = (line: string) => {
      if (json) view.told.push(line)
      else output.write(`${line}\n`)
    }
    try {
      await playDemo({ holdfast: holdfast.command, environment, say })
    } catch (error) {
      view.ok = false
      view.problem = messageOf(error)
      output.tell(`the demo failed: ${view.problem}`)
    }
    if (json) output.writeJson(view)
    return view.ok ? exitCodes.done : exitCodes.taskFailed
  },
})
