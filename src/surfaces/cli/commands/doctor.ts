import { join, resolve } from 'node:path'
import { AppError } from '../../../domain/errors.ts'
import { plainText } from '../../../domain/plain-text.ts'
import { type Examined, examine } from '../../../engine/doctor/examine.ts'
import { describeRepair } from '../../../engine/doctor/finding.ts'
import { systemClock } from '../../../system-clock.ts'
import { findCheckout, findCommonGitDir } from '../../common-git-dir.ts'
import { cleanUpPorts, realDirectory } from '../../hand-in-ports.ts'
import { requireCommands } from '../../set-up-wish.ts'
import type { DoctorView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { parseChoice } from '../flags.ts'

type FindingView = DoctorView['findings'][number]

const usage = 'doctor [--fix] [--adopt [PATH…]] [--dead-letters retry|drop]'

const deadLetterFates = ['retry', 'drop'] as const

export const doctor = defineCommand({
  name: 'doctor',
  group: 'Keep house',
  summary: 'Check the store, the worker, the agents and the worktrees; --fix repairs',
  usage,
  flags: {
    fix: { about: 'repair what can be repaired; no work is ever removed' },
    adopt: {
      about:
        'take over worktrees of Codex, Claude Code, claude-squad and Vibe Kanban: all, or those at PATH',
    },
    deadLetters: {
      about: 'try what could not be told to somebody again, or drop it',
      value: 'WHAT',
      choices: deadLetterFates,
    },
    ...jsonFlag,
  },
  examples: [
    'holdfast doctor',
    'holdfast doctor --fix',
    'holdfast doctor --adopt .claude/worktrees/fix-login',
    'holdfast doctor --json',
  ],
  async run({ flags, words }, context) {
    const adopt = flags.adopt === true ? words.map(word => pathAsGitNames(word, context)) : null
    if (adopt === null) refuseWords(words, usage)
    const { environment, directory, output } = context
    const order = {
      environment,
      directory: realDirectory(directory),
      fix: flags.fix === true,
      adopt,
      repositories: await repositoryLook(context),
      deadLetters:
        flags.deadLetters === undefined
          ? null
          : parseChoice(flags.deadLetters, 'dead-letters', deadLetterFates),
    }
    const examined = await examine(await portsOf(context), order)
    if (adopt !== null && adopt.length > 0) await refuseUnknown(adopt, examined, context)
    const findings = examined.map(viewFinding)
    const ok = examined.every(isWell)
    if (flags.json === true) output.writeJson({ ok, findings })
    else output.write(`${findings.map(finding => render(finding, context)).join('\n')}\n`)
    return ok ? exitCodes.done : exitCodes.taskFailed
  },
})

/** What was asked for by name has to be done. */
function isWell({ status, repair, repaired }: Examined): boolean {
  if (repair?.kind === 'adopt') return repaired?.ok !== false
  return status !== 'error' || repaired?.ok === true
}

/** A path that is no other tool's worktree is a mistake of whoever typed it; one that is ours already is none. */
async function refuseUnknown(
  adopt: readonly string[],
  examined: readonly Examined[],
  { holdfast }: CommandContext,
): Promise<void> {
  const stored = await (await holdfast.store()).listWorktrees()
  const known = [
    ...examined.flatMap(({ repair }) => (repair?.kind === 'adopt' ? [repair.adoptable.path] : [])),
    ...stored.flatMap(({ path, record }) => (record?.adoptedFrom === undefined ? [] : [path])),
  ]
  const unknown = adopt.find(path => !known.includes(path))
  if (unknown === undefined) return
  throw new AppError(
    'refused_in_state',
    `${unknown} is no worktree of another tool that is known`,
    {
      hint: 'holdfast doctor names those that can be taken over; one is known by where it lies',
    },
  )
}

async function repositoryLook({ environment, directory }: CommandContext) {
  const { createHash } = await import('node:crypto')
  const codexHome = environment.CODEX_HOME || join(environment.HOME ?? '/', '.codex')
  return {
    codexHome: realDirectory(codexHome),
    here: findCommonGitDir(directory) ?? null,
    hash: (text: string) => createHash('sha256').update(text).digest('hex'),
  }
}

const pathAsGitNames = (word: string, { directory }: CommandContext) =>
  realDirectory(resolve(directory, word))

async function portsOf(context: CommandContext) {
  const { holdfast } = context
  const names = await holdfast.agentNames()
  return {
    upkeep: await holdfast.upkeep(),
    presence: holdfast.presence,
    boot: holdfast.boot,
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
    cleaning: await cleanUpPorts(context),
    agents: await Promise.all(names.map(name => holdfast.agent(name))),
  }
}

/** A mistake in a file would be told by the next `run`; here it is told before. */
async function describeConfiguration(context: CommandContext): Promise<string> {
  const { holdfast, directory } = context
  const root = findCheckout(directory)?.root ?? null
  const configuration = await holdfast.configuration(root)
  const found =
    root === null ? [] : Object.entries(await requireCommands(root, configuration, context))
  const isSet = Object.values(configuration).some(place => Object.keys(place).length > 0)
  const what = found.flatMap(([role, command]) =>
    command === undefined ? [] : [`; ${role}: ${command.argv.join(' ')}`],
  )
  return `${isSet ? 'as it should be' : 'nothing is set'}${what.join('')}`
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
  const lines = [`${output.style(style[status], status.padEnd(7))} ${check}: ${plainText(message)}`]
  if (repair === null) {
    if (hint !== null) lines.push(hint)
  } else if (repair.state === 'possible') {
    const flag = status === 'ok' && check === 'repositories' ? '--adopt' : '--fix'
    lines.push(`holdfast doctor ${flag}: ${repair.plan}`)
  } else if (repair.state === 'done') {
    lines.push(output.style('green', `done: ${repair.plan}`), ...repair.notes)
  } else lines.push(`not done (${repair.plan}): ${repair.problem}`)
  return lines.join('\n        ')
}
