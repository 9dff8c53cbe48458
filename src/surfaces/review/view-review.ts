/** The answer of a review as a document: read, sorted, and held against the tree that it is of. */
import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { CommitId } from '../../domain/ids.ts'
import { type ReviewFinding, sortFindings } from '../../domain/review.ts'
import { baseTreeCommit, hasEnded, type Task } from '../../domain/task.ts'
import type { SurfaceContext } from '../context.ts'
import { viewReviewTarget } from '../make-view.ts'
import type { ReviewView } from '../view.ts'
import { type ReadAnswer, readAnswer } from './read-answer.ts'

export type FindingView = ReviewView['findings'][number]

/** Of a task that has not ended, it is empty. Refuses one that is no review. */
export async function viewReview(task: Task, context: SurfaceContext): Promise<ReviewView> {
  const { id, name, review, base } = task.request
  if (review === null) {
    throw new AppError('refused_in_state', `${id} is no review`, {
      hint: `to have it reviewed: holdfast review ${id}`,
    })
  }
  const { kind, focus, target } = review
  const text = hasEnded(task.state) ? (task.state.result?.answer ?? null) : null
  const { answer, problem } = readEnd(task, text)
  return {
    task: id,
    name,
    agent: task.agent,
    state: task.state.name,
    kind,
    focus,
    target: viewReviewTarget(target, base),
    verdict: answer?.verdict ?? null,
    summary: answer?.summary ?? null,
    findings: await placeFindings(sortFindings(answer?.findings ?? []), task, context),
    next_steps: [...(answer?.next_steps ?? [])],
    answer: text,
    problem,
  }
}

function readEnd(
  { state }: Task,
  text: string | null,
): ReadAnswer | { readonly answer: null; readonly problem: string | null } {
  if (!hasEnded(state)) return { answer: null, problem: null }
  // Half of one is no verdict, whatever it says.
  if (state.name === 'failed') return { answer: null, problem: state.failure.message }
  if (state.name === 'cancelled') return { answer: null, problem: 'it was cancelled' }
  return text === null ? { answer: null, problem: 'it ended without an answer' } : readAnswer(text)
}

async function placeFindings(
  findings: readonly ReviewFinding[],
  task: Task,
  { holdfast }: SurfaceContext,
): Promise<FindingView[]> {
  const { base, review, repo } = task.request
  const worktree = task.worktree?.path ?? (await holdfast.files()).worktreePath(task.request.id)
  const tops = [worktree, asStoodIn(worktree), repo.root]
  const namesOf = ({ file }: ReviewFinding) =>
    file === null ? [] : pathsMeant(file, tops, repo.subdirectory)
  const names = [...new Set(findings.flatMap(namesOf))]
  const isAnyNamed = findings.some(({ file }) => file !== null)
  const worktrees = await holdfast.worktrees()
  const count = async (commit: CommitId | null) =>
    commit === null || !isAnyNamed
      ? null
      : await worktrees.countFileLines(repo.commonDir, commit, names)
  const after = await count(baseTreeCommit(base))
  const isMissing = (name: string) => after?.has(name) === false
  const target = review?.target
  const from = target === undefined || target.kind === 'uncommitted' ? base.commit : target.from
  const before = names.some(isMissing) ? await count(from) : null
  return findings.map((finding, n) => {
    const meant = namesOf(finding)
    const there = meant.find(name => after?.has(name) === true)
    const was = meant.find(name => before?.has(name) === true)
    const lines = there === undefined ? undefined : after?.get(there)
    return {
      ...finding,
      number: n + 1,
      file: there ?? was ?? finding.file,
      place:
        finding.file === null || after === null
          ? null
          : lines !== undefined
            ? isWithin(finding, lines)
              ? 'there'
              : 'no_such_lines'
            : was === undefined
              ? 'no_such_file'
              : 'removed',
    }
  })
}

/** By the name that the system gives whoever stands in it: the state directory may be reached by a link. */
function asStoodIn(worktree: string): string {
  const above = dirname(worktree)
  return existsSync(above) ? join(realpathSync(above), basename(worktree)) : worktree
}

function isWithin({ line_start, line_end }: ReviewFinding, lines: number): boolean {
  return Math.max(line_start ?? 1, line_end ?? 1) <= Math.max(1, lines)
}

/**
 * What an agent may mean by a path, as paths from the top of the repository: it may name it from one
 * of `tops`, from where it stood below it, with the `a/` and `b/` of a patch, or in git's quotes. Pure.
 */
export function pathsMeant(
  file: string,
  tops: readonly string[],
  subdirectory: string,
): readonly string[] {
  const name = unquotedName(file)
  const top = tops.find(one => name.startsWith(`${one}/`))
  const inside = posix.normalize(top === undefined ? name : name.slice(top.length + 1))
  const meant = [inside]
  if (subdirectory !== '') meant.push(posix.join(subdirectory, inside))
  if (/^[ab]\//.test(inside)) meant.push(inside.slice(2))
  return meant.filter(path => !/^(?:\/|\.\.(?:\/|$)|\.$)/.test(path))
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', t: '\t', n: '\n', v: '\v', f: '\f', r: '\r' },
}

/** Git shows a name in quotes, with its bytes in octal, where it is not plain ASCII (`core.quotePath`). */
function unquotedName(name: string): string {
  const [, inner] = /^"(.*)"$/s.exec(name) ?? []
  if (inner === undefined) return name
  const bytes = Buffer.from(inner)
    .toString('latin1')
    .replace(/\\(?:([0-7]{3})|(.))/gs, (_, octal: string | undefined, sign = '') =>
      octal === undefined
        ? (ESCAPES[sign] ?? sign)
        : String.fromCharCode(Number.parseInt(octal, 8)),
    )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
