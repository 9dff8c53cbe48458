/** A review as text for people. */
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { plainText } from '../../domain/plain-text.ts'
import type { Severity } from '../../domain/review.ts'
import type { Task } from '../../domain/task.ts'
import type { SurfaceContext } from '../context.ts'
import type { ReviewView } from '../view.ts'
import type { FindingView } from './view-review.ts'

type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan'

/** What it is drawn for. */
export interface ReviewCanvas {
  style(name: Style, text: string): string
  link(address: string, text: string): string
}

/** For whatever reads it plain. */
export const plainCanvas: ReviewCanvas = { style: (_, text) => text, link: (_, text) => text }

const severityStyles: Record<Severity, Style> = {
  critical: 'red',
  high: 'red',
  medium: 'yellow',
  low: 'cyan',
}

/** Of one that has ended. `tops`: checkouts in which its files may be, the first one first. */
export function renderReview(
  view: ReviewView,
  tops: readonly string[],
  canvas: ReviewCanvas,
): string {
  const { verdict, summary, findings, next_steps, answer, problem, target, kind } = view
  const what = `${kind === 'adversarial' ? 'Adversarial review' : 'Review'} of ${target.label}`
  if (verdict === null) {
    const why = problem === null ? 'it has not ended' : problem
    const said = answer === null ? [] : ['', 'This is what it said:', '', plainText(answer)]
    return joined([`${what}: no verdict (${plainText(why)})`, ...said])
  }
  const word =
    verdict === 'approve'
      ? canvas.style('green', 'approve')
      : canvas.style('yellow', 'needs attention')
  return joined([
    `${what}: ${word}`,
    ...(summary === null || summary === '' ? [] : ['', plainText(summary)]),
    '',
    ...(findings.length === 0
      ? ['It found nothing.']
      : findings.flatMap(finding => [...renderFinding(finding, tops, canvas), ''])),
    ...(next_steps.length === 0
      ? []
      : ['Next steps:', ...next_steps.map(step => `- ${indent(plainText(step)).trimStart()}`)]),
  ])
}

function renderFinding(
  finding: FindingView,
  tops: readonly string[],
  canvas: ReviewCanvas,
): string[] {
  const { number, severity, title, body, confidence, recommendation } = finding
  const grade =
    severity === null
      ? canvas.style('dim', 'no severity')
      : canvas.style(severityStyles[severity], severity)
  const sure = confidence === null ? '' : `  confidence ${confidence}`
  const place = renderPlace(finding, tops, canvas)
  return [
    `${number}. ${grade}  ${canvas.style('bold', plainText(title))}`,
    ...(place === null ? [] : [`   ${place}${canvas.style('dim', sure)}`]),
    ...(body === '' || body === title ? [] : [indent(plainText(body))]),
    ...(recommendation === '' ? [] : [indent(`→ ${plainText(recommendation)}`)]),
  ]
}

const REMARKS = {
  there: '',
  removed: ' (removed by the change)',
  no_such_file: ' (there is no such file)',
  no_such_lines: ' (it has no such lines)',
} as const

/** `a.ts:3-7`, and what is wrong with that; null: it names no file. */
function renderPlace(
  finding: FindingView,
  tops: readonly string[],
  canvas: ReviewCanvas,
): string | null {
  const { file, line_start, place } = finding
  if (file === null) return null
  const text = plainText(describePlace(finding) ?? '')
  const path =
    place === 'there' || place === 'no_such_lines'
      ? tops.map(top => join(top, file)).find(one => existsSync(one))
      : undefined
  const shown = path === undefined ? text : canvas.link(fileAddress(path, line_start), text)
  return `${shown}${canvas.style('dim', place === null ? '' : REMARKS[place])}`
}

/** `a.ts:3-7`, `a.ts:3`, `a.ts`; null: it names no file. */
export function describePlace({
  file,
  line_start,
  line_end,
}: Pick<FindingView, 'file' | 'line_start' | 'line_end'>): string | null {
  if (file === null || line_start === null) return file
  const end = line_end !== null && line_end > line_start ? `-${line_end}` : ''
  return `${file}:${line_start}${end}`
}

/** With the host: a terminal may be elsewhere, and have a file of the same name. */
function fileAddress(path: string, line: number | null): string {
  const { pathname } = pathToFileURL(path)
  return `file://${hostname()}${pathname}${line === null ? '' : `#${line}`}`
}

const indent = (text: string) => text.trim().replace(/^(?=.)/gm, '   ')
const joined = (lines: readonly string[]) => `${lines.join('\n').trimEnd()}\n`

/** Where the files of a review may be looked at, the best first. */
export async function findTops(
  { request, worktree }: Task,
  { holdfast }: SurfaceContext,
): Promise<readonly string[]> {
  const own = worktree === null ? [] : [worktree.path]
  const target = request.review?.target
  if (target?.kind !== 'task') return [request.repo.root, ...own]
  const reviewed = await (await holdfast.store()).findTask(target.task)
  const stands = reviewed?.worktree ?? null
  return [...(stands === null ? [] : [stands.path]), ...own]
}
