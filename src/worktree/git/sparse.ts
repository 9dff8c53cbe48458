/**
 * Sparse checkouts. A task's worktree has the same rules as its caller's checkout, which may have
 * rules of its own: files that these leave out are neither deleted nor missing. Changed files that
 * lie outside of them come along all the same.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { WorktreeRecord } from '../../ports/worktrees.ts'
import { type BytePath, joinPaths } from '../files/paths.ts'
import type { Git, GitPlace } from './git.ts'
import { readIndexFacts } from './private-index.ts'
import { readSettings, type Settings } from './settings.ts'

export interface SparseRules {
  readonly patterns: Buffer
  /** How git is to read them. */
  readonly config: Readonly<Record<string, string>>
}

const rulesFile = (gitDir: string) => join(gitDir, 'info', 'sparse-checkout')

/** The rules of a checkout; null: it is not sparse. One spawn, where it ever was. */
export async function readSparseRules(git: Git, place: GitPlace): Promise<SparseRules | null> {
  if (!existsSync(rulesFile(place.gitDir))) return null
  const { sparse } = await readSettings(git, place)
  if (sparse === null) return null
  return { patterns: readFileSync(rulesFile(place.gitDir)), config: sparse }
}

/**
 * Gives a worktree that has no files yet these rules, or none: git has given it those of the main
 * checkout. Where only the whole repository can be sparse, and is not, it gets all files.
 */
export async function writeSparseRules(
  git: Git,
  { gitDir, commonDir }: Pick<WorktreeRecord, 'gitDir' | 'commonDir'>,
  rules: SparseRules | null,
  settings: () => Promise<Settings>,
): Promise<void> {
  const file = rulesFile(gitDir)
  if (rules === null && !existsSync(file)) return
  const set = async (config: Readonly<Record<string, string>>) => {
    if (!(await settings()).worktreeConfig) return
    for (const [key, value] of Object.entries(config)) {
      await git.run(['config', '--worktree', key, value], { place: { gitDir, commonDir } })
    }
  }
  if (rules === null) {
    rmSync(file)
    return await set({ 'core.sparseCheckout': 'false' })
  }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, rules.patterns)
  await set(rules.config)
}

/** Checks out those of the paths that the rules left out. The index is the tree that has them. */
export async function checkOutBeyond(
  git: Git,
  place: GitPlace,
  paths: Iterable<BytePath>,
): Promise<void> {
  const skipped = new Set((await readIndexFacts(git, place)).skipped)
  const input = joinPaths([...paths].filter(path => skipped.has(path)))
  if (input.length === 0) return
  await git.run(['update-index', '--no-skip-worktree', '-z', '--stdin'], { place, input })
  await git.run(['checkout-index', '--index', '-z', '--stdin'], { place, input })
}
