import { AppError } from '../../../domain/errors.ts'
import { defineCommand, type FlagValues, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { parseDuration } from '../flags.ts'

const flags = {
  request: { about: 'what was kept of it, by its id', value: 'ID' },
  resume: { about: 'go on in the newest session of this caller' },
  fresh: { about: 'begin a new session' },
  atMost: { about: 'wait no longer; the task goes on', value: 'DURATION' },
} as const

export const rescue = defineCommand({
  name: 'rescue',
  group: 'For programs',
  summary: 'Hand in what was typed after a command of the plugin for Claude Code',
  usage: 'rescue --request ID',
  flags,
  examples: ['holdfast rescue --request 0123456789abcdef01234567'],
  run: async ({ flags: given, words }, context) => {
    refuseWords(words, 'rescue --request ID')
    const { rescue: carryOut } = await import('../../rescue/rescue.ts')
    await carryOut(readFlags(given), context)
    return exitCodes.done
  },
})

function readFlags({ request: id, resume, fresh, atMost: limit }: FlagValues<typeof flags>) {
  if (id === undefined) {
    throw new AppError('bad_usage', '--request is missing', {
      hint: 'people hand in a task with: holdfast run "…"',
    })
  }
  if (resume === true && fresh === true) {
    throw new AppError('bad_usage', '--resume and --fresh exclude each other')
  }
  return {
    request: id,
    resume: resume === true ? true : fresh === true ? false : undefined,
    atMostMs: limit === undefined ? undefined : parseDuration(limit, 'at-most'),
  }
}
