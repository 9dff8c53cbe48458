/** Gathers the rows of the matrix, and prints them when all are there. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { drawTable, type Row } from './draw.ts'

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
      cells: JSON.parse(readFileSync(join(directory, file), 'utf8')) as Row['cells'],
    }))
    rmSync(directory, { recursive: true })
    if (rows.length > 0) process.stdout.write(`\n${drawTable(rows)}\n`)
  }
}
