import { availableParallelism } from 'node:os'
import {
  type Configuration,
  configuredCodexHome,
  configuredPorts,
  configuredSlots,
  configuredSnapshotMs,
} from '../../../domain/configuration.ts'
import { AppError, messageOf } from '../../../domain/errors.ts'
import { describeSandbox } from '../../../domain/sandbox.ts'
import { SNAPSHOT_EVERY_MS } from '../../../domain/snapshot.ts'
import { activeStates } from '../../../domain/task.ts'
import type { HouseTimes } from '../../../engine/work.ts'
import { bootMethods } from '../../../ports/boot.ts'
import { keepHouse } from '../../keep-house.ts'
import { viewWorker } from '../../make-view.ts'
import { requireWritableStore, unwritable } from '../../writable-store.ts'
import { type CommandContext, defineCommand, jsonFlag, requireWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { parseCount, parseDuration } from '../flags.ts'
import { installBoot, uninstallBoot } from '../install-boot.ts'
import { attemptsWithinLimit } from '../open-files.ts'
import { stopWorker, untilWorker } from '../stop-worker.ts'

const usage = 'worker start|stop|status|run|install|uninstall'

/** How long to stay when there is nothing to do: starting anew costs a tenth of a second. */
const IDLE_MS = 60_000

export const worker = defineCommand({
  name: 'worker',
  group: 'Keep house',
  summary: 'The background process; stopping it ends no agent',
  usage,
  flags: {
    slots: {
      about:
        'run: how many attempts at once (default: as configured, else half the cores, 8 at most)',
      value: 'N',
    },
    idle: {
      about: 'run: leave after this long with nothing to do (default 60s)',
      value: 'DURATION',
    },
    print: { about: 'install: print what would be written, and write nothing' },
    method: {
      about: 'install: by what it is started with the machine (default: what is there)',
      value: 'METHOD',
      choices: bootMethods,
    },
    ...jsonFlag,
  },
  examples: [
    'holdfast worker status',
    'holdfast worker stop',
    'holdfast worker run --slots 4',
    'holdfast worker install --print',
  ],
  async run({ flags, words }, context) {
    switch (requireWord(words, 'start, stop, status, run, install or uninstall', usage)) {
      case 'status':
        return await showStatus(flags.json === true, context)
      case 'start':
        return await writing(context, () => start(flags.json === true, context))
      case 'stop':
        return await writing(context, () => stop(flags.json === true, context))
      case 'run':
        return await writing(context, () => runWorker(flags.slots, flags.idle, context))
      case 'install':
        return await installBoot(flags, context)
      case 'uninstall':
        return await uninstallBoot(flags.json === true, context)
      default:
        throw new AppError('bad_usage', `the worker cannot "${words[0]}"`, {
          hint: `usage: holdfast ${usage}`,
        })
    }
  },
})

/** A state directory in which nothing can be written is told as that. */
async function writing<T>({ holdfast }: CommandContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (!['EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT'].includes(code)) throw error
    throw unwritable(holdfast.home, messageOf(error))
  }
}

async function showStatus(json: boolean, context: CommandContext): Promise<number> {
  const { holdfast, output } = context
  const tasks = await (await holdfast.store()).countTasks(activeStates)
  const view = viewWorker((await holdfast.presence()).look(), tasks)
  if (json) output.writeJson(view)
  else {
    const since = view.startedAt === null ? '' : `, pid ${view.pid}, since ${view.startedAt}`
    output.write(`${view.state}${since}, ${view.tasks} under way\n`)
  }
  return exitCodes.done
}

async function start(json: boolean, context: CommandContext): Promise<number> {
  // An unusable state directory is told as that, before anything is written to it.
  await requireWritableStore(context)
  const presence = await context.holdfast.presence()
  await presence.ring()
  await untilWorker(() => typeof presence.look() === 'object', 'the worker did not start', context)
  return await showStatus(json, context)
}

async function stop(json: boolean, context: CommandContext): Promise<number> {
  await stopWorker(context)
  // Asked last: a store that cannot be read keeps no worker up.
  return await showStatus(json, context)
}

