/** The table of what was measured, in Markdown. */
import type { Spread } from './measure.ts'

export interface Row {
  readonly figure: string
  readonly measured: string
  /** What it was compared with, in the same rounds; null: it stands for itself. */
  readonly baseline: string | null
  /** Of what the bar is about. */
  readonly spread: string | null
  readonly bar: string
  readonly verdict: 'ok' | 'MISSED' | 'skipped' | 'not measured'
}

/** Measures one figure; each gives one row or more. */
export type Figure<Place> = (place: Place) => Promise<readonly Row[]>

export const verdictOf = (value: number, bar: number): Row['verdict'] =>
  value <= bar ? 'ok' : 'MISSED'

export const shownMs = (ms: number) => `${ms.toFixed(0)} ms`
export const shownBytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

export function shownSpread({ min, median, max }: Spread, digits = 2): string {
  return [min, median, max].map(value => value.toFixed(digits)).join(' / ')
}

/** A row for what could not be measured, and why. */
export function rowWithout(figure: string, verdict: 'skipped' | 'not measured', why: string): Row {
  return { figure, measured: why, baseline: null, spread: null, bar: '–', verdict }
}

export function drawTable(rows: readonly Row[]): string {
  const cells = [
    ['figure', 'measured', 'baseline', 'min / median / max', 'bar', ''],
    ...rows.map(({ figure, measured, baseline, spread, bar, verdict }) => [
      figure,
      measured,
      baseline ?? '–',
      spread ?? '–',
      bar,
      verdict,
    ]),
  ].map(line => line.map(cell => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')))
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(3, ...cells.map(line => line[column]?.length ?? 0)),
  )
  const draw = (line: readonly string[]) =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = cells
  const rule = widths.map(width => '-'.repeat(width))
  return [head, rule, ...body].map(draw).join('\n')
}
