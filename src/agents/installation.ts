/** What an agent is run as, and what is wrong with it: found on the caller's PATH, known by its version. */
import { AppError } from '../domain/errors.ts'
import type { AgentInstallation, Environment } from '../ports/agent.ts'
import { askProgram } from './ask-program.ts'
import { isOlder, parseVersion } from './versions.ts'

/** `trouble`: `agent_missing` or `agent_too_old`. */
export type Sight =
  | { readonly installation: AgentInstallation; readonly trouble: null }
  | { readonly installation: AgentInstallation | null; readonly trouble: AppError }

/** Refuses with what is wrong with it. */
export function requireUsable({ installation, trouble }: Sight): AgentInstallation {
  if (trouble !== null) throw trouble
  return installation
}

export function missing(message: string, hint: string): Sight {
  return { installation: null, trouble: new AppError('agent_missing', message, { hint }) }
}

/** `minimum`: the oldest version that was tried. One that nobody knows may be new enough. */
export function judgeVersion(
  name: string,
  installation: AgentInstallation,
  minimum: string,
  hint: string,
): Sight {
  const { version } = installation
  if (version === null || !isOlder(version, minimum)) return { installation, trouble: null }
  const message = `${name} ${version} is older than ${minimum}`
  return { installation, trouble: new AppError('agent_too_old', message, { hint }) }
}

/** From what the program prints, as in `codex-cli 0.169.0`; null: it names none, or does not answer. */
export async function askVersion(
  program: string,
  environment: Environment,
): Promise<string | null> {
  const answer = await askProgram(program, ['--version'], environment)
  return answer === undefined ? null : parseVersion(answer.words)
}

/** `command`: says whether it is logged in. Undefined: it did not answer in time, or not at all. */
export async function askLogin(
  { program, leadingArguments, environment: own }: AgentInstallation,
  command: readonly string[],
  environment: Environment,
): Promise<{ readonly ok: boolean; readonly words: string } | undefined> {
  const argv = [...leadingArguments, ...command]
  const answer = await askProgram(program, argv, { ...environment, ...own })
  return answer === undefined ? undefined : { ok: answer.code === 0, words: answer.words }
}
