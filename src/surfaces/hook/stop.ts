/**
 * A session is about to stop. Where its user wants that, what its turn has changed is reviewed first,
 * and it goes on if something must be mended: at most so many times in a row. Whatever goes wrong
 * with us, it stops, and its user is told in a line.
 */
import { configuredStopReviewRounds } from '../../domain/configuration.ts'
import { messageOf } from '../../domain/errors.ts'
import { planStop, type Standing, type StopPlan, type Turn } from '../../domain/turn.ts'
import type { CommandContext } from '../cli/command.ts'
import { asCaller, taskAround } from './hook-context.ts'
import type { HookInput } from './input.ts'
import { answerUser, cut, type Reply } from './reply.ts'
import { reviewTurn } from './review-turn.ts'
import { agentTitle } from './take-request.ts'
import { standingIfReviewed } from './turn.ts'

export async function onStop(input: HookInput, context: CommandContext): Promise<Reply> {
  if (taskAround(context) !== undefined) return undefined
  try {
    const { configuration, now } = await standingIfReviewed(input, context)
    if (now === undefined) return undefined
    const mostRounds = configuredStopReviewRounds(configuration)
    return await decide(input, now, mostRounds, context)
  } catch (error) {
    await (await context.holdfast.pluginFiles()).log(`Stop: ${messageOf(error)}`)
    return tellUser(`this turn was not reviewed: ${messageOf(error)}`)
  }
}

async function decide(
  input: HookInput,
  now: Standing,
  mostRounds: number,
  context: CommandContext,
): Promise<Reply> {
  const files = await context.holdfast.pluginFiles()
  const keep = async (rest: Omit<Turn, 'from'>) =>
    await files.keepTurn(input.session, { from: now, ...rest })
  const { isAgain, said } = input.stop
  const plan = planStop(await files.findTurn(input.session), now, { isAgain, mostRounds })
  // From here on it has stopped, whatever becomes of the review.
  await keep({ isOpen: false, rounds: 0, review: null })
  if (plan.kind === 'stop') return tellOpenFindings(plan)
  const review = await reviewTurn({ ...plan.change, said }, asCaller(context, input))
  if (review === undefined) return undefined
  const { id, agent, mustMend, remarks } = review
  const who = agentTitle(agent)
  if (mustMend === null) {
    const rest = remarks === 0 ? '' : `; ${count(remarks, 'remark')}: holdfast result ${id}`
    return tellUser(`${who} has reviewed this turn, and found nothing that must be mended${rest}`)
  }
  const round = plan.rounds + 1
  await keep({ isOpen: true, rounds: round, review: id })
  const text = `Holdfast: before you stop, ${who} has reviewed what this turn changed (round ${round} of at most ${mostRounds}) and found what must be mended:

${mustMend}

Mend it. Where a finding does not hold, say in a sentence why. Then stop again.`
  return answerUser(cut(text, `holdfast result ${id}`))
}

function tellOpenFindings({ why, rounds, findings }: StopPlan & { kind: 'stop' }): Reply {
  if (findings === null) return undefined
  const what =
    why === 'rounds'
      ? `was kept from stopping ${count(rounds, 'time')}; what it did since was not reviewed`
      : 'has changed nothing since its review'
  return tellUser(`this session ${what}. The findings: holdfast result ${findings}`)
}

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`

const tellUser = (line: string): Reply => ({ systemMessage: `Holdfast: ${line.split('\n')[0]}` })
