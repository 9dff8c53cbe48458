/**
 * A trusted command of a repository's as it is run in a worktree: what was trusted when the task was
 * handed in, whatever became of the repository, and of the files in the worktree, since.
 */
import type { TaskId } from '../domain/ids.ts'
import type { CommandRole, SetUpCommand } from '../domain/set-up.ts'
import type { TaskRequest } from '../domain/task.ts'
import type { TaskFiles } from '../ports/task-files.ts'

/** Always there; the program itself is looked up on the PATH. */
export const SHELL = '/bin/sh'

interface Resolved {
  readonly argv: readonly string[]
  /** The scripts that are not in the worktree as they were trusted, and are run from what was kept. */
  readonly kept: readonly string[]
}

export async function resolveTrusted(
  { argv: [program = '', ...rest], scripts }: SetUpCommand,
  role: CommandRole,
  task: TaskId,
  worktree: string,
  files: TaskFiles,
): Promise<Resolved> {
  const places = new Map<string, string>()
  for (const [n, script] of scripts.entries()) {
    places.set(script, await files.chooseScript(task, role, n, `${worktree}/${script}`))
  }
  const kept = scripts.filter(script => places.get(script) !== `${worktree}/${script}`)
  // As an argument a script's own word will do.
  const words = rest.map(word => (kept.includes(word) ? (places.get(word) ?? word) : word))
  const place = places.get(program)
  if (place === undefined) return { argv: [program, ...words], kept }
  // As the program it needs a path, and who reads it.
  const bytes = await files.readScript(task, role, scripts.indexOf(program))
  return { argv: [...readBy(bytes), place, ...words], kept }
}

/** What was kept lies in the state directory, of which nothing that is confined sees more than its own. */
export function describeHidden(kept: readonly string[]): string {
  return `${kept[0]} is not in the worktree as it was trusted, and is run from nowhere else while it is confined`
}

/** What such a command may rely on. */
export function variablesOf(
  { id, repo }: TaskRequest,
  worktree: string,
): Readonly<Record<string, string>> {
  return {
    HOLDFAST_TASK: id,
    HOLDFAST_WORKTREE: worktree,
    CODEX_WORKTREE_PATH: worktree,
    CODEX_SOURCE_TREE_PATH: repo.root,
  }
}

/** By what the system would have it read; so it matters neither that a script is executable nor where it lies. */
export function readBy(bytes: Uint8Array): readonly string[] {
  const [line = ''] = new TextDecoder('latin1').decode(bytes.subarray(0, 512)).split('\n', 1)
  const [, program, argument] = /^#! *(\S+)(?:[ \t]+(.*\S))?[ \t\r]*$/.exec(line) ?? []
  if (program !== undefined) return argument === undefined ? [program] : [program, argument]
  // What is no text is a program of the system's own kind.
  return bytes.subarray(0, 512).includes(0) ? [] : [SHELL]
}
