/** Gathers the rows of the matrix, and prints them when all are there. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { caseNames } from './case-names.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A directory in which each row is left. */
    matrix: string
  }
}

export default function setUp(project: TestProject): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-matrix-'))
  project.provide('matrix', directory)
  return () => {
    const rows = readdirSync(directory).map(file => ({
      agent: file.replace(/\.json$/, ''),
      cells: JSON.parse(readFileSync(join(directory, file), 'utf8')) as Record<string, string>,
    }))
    rmSync(directory, { recursive: true })
    if (rows.length > 0) process.stdout.write(`\n${draw(rows)}\n`)
  }
}

function draw(
  rows: readonly { readonly agent: string; readonly cells: Readonly<Record<string, string>> }[],
): string {
  const lines = [
    ['', ...rows.map(({ agent }) => agent)],
    ...caseNames.map(name => [name, ...rows.map(({ cells }) => cells[name] ?? 'not run')]),
  ]
  const widths = lines[0]?.map((_, n) => Math.max(...lines.map(line => line[n]?.length ?? 0))) ?? []
  return lines.map(line => line.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join('  ')).join('\n')
}
