import { type Examined, examine } from '../../../engine/doctor/examine.ts'
import { describeRepair } from '../../../engine/doctor/finding.ts'
import { systemClock } from '../../../system-clock.ts'
import type { DoctorView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { findCheckout } from '../common-git-dir.ts'
import { exitCodes } from '../exit-codes.ts'

type FindingView = DoctorView['findings'][number]

export const doctor = defineCommand({
  name: 'doctor',
  group: 'Keep house',
  summary: 'Check the store, the worker, the agents and the worktrees; --fix repairs',
  usage: 'doctor [--fix]',
  flags: {
    fix: { about: 'repair what can be repaired; no work is ever removed' },
    ...jsonFlag,
  },
  examples: ['holdfast doctor', 'holdfast doctor --fix', 'holdfast doctor --json'],
  async run({ flags, words }, context) {
    refuseWords(words, 'doctor [--fix]')
    const { environment, directory, output } = context
    const order = { environment, directory, fix: flags.fix === true }
    const findings = (await examine(await portsOf(context), order)).map(viewFinding)
    const ok = findings.every(
      ({ status, repair }) => status !== 'error' || repair?.state === 'done',
    )
    if (flags.json === true) output.writeJson({ ok, findings })
    else output.write(`${findings.map(finding => render(finding, context)).join('\n')}\n`)
    return ok ? exitCodes.done : exitCodes.taskFailed
  },
})

async function portsOf(context: CommandContext) {
  const { holdfast } = context
  const names = await holdfast.agentNames()
  return {
    upkeep: await holdfast.upkeep(),
    presence: holdfast.presence,
    locks: await holdfast.locks(),
    store: holdfast.store,
    closeStore: holdfast.close,
    files: await holdfast.files(),
    host: await holdfast.host(),
    processes: await holdfast.processes(),
    worktrees: await holdfast.worktrees(),
    applications: await holdfast.applications(),
    clock: systemClock,
    configuration: () => describeConfiguration(context),
    confinement: await holdfast.confinement(),
    agents: await Promise.all(names.map(name => holdfast.agent(name))),
  }
}

/** A mistake in a file would be told by the next `run`; here it is told before. */
async function describeConfiguration({ holdfast, directory }: CommandContext): Promise<string> {
  const root = findCheckout(directory)?.root ?? null
  const configuration = await holdfast.configuration(root)
  const setUp = root === null ? undefined : await holdfast.setUpCommand(root, configuration)
  const isSet = Object.values(configuration).some(place => Object.keys(place).length > 0)
  const what = setUp === undefined ? '' : `; set-up: ${setUp.argv.join(' ')}`
  return `${isSet ? 'as it should be' : 'nothing is set'}${what}`
}

function viewFinding({ check, status, message, hint, repair, repaired }: Examined): FindingView {
  const plan = repair === null ? null : describeRepair(repair)
  if (plan === null) return { check, status, message, hint, repair: null }
  const notes = repaired?.ok === true ? [...repaired.notes] : []
  const state = repaired === null ? 'possible' : repaired.ok ? 'done' : 'failed'
  const problem = repaired?.ok === false ? repaired.problem : null
  return { check, status, message, hint, repair: { plan, state, problem, notes } }
}

function render(finding: FindingView, { output }: CommandContext): string {
  const { check, status, message, hint, repair } = finding
  const style = { ok: 'green', warning: 'yellow', error: 'red' } as const
  const lines = [`${output.style(style[status], status.padEnd(7))} ${check}: ${message}`]
  if (repair === null) {
    if (hint !== null) lines.push(hint)
  } else if (repair.state === 'possible') lines.push(`holdfast doctor --fix: ${repair.plan}`)
  else if (repair.state === 'done') {
    lines.push(output.style('green', `done: ${repair.plan}`), ...repair.notes)
  } else lines.push(`not done (${repair.plan}): ${repair.problem}`)
  return lines.join('\n        ')
}
