/** What differs between two commits, for those who review it. Nothing of the repository is changed. */
import { existsSync } from 'node:fs'
import { type CommitId, parseCommitId } from '../../domain/ids.ts'
import type { ChangedFile } from '../../domain/patch-sections.ts'
import type { Checkout, CommitChange } from '../../ports/worktrees.ts'
import { splitAtNul } from '../git/conversion.ts'
import { type Git, GitError, type GitPlace } from '../git/git.ts'

/** For people: with renames, and without what git itself would have to be asked to apply. */
const SHOWN = ['--no-ext-diff', '--no-textconv', '--no-color', '-M', '--ignore-submodules=none']
const PATCH = ['-p', '-U5', '--src-prefix=a/', '--dst-prefix=b/']

/** See `Worktrees.compareCommits`. Two spawns at once, and one more before for a first commit. */
export async function compareCommits(
  git: Git,
  commonDir: string,
  { from, to, mostBytes }: { from: CommitId | null; to: CommitId; mostBytes: number },
): Promise<CommitChange> {
  const place = { gitDir: commonDir }
  const before = from ?? (await emptyTree(git, place))
  const commits = [before, to, '--']
  const [counts, patch] = await Promise.all([
    git.run(['diff-tree', '-r', '--numstat', '-z', ...SHOWN, ...commits], { place }),
    readAtMost(git, ['diff-tree', '-r', ...PATCH, ...SHOWN, ...commits], place, mostBytes),
  ])
  return { from: before, to, files: parseCounts(counts.stdout), patch: asText(patch) }
}

/** Git knows it without having it. */
async function emptyTree(git: Git, place: GitPlace): Promise<string> {
  const { stdout } = await git.run(['hash-object', '-t', 'tree', '--stdin'], {
    place,
    input: new Uint8Array(),
  })
  return stdout.toString('latin1').trim()
}

/** `<insertions> <deletions> <path>`; of a renamed file the path is empty, and two fields follow. */
function parseCounts(output: Buffer): ChangedFile[] {
  const fields = splitAtNul(output).map(field => field.toString('utf8'))
  const files: ChangedFile[] = []
  for (let at = 0; at < fields.length; at++) {
    const [insertions = '', deletions = '', ...rest] = (fields[at] ?? '').split('\t')
    const named = rest.join('\t')
    const was = named === '' ? (fields[++at] ?? '') : null
    const path = named === '' ? (fields[++at] ?? '') : named
    files.push({
      path: oneLine(path),
      was: was === null ? null : oneLine(was),
      insertions: insertions === '-' ? null : Number(insertions),
      deletions: deletions === '-' ? null : Number(deletions),
    })
  }
  return files
}

/** A name may have line ends; in a list it may not end its line. */
const oneLine = (path: string) => path.replace(/[\r\n\0]/g, '?')

/** What no prompt may contain is replaced. */
const asText = (bytes: Buffer) => bytes.toString('utf8').replaceAll('\0', '\uFFFD')

/** The beginning of what it says, if that is longer. */
async function readAtMost(
  git: Git,
  words: readonly string[],
  place: GitPlace,
  most: number,
): Promise<Buffer> {
  const running = git.start(words, { place, config: { 'core.quotePath': 'false' } })
  running.stdin?.end()
  const chunks: Buffer[] = []
  let length = 0
  running.stdout?.on('data', (chunk: Buffer) => {
    if (length > most) return
    chunks.push(chunk)
    length += chunk.length
    if (length > most) running.kill()
  })
  try {
    await running.ended
  } catch (error) {
    // It died of our own signal.
    if (!(error instanceof GitError) || length <= most) throw error
  }
  const whole = Buffer.concat(chunks)
  // One that is cut off must not look as if it ended there.
  return length > most ? whole.subarray(0, whole[most - 1] === 0x0a ? most - 1 : most) : whole
}

/** See `Worktrees.mergeBase`. */
export async function mergeBase(
  git: Git,
  { gitDir, head }: Checkout,
  commit: CommitId,
): Promise<CommitId | null> {
  const { status, stdout } = await git.run(['merge-base', head, commit], {
    place: { gitDir },
    answers: [1],
  })
  return status === 0 ? (parseCommitId(stdout.toString('latin1').trim()) ?? null) : null
}

/** See `Worktrees.parentOf`. */
export async function parentOf(
  git: Git,
  commonDir: string,
  commit: CommitId,
): Promise<CommitId | null> {
  const words = ['rev-parse', '--verify', '--quiet', `${commit}^`]
  const { stdout } = await git.run(words, { place: { gitDir: commonDir }, answers: [1] })
  return parseCommitId(stdout.toString('latin1').trim()) ?? null
}

/** See `Worktrees.countFileLines`. One spawn. */
export async function countFileLines(
  git: Git,
  commonDir: string,
  commit: CommitId,
  paths: readonly string[],
): Promise<ReadonlyMap<string, number> | null> {
  if (!existsSync(commonDir)) return null
  const asked = paths.filter(path => !/[\r\n\0]/.test(path))
  const stdout = await readObjects(git, commonDir, [
    commit,
    ...asked.map(path => `${commit}:${path}`),
  ])
  if (stdout === null) return null
  const lines = new Map<string, number>()
  const answers = batchAnswers(stdout)
  if (answers.next().value?.kind !== 'commit') return null
  for (const path of asked) {
    const answer = answers.next().value
    if (answer?.kind === 'blob') lines.set(path, countLines(answer.content))
  }
  return lines
}

async function readObjects(
  git: Git,
  commonDir: string,
  names: readonly string[],
): Promise<Buffer | null> {
  const input = Buffer.from(names.join('\n'))
  try {
    return (await git.run(['cat-file', '--batch'], { place: { gitDir: commonDir }, input })).stdout
  } catch (error) {
    // What is there is no repository (any more).
    if (error instanceof GitError) return null
    throw error
  }
}

interface BatchAnswer {
  /** Of what is there; `''`: it is not. */
  readonly kind: string
  readonly content: Buffer
}

/** `<id> <kind> <size>`, the content, a line end; or one line that says that there is none. */
function* batchAnswers(output: Buffer): Generator<BatchAnswer, undefined> {
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf('\n', at)
    const header = output.subarray(at, end).toString('latin1')
    const [, kind = '', size = ''] = /^[0-9a-f]{40,64} ([a-z]+) (\d+)$/.exec(header) ?? []
    at = end + 1
    yield { kind, content: output.subarray(at, at + Number(size)) }
    if (kind !== '') at += Number(size) + 1
  }
}

/** What stands after the last line end is a line, too. */
function countLines(content: Buffer): number {
  let lines = 0
  for (let at = content.indexOf('\n'); at >= 0; at = content.indexOf('\n', at + 1)) lines++
  return content.length === 0 || content.at(-1) === 0x0a ? lines : lines + 1
}
