import { defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { lookAtAgents, renderAgent } from '../look-at-agents.ts'

export const agents = defineCommand({
  name: 'agents',
  group: 'Keep house',
  summary: 'Which agents are there, logged in, and who confines them',
  usage: 'agents',
  flags: jsonFlag,
  examples: ['holdfast agents', 'holdfast agents --json'],
  async run({ flags, words }, context) {
    refuseWords(words, 'agents')
    const { output } = context
    const views = await lookAtAgents(context)
    if (flags.json === true) {
      output.writeJson({ agents: views })
      return exitCodes.done
    }
    output.write(`${views.map(view => renderAgent(view, context)).join('\n')}\n`)
    const hasDefault = views.some(view => view.default)
    output.tell(`next: ${hasDefault ? 'holdfast run "…"' : 'holdfast run command -- npm test'}`)
    return exitCodes.done
  },
})
