/** A group as text for people, within 80 columns. */
import type { GroupDiffView, GroupView } from '../view.ts'
import type { Output } from './output.ts'
import { describeAge, renderTaskLine } from './render.ts'

type Canvas = Pick<Output, 'style'>
type Row = GroupDiffView['tasks'][number]

/** One line a member, and above them what they have in common. */
export function renderGroup(
  { name, tasks, picked }: GroupView,
  now: number,
  output: Canvas,
): string {
  const lines = tasks.map(task => renderTaskLine(task, now, output))
  const chosen = tasks.filter(({ id }) => picked.includes(id)).map(task => task.name)
  const which = chosen.length === 0 ? '' : `; picked: ${chosen.join(', ')}`
  return [`${name}: a group of ${tasks.length}${which}`, ...lines].join('\n')
}

const HEADINGS = ['', 'state', 'verified', 'changed', 'worked', 'cost'] as const

/** The widest that a name may be beside all else in 80 columns. */
const NAME_WIDTH = 26

/** What each has come to, side by side; what is not known is a dash. */
export function renderComparison({ name, picked, tasks }: GroupDiffView, output: Canvas): string {
  const isVerified = tasks.some(({ verify }) => verify !== null)
  const shown = HEADINGS.map((_, at) => isVerified || at !== 2)
  const cells = tasks.map(task => cellsOf(task, name, picked).filter((_, at) => shown[at]))
  const table = [HEADINGS.filter((_, at) => shown[at]), ...cells]
  const widths = (table[0] ?? []).map((_, at) =>
    Math.max(...table.map(row => [...(row[at] ?? '')].length)),
  )
  const lines = table.map(row =>
    row
      .map((cell, at) => cell + ' '.repeat((widths[at] ?? 0) - [...cell].length))
      .join('  ')
      .trimEnd(),
  )
  const [heading = '', ...rest] = lines
  return [output.style('dim', heading), ...rest].join('\n')
}

function cellsOf(task: Row, group: string, picked: readonly string[]): readonly string[] {
  const { id, state, verify, workedMs } = task
  return [
    shorten(`${picked.includes(id) ? '* ' : '  '}${ownName(task, group)}`),
    state,
    verify === null ? '–' : verify.replace('_', ' '),
    describeChanges(task),
    describeAge(workedMs),
    describeCost(task),
  ]
}

/** All of them begin with the name of the group. */
function ownName({ name }: Row, group: string): string {
  return name.startsWith(`${group}-`) ? name.slice(group.length + 1) : name
}

function shorten(text: string): string {
  const letters = [...text]
  return letters.length <= NAME_WIDTH ? text : `${letters.slice(0, NAME_WIDTH - 1).join('')}…`
}

function describeChanges({ files, insertions, deletions }: Row): string {
  if (files === null) return '–'
  if (files === 0) return 'nothing'
  return `${files === 1 ? '1 file' : `${files} files`} +${insertions} -${deletions}`
}

/** In dollars where they are known, else in tokens. */
function describeCost({ usage }: Row): string {
  if (usage === null) return '–'
  const { costUsd, inputTokens, outputTokens } = usage
  if (costUsd !== null) return `$${costUsd.toFixed(2)}`
  if (inputTokens === null && outputTokens === null) return '–'
  const tokens = (inputTokens ?? 0) + (outputTokens ?? 0)
  return tokens < 10_000 ? `${tokens} tok` : `${Math.round(tokens / 1_000)}k tok`
}
