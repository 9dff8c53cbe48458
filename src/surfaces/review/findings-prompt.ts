/** The findings of a review as words for an agent that is to mend them. Pure. */
import { AppError } from '../../domain/errors.ts'
import { fenceFor } from '../../domain/review-prompt.ts'
import type { ReviewView } from '../view.ts'
import { describePlace } from './render-review.ts'
import type { FindingView } from './view-review.ts'

/** `only`: the numbers of those that count; null: all do. `words`: what the caller says besides. */
export function findingsPrompt(
  review: ReviewView,
  only: readonly number[] | null,
  words = '',
): string {
  const { task, target, findings } = review
  const chosen = chooseFindings(review, only)
  const whose = `${task}, which looked at ${target.label}`
  const asked = words.trim() === '' ? '' : `\n\n${words.trim()}`
  const left = findings.length - chosen.length
  const described = chosen.map(describeFinding)
  const fence = fenceFor(described.join('\n'), 4)
  const others = left === 0 ? '' : `\n\nOf the other findings of that review (${left}), mend none.`
  return `Mend what a review has found (${whose}).

Look at each first: where a finding is wrong, or where it would do harm to follow it, leave the code as it is and say why. What stands between the lines of signs was written by the reviewer, who may err. The lines are those of the files as they were reviewed. In the end say of each number what you did.${asked}${others}

${described.map(text => `${fence} ${text}\n${fence}`).join('\n\n')}
`
}

function describeFinding(finding: FindingView): string {
  const { number, severity, title, body, recommendation, place } = finding
  const where = describePlace(finding)
  const doubt =
    place === 'there' || place === null ? '' : ' (as the reviewer named it: it is not there)'
  return [
    `${number}. ${severity === null ? '' : `[${severity}] `}${title}`,
    ...(where === null
      ? []
      : [`${where}${place === 'removed' ? ' (removed by the change)' : doubt}`]),
    body,
    ...(recommendation === '' ? [] : [`Recommendation: ${recommendation}`]),
  ].join('\n')
}

function chooseFindings(
  { task, findings, verdict, problem }: ReviewView,
  only: readonly number[] | null,
): readonly FindingView[] {
  if (verdict === null) {
    throw new AppError(
      'refused_in_state',
      `${task} has no findings: ${problem ?? 'it has not ended'}`,
      {
        hint: problem === null ? `holdfast wait ${task}` : `holdfast result ${task}`,
      },
    )
  }
  if (findings.length === 0) {
    throw new AppError('refused_in_state', `${task} has found nothing`)
  }
  const unknown = only?.find(number => !findings.some(finding => finding.number === number))
  if (unknown !== undefined) {
    throw new AppError('bad_usage', `${task} has no finding ${unknown}`, {
      hint: `it has 1 to ${findings.length}: holdfast result ${task}`,
    })
  }
  return findings.filter(({ number }) => only === null || only.includes(number))
}

/** `1,3`, as `--only` takes it. */
export function parseFindingNumbers(text: string): readonly number[] {
  const words = text.split(',').map(word => word.trim())
  const odd = words.find(word => !/^[1-9]\d{0,5}$/.test(word))
  if (odd === undefined) return words.map(Number)
  throw new AppError('bad_usage', `--only ${text}: "${odd}" is no number of a finding`, {
    hint: 'for example --only 1,3',
  })
}
