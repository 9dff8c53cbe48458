import { accessSync, constants, existsSync, realpathSync, statfsSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { MARK_VARIABLE } from '../../../domain/environment.ts'
import { AppError, messageOf } from '../../../domain/errors.ts'
import { hasEnded, isActive } from '../../../domain/task.ts'
import type { DoctorView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { findCheckout } from '../common-git-dir.ts'
import { exitCodes } from '../exit-codes.ts'

const DAMAGE_HINT =
  'stop the worker (holdfast worker stop), keep a copy of store.db, then move it away to start anew'

type Finding = DoctorView['findings'][number]

/** Below this much free space new worktrees are likely to fail. */
const LOW_DISK_BYTES = 1_000_000_000

export const doctor = defineCommand({
  name: 'doctor',
  group: 'Keep house',
  summary: 'Check the store, the worker, the agents and the worktrees',
  usage: 'doctor',
  flags: jsonFlag,
  examples: ['holdfast doctor', 'holdfast doctor --json'],
  async run({ flags, words }, context) {
    refuseWords(words, 'doctor')
    const findings: Finding[] = []
    // Without a state directory there is nothing of ours to check, and a check makes nothing.
    const checks = isDirectory(context.holdfast.home)
      ? [
          checkHome,
          checkGit,
          checkProcesses,
          checkStore,
          checkWorker,
          checkConfiguration,
          checkAgents,
          checkWorktrees,
        ]
      : [checkHome, checkGit, checkProcesses, checkConfiguration, checkAgents]
    for (const check of checks) findings.push(...(await check(context)))
    const ok = findings.every(({ status }) => status !== 'error')
    if (flags.json === true) context.output.writeJson({ ok, findings })
    else context.output.write(`${findings.map(line => render(line, context)).join('\n')}\n`)
    return ok ? exitCodes.done : exitCodes.taskFailed
  },
})

function render({ check, status, message, hint }: Finding, { output }: CommandContext): string {
  const style = { ok: 'green', warning: 'yellow', error: 'red' } as const
  const line = `${output.style(style[status], status.padEnd(7))} ${check}: ${message}`
  return hint === null ? line : `${line}\n        ${hint}`
}

const fine = (check: string, message: string): Finding => ({
  check,
  status: 'ok',
  message,
  hint: null,
})

function trouble(
  check: string,
  status: 'warning' | 'error',
  error: unknown,
  hint?: string,
): Finding {
  // The hint of a damaged store is to come here.
  const isDamage = error instanceof AppError && error.code === 'store_unreadable'
  const own = error instanceof AppError ? (isDamage ? DAMAGE_HINT : error.hint) : undefined
  return { check, status, message: messageOf(error), hint: hint ?? own ?? null }
}

async function checkHome({ holdfast }: CommandContext): Promise<Finding[]> {
  const { home } = holdfast
  try {
    const standing = nearestStanding(home)
    accessSync(standing, constants.W_OK)
    if (!statSync(standing).isDirectory()) throw new Error(`${standing} is no directory`)
    if (standing !== home) return [fine('state directory', `${home}; the first task makes it`)]
    const findings = [fine('state directory', home)]
    if ((statSync(home).mode & 0o077) !== 0) {
      const open = `${home} can be read by others`
      findings.push(trouble('state directory', 'warning', open, `chmod 700 ${home}`))
    }
    const { bavail, bsize } = statfsSync(home)
    if (bavail * bsize < LOW_DISK_BYTES) {
      const left = `${Math.round((bavail * bsize) / 1e6)} MB are left on its disk`
      findings.push(trouble('state directory', 'warning', left, 'make room: worktrees need it'))
    }
    return findings
  } catch (error) {
    return [trouble('state directory', 'error', error, 'set HOLDFAST_HOME to a directory of yours')]
  }
}

/** The path itself, or what is there of the way to it. */
function nearestStanding(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestStanding(dirname(path))
}

async function checkGit({ holdfast }: CommandContext): Promise<Finding[]> {
  try {
    return [fine('git', await (await holdfast.worktrees()).gitVersion())]
  } catch (error) {
    return [trouble('git', 'error', error, 'install git 2.38 or newer')]
  }
}

/** All that an attempt's processes are found by, and the tool by which they are let go. */
async function checkProcesses({ holdfast, environment }: CommandContext): Promise<Finding[]> {
  try {
    const processes = await holdfast.processes()
    const seen = processes.scan(MARK_VARIABLE, 0, () => undefined)
    const [tool] = processes.ownSession(`${environment.PATH ?? ''}:/usr/local/bin:/usr/bin:/bin`)
    const { machine, boot } = processes.place()
    const findings = [fine('processes', `${seen.length} of yours are seen; ${tool} lets them go`)]
    if (machine === '' || boot === '') {
      const what =
        machine === '' ? 'this machine has no number of its own' : 'no boot is told apart'
      findings.push(
        trouble('processes', 'warning', new Error(`${what}: see docs/reference/platforms.md`)),
      )
    }
    return findings
  } catch (error) {
    return [trouble('processes', 'error', error)]
  }
}

async function checkStore({ holdfast }: CommandContext): Promise<Finding[]> {
  try {
    const damage = await (await holdfast.store()).checkIntegrity()
    if (damage === null) return [fine('store', 'sound')]
    return [trouble('store', 'error', damage, DAMAGE_HINT)]
  } catch (error) {
    return [trouble('store', 'error', error)]
  }
}

async function checkWorker({ holdfast }: CommandContext): Promise<Finding[]> {
  try {
    const info = (await holdfast.presence()).look()
    if (info === undefined) return [fine('worker', 'none is up; the next task starts one')]
    return [
      fine(
        'worker',
        info === 'unnamed' ? 'up' : `up, pid ${info.identity.pid}, version ${info.version}`,
      ),
    ]
  } catch (error) {
    return [trouble('worker', 'error', error)]
  }
}

/** A mistake in a file would be told by the next `run`; here it is told before. */
async function checkConfiguration({ holdfast, directory }: CommandContext): Promise<Finding[]> {
  const check = 'configuration'
  const root = findCheckout(directory)?.root ?? null
  try {
    const configuration = await holdfast.configuration(root)
    const setUp = root === null ? undefined : await holdfast.setUpCommand(root, configuration)
    const isSet = Object.values(configuration).some(place => Object.keys(place).length > 0)
    const what = setUp === undefined ? '' : `; set-up: ${setUp.argv.join(' ')}`
    return [fine(check, `${isSet ? 'as it should be' : 'nothing is set'}${what}`)]
  } catch (error) {
    return [trouble(check, 'warning', error)]
  }
}

async function checkAgents(context: CommandContext): Promise<Finding[]> {
  const { holdfast, environment, directory } = context
  const { agentEnvironment } = await import('../../../domain/environment.ts')
  const findings: Finding[] = []
  for (const name of await holdfast.agentNames()) {
    const agent = await holdfast.agent(name)
    if (!agent.capabilities.takesPrompt) continue
    try {
      const found = await agent.findInstallation(agentEnvironment(environment), [], directory)
      findings.push(
        fine(`agent ${name}`, `${found.version ?? 'version unknown'}, ${found.program}`),
      )
    } catch (error) {
      findings.push(trouble(`agent ${name}`, 'warning', error))
    }
  }
  return findings
}

/** Git, store and disk must tell the same of each worktree. */
async function checkWorktrees({ holdfast }: CommandContext): Promise<Finding[]> {
  const check = 'worktrees'
  try {
    const store = await holdfast.store()
    const worktrees = await holdfast.worktrees()
    const known = await store.listWorktrees()
    const findings: Finding[] = []
    for (const { id, path, commonDir, record, leasedTo } of known) {
      const task = leasedTo === null ? undefined : await store.findTask(leasedTo)
      if (leasedTo !== null && (task === undefined || hasEnded(task.state))) {
        findings.push(trouble(check, 'error', `${id} is leased to ${leasedTo}, which has ended`))
      }
      if (record === null) {
        const isThere = existsSync(path)
        const isOwned = task !== undefined && !hasEnded(task.state)
        if (isOwned && (isActive(task.state) || !isThere)) continue
        const remains = isThere ? 'stands half made' : 'was never made'
        findings.push(trouble(check, 'warning', `${path} ${remains}`))
        continue
      }
      const place = worktrees.lookAtWorktree(record)
      // Whose task has ended may be removed; whoever did knows it.
      if (place === 'worktree_lost' && (leasedTo !== null || existsSync(path))) {
        findings.push(trouble(check, 'warning', `${path} was deleted or replaced`))
      }
      if (place === 'repository_lost') {
        const remains = existsSync(path) ? `; ${path} is still there` : ''
        findings.push(trouble(check, 'warning', `the repository ${commonDir} is gone${remains}`))
      }
    }
    findings.push(...(await findUnknown(holdfast.home, known, worktrees)))
    return findings.length === 0
      ? [fine(check, `${known.length} known, all as recorded`)]
      : findings
  } catch (error) {
    return [trouble(check, 'error', error)]
  }
}

/** Worktrees under our root that git knows and the store does not. */
async function findUnknown(
  home: string,
  known: readonly { path: string; commonDir: string }[],
  worktrees: Awaited<ReturnType<CommandContext['holdfast']['worktrees']>>,
): Promise<Finding[]> {
  const root = realPathOf(join(home, 'worktrees', 'any')).slice(0, -'any'.length)
  const paths = new Set(known.map(({ path }) => realPathOf(path)))
  const repositories = new Set(known.map(({ commonDir }) => commonDir))
  const findings: Finding[] = []
  for (const repository of repositories) {
    if (!existsSync(repository)) continue
    for (const { path } of await worktrees.listRegistered(repository)) {
      if (!path.startsWith(root) || paths.has(path)) continue
      findings.push(
        trouble('worktrees', 'warning', `${path} is registered in ${repository}, and of no task`),
      )
    }
  }
  return findings
}

/** As git writes it down, also of a worktree that is gone. */
function realPathOf(path: string): string {
  const parent = dirname(path)
  return existsSync(parent) ? join(realpathSync(parent), basename(path)) : path
}

function isDirectory(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory()
}
