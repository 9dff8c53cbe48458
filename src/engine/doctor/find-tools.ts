/** The programs that Holdfast stands on, and the agents. */
import { agentEnvironment, MARK_VARIABLE } from '../../domain/environment.ts'
import { AppError } from '../../domain/errors.ts'
import type { Agent } from '../../ports/agent.ts'
import type { Confinement } from '../../ports/confinement.ts'
import type { ProcessTable } from '../../ports/process-table.ts'
import type { Worktrees } from '../../ports/worktrees.ts'
import { type Finding, fine, trouble } from './finding.ts'

export async function findGitTrouble(worktrees: Worktrees): Promise<readonly Finding[]> {
  try {
    return [fine('git', await worktrees.gitVersion())]
  } catch (error) {
    return [trouble('git', 'error', error, { hint: 'install git 2.38 or newer' })]
  }
}

/** All that an attempt's processes are found by, and the tool by which they are let go. */
export function findProcessTrouble(processes: ProcessTable, toolPath: string): readonly Finding[] {
  const check = 'processes'
  try {
    const seen = processes.scan(MARK_VARIABLE, 0, () => undefined)
    const [tool] = processes.ownSession(`${toolPath}:/usr/local/bin:/usr/bin:/bin`)
    const { machine, boot } = processes.place()
    const findings = [fine(check, `${seen.length} of yours are seen; ${tool} lets them go`)]
    if (machine === '' || boot === '') {
      const what =
        machine === '' ? 'this machine has no number of its own' : 'no boot is told apart'
      findings.push(trouble(check, 'warning', `${what}: see docs/reference/platforms.md`))
    }
    return findings
  } catch (error) {
    return [trouble(check, 'error', error)]
  }
}

/** Those that take a prompt. */
export async function findAgentTrouble(
  agents: readonly Agent[],
  environment: Readonly<Record<string, string | undefined>>,
  directory: string,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  const missing: string[] = []
  for (const agent of agents) {
    if (!agent.capabilities.takesPrompt) continue
    const check = `agent ${agent.name}`
    try {
      const found = await agent.findInstallation(agentEnvironment(environment), [], directory)
      findings.push(fine(check, `${found.version ?? 'version unknown'}, ${found.program}`))
    } catch (error) {
      // Nobody wants all of them.
      if (error instanceof AppError && error.code === 'agent_missing') missing.push(agent.name)
      else findings.push(trouble(check, 'warning', error))
    }
  }
  if (missing.length === 0) return findings
  const rest = `not installed: ${missing.join(', ')}`
  const hint = 'holdfast agents says how each is'
  if (findings.length > 0) return [...findings, fine('agents', rest)]
  return [trouble('agents', 'warning', rest, { hint })]
}

export async function findConfigurationTrouble(
  describe: () => Promise<string>,
): Promise<readonly Finding[]> {
  try {
    return [fine('configuration', await describe())]
  } catch (error) {
    return [trouble('configuration', 'warning', error)]
  }
}

/** Only agents without a confinement of their own need it. */
export async function findConfinementTrouble(confinement: Confinement): Promise<Finding[]> {
  try {
    await confinement.requireWorking()
    return [fine('confinement', 'the system can confine a program')]
  } catch (error) {
    return [trouble('confinement', 'warning', error)]
  }
}
