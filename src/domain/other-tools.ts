/** Worktrees that other tools have made: known by where they lie. Pure. */
import { findNameProblem } from './ids.ts'

export interface OtherTool {
  readonly tool: 'Codex' | 'Claude Code' | 'claude-squad' | 'Vibe Kanban'
  /** What it will be called here: `run --worktree NAME`. */
  readonly name: string
}

/** `codexHome`, absolute: where Codex, its App and its CLI, keep theirs. Undefined: it is of none. */
export function findOtherTool(path: string, codexHome: string): OtherTool | undefined {
  const below = (marker: string) => {
    const at = path.indexOf(marker)
    return at === -1 ? undefined : path.slice(at + marker.length).split('/')
  }
  const codex = path.startsWith(`${codexHome}/worktrees/`) ? below('/worktrees/') : undefined
  // `<four hex digits>/<repository>`: the digits alone say which.
  if (codex !== undefined) return { tool: 'Codex', name: nameOf(`codex-${codex[0]}`) }
  const claude = below('/.claude/worktrees/')
  if (claude !== undefined) return { tool: 'Claude Code', name: nameOf(claude.join('-')) }
  const squad = below('/.claude-squad/worktrees/')
  if (squad !== undefined) return { tool: 'claude-squad', name: nameOf(squad.join('-')) }
  const vibe = below('/vibe-kanban/worktrees/')
  return vibe === undefined ? undefined : { tool: 'Vibe Kanban', name: nameOf(vibe.join('-')) }
}

function nameOf(text: string): string {
  const plain = text.replace(/[^\p{L}\p{N}._-]/gu, '-').replace(/^[^\p{L}\p{N}]+/u, '')
  const name = [...plain].slice(0, 50).join('')
  return findNameProblem(name) === null ? name : `adopted-${name}`
}

/** The process that the reason of a lock names, as Claude Code writes it; undefined: none. */
export function lockHolder(reason: string): number | undefined {
  const [, pid] = /\bpid (\d{1,9})\b/.exec(reason) ?? []
  return pid === undefined ? undefined : Number(pid)
}
