/** The matrix as text: a row for each agent, a column for each case. */
import { type CaseName, caseNames } from './case-names.ts'

export interface Row {
  readonly agent: string
  readonly cells: Readonly<Partial<Record<CaseName, string>>>
}

const linesOf = (rows: readonly Row[]): readonly (readonly string[])[] => [
  ['agent', ...caseNames],
  ...rows.map(({ agent, cells }) => [agent, ...caseNames.map(name => cells[name] || 'not run')]),
]

/** For a terminal. */
export function drawTable(rows: readonly Row[]): string {
  const lines = linesOf(rows)
  const widths = lines[0]?.map((_, n) => Math.max(...lines.map(line => line[n]?.length ?? 0))) ?? []
  const draw = (line: readonly string[]) =>
    line.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join('  ')
  return lines.map(line => draw(line).trimEnd()).join('\n')
}

export function drawMarkdown(rows: readonly Row[]): string {
  const [head = [], ...lines] = linesOf(rows)
  const draw = (line: readonly string[]) => `| ${line.join(' | ')} |`
  return [draw(head), `|${'---|'.repeat(head.length)}`, ...lines.map(draw)].join('\n')
}