/** The worker itself, in the foreground; others start it through `start`, or by need. */
async function runWorker(
  slots: string | undefined,
  idle: string | undefined,
  context: CommandContext,
): Promise<number> {
  const { holdfast, output, now } = context
  // Measured with 200 tasks: 88 MB instead of 113. V8 grows its young generation, and never back.
  const { setFlagsFromString } = await import('node:v8')
  setFlagsFromString('--semi-space-growth-factor=1')
  const { work } = await import('../../../engine/work.ts')
  const { makeTicker } = await import('../../../engine/ticker.ts')
  const { systemClock } = await import('../../../system-clock.ts')
  // Whoever happened to start it: its own files are private, and git writes as it would have.
  const umask = process.umask(0o077)
  const presence = await holdfast.presence()
  const log = (line: string) => output.tell(`${new Date(now()).toISOString()} ${line}`)
  const configuration = await configurationOf(context, log)
  const snapshotEveryMs = configuredSnapshotMs(configuration) ?? SNAPSHOT_EVERY_MS
  const order = {
    slots:
      slots === undefined
        ? (configuredSlots(configuration) ??
          Math.min(Math.max(1, Math.floor(availableParallelism() / 2)), 8))
        : parseSlots(slots),
    idleMs: idle === undefined ? idleOf(context, log) : parseDuration(idle, 'idle'),
    findAgent: (name: string) => holdfast.agent(name),
    log,
    keepHouse: (times: HouseTimes) => keepHouse(times, context),
    leave: context.interrupted,
  }
  const most = attemptsWithinLimit()
  if (most < order.slots) {
    log(`only ${most} of ${order.slots} slots: few files may be open at once (ulimit -n)`)
    order.slots = most
  }
  const store = await requireWritableStore(context)
  const sandbox = await holdfast.sandbox()
  if (sandbox !== null) {
    const problem = `a worker in ${describeSandbox(sandbox)} would end with it, and its agents too`
    throw new AppError('refused_in_state', problem, { hint: 'start it outside' })
  }
  for (;;) {
    const identity = (await holdfast.host()).self()
    const info = { identity, version: context.version, startedAt: now() }
    const post = await presence.takePost(info)
    if (post === undefined) {
      log('another worker is up')
      return exitCodes.done
    }
    if (post === 'dismissed') break
    log(`worker ${context.version} up, pid ${process.pid}, ${order.slots} slots`)
    const ticker = makeTicker()
    const deafen = presence.listen(() => ticker.wake())
    order.leave.addEventListener('abort', () => ticker.wake())
    try {
      const ports = {
        store,
        files: await holdfast.files(),
        host: await holdfast.host(),
        worktrees: (await holdfast.worktrees()).withUmask(umask),
        locks: await holdfast.locks(),
        confinement: await holdfast.confinement(),
        clock: systemClock,
        ticker,
        findAgent: holdfast.agent,
        channels: await holdfast.channels(),
        tokens: await holdfast.callerTokens(),
        snapshotEveryMs,
        portRange: configuredPorts(configuration),
        agentHomes: configuredCodexHome(configuration),
      }
      await work(order, ports)
    } finally {
      deafen()
      ticker.stop()
      post.release()
    }
    // Somebody may have rung between the last look and the release of the post. (Tasks whose rows
    // are damaged wait for somebody else.)
    const open = await store.countTasks(['queued', ...activeStates])
    const missed = open > store.unreadable().length
    if (order.leave.aborted || !missed) break
  }
  log('worker leaves')
  return exitCodes.done
}

function parseSlots(text: string): number {
  const slots = parseCount(text, 'slots')
  if (slots === 0) {
    throw new AppError('bad_usage', '--slots 0 would start nothing', {
      hint: 'holdfast worker stop ends the worker',
    })
  }
  return slots
}

/** What a file or a variable says may be wrong, but it may not keep a worker from its tasks. */
async function configurationOf(
  { holdfast }: CommandContext,
  log: (line: string) => void,
): Promise<Configuration> {
  try {
    return await holdfast.configuration(null)
  } catch (error) {
    log(`the configuration is ignored: ${messageOf(error)}`)
    return { environment: {}, repository: {}, user: {} }
  }
}

/** As above. */
function idleOf({ environment }: CommandContext, log: (line: string) => void): number {
  const text = environment.HOLDFAST_WORKER_IDLE
  if (text === undefined) return IDLE_MS
  try {
    return parseDuration(text, 'idle')
  } catch (error) {
    log(`HOLDFAST_WORKER_IDLE is ignored: ${messageOf(error)}`)
    return IDLE_MS
  }
}
