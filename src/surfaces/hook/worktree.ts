/**
 * Claude Code asks for a worktree, or is through with one: of a subagent that is isolated, or of a
 * session. It is a managed one of ours, held by the process that asks for as long as that lives.
 */
import { LONGEST_NAME } from '../../domain/ids.ts'
import type { KnownProcess } from '../../domain/tie.ts'
import { putAway } from '../../engine/put-away.ts'
import { addNamedWorktree } from '../add-worktree.ts'
import type { CommandContext } from '../cli/command.ts'
import { findTie } from '../find-tie.ts'
import { putAwayPorts } from '../hand-in-ports.ts'
import { asCaller } from './hook-context.ts'
import type { HookInput } from './input.ts'
import type { Reply } from './reply.ts'

/** Prints its path, and nothing else. Where there is none, Claude Code says that it failed. */
export async function onWorktreeCreate(input: HookInput, context: CommandContext): Promise<Reply> {
  const caller = asCaller(context, input)
  const wish = { name: nameFor(input.worktree.name), kind: 'managed' } as const
  const holder = await findHolder(caller)
  const { worktree } = await addNamedWorktree({ ...wish, holder }, caller)
  context.output.write(`${worktree.path}\n`)
  return undefined
}

/** What is in it is kept; where it cannot be, or somebody is at work there, it stays for now. */
export async function onWorktreeRemove(input: HookInput, context: CommandContext): Promise<Reply> {
  const { path } = input.worktree
  const ports = await putAwayPorts(context)
  const stored = (await ports.store.listWorktrees()).find(one => one.path === path)
  if (stored === undefined || stored.kind !== 'managed') return undefined
  await ports.files.dropHolder(stored.id)
  await putAway(stored.id, ports)
  return undefined
}

/** As a worktree of ours may be called; nobody else's has that name. */
function nameFor(asked: string): string {
  const name = `claude-${asked.replace(/[^\p{L}\p{N}._-]+/gu, '-')}`
  return [...name].slice(0, LONGEST_NAME).join('')
}

/** The process of the session. Where it cannot be told, somebody has to stand in it to keep it. */
async function findHolder(context: CommandContext): Promise<KnownProcess | null> {
  const { caller, environment, holdfast } = context
  try {
    const tie = findTie(caller, environment, await holdfast.processes())
    return tie.kind === 'process' ? tie.process : null
  } catch {
    return null
  }
}
