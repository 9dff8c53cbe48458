/**
 * Claude Code keeps the transcript of a session under the name of the directory that it was begun in:
 * `projects/<directory>/<session>.jsonl`, and a directory of the session's name beside it where it
 * has more to keep. From elsewhere an older one does not find it (tried: 2.1.197); a newer one does,
 * and goes on writing where it lies (2.1.329), which a confined one may not. So that a session goes
 * on in another directory, both are renamed to lie under that one's name.
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Environment, SessionMove, SessionPlan } from '../../ports/agent.ts'
import { configDirectory, nameProject } from '../claude-configuration.ts'
import { namesIn } from '../names-in.ts'

/** See `Agent.planSessionMove`. */
export async function planTranscriptMove(
  { session, from, to }: SessionMove,
  environment: Environment,
): Promise<SessionPlan> {
  const projects = join(configDirectory(environment), 'projects')
  const name = `${session}.jsonl`
  const target = join(projects, nameProject(to))
  // It need not lie where it was begun: its worktree may have been put elsewhere since.
  const holders = [...new Set([nameProject(from), ...namesIn(projects)])]
    .map(project => join(projects, project))
    .filter(project => existsSync(join(project, name)))
  if (holders.length === 0) {
    return { kind: 'stays', why: `Claude Code has no transcript of it below ${projects}` }
  }
  const [source = target] = holders
  if (source !== target && holders.includes(target)) {
    return { kind: 'stays', why: `there is another transcript of it in ${target} already` }
  }
  return {
    kind: 'moves',
    async carry() {
      mkdirSync(target, { recursive: true, mode: 0o700 })
      // The transcript last: where it lies, the session is.
      for (const part of [session, name]) {
        if (source === target || !existsSync(join(source, part))) continue
        renameSync(join(source, part), join(target, part))
      }
    },
  }
}
