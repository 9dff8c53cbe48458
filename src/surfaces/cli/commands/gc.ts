import { configuredDiskBytes, configuredRetention } from '../../../domain/configuration.ts'
import { shownBytes, totalOf } from '../../../domain/disk-budget.ts'
import { type HouseKept, keepHouse } from '../../../engine/keep-house.ts'
import {
  type BuildReclaim,
  type HousePlan,
  planHouse,
  type RawReclaim,
} from '../../../engine/plan-house.ts'
import { dropPool } from '../../../engine/pool.ts'
import type { Fate } from '../../../engine/retention.ts'
import { housePorts } from '../../hand-in-ports.ts'
import type { GcView } from '../../view.ts'
import { defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { parseCount, parseDuration, parseSize } from '../flags.ts'

const usage = 'gc'

export const gc = defineCommand({
  name: 'gc',
  group: 'Keep house',
  summary: 'Put away the worktrees that are too many, too old or too large; each can be restored',
  usage,
  flags: {
    dryRun: { about: 'only say what would go, what stays, and why' },
    keep: { about: 'how many stay, the newest (default: as configured, else 15)', value: 'N' },
    idle: {
      about:
        'those in which nothing happened for so long go too (default: as configured, else none)',
      value: 'DURATION',
    },
    disk: {
      about: 'how much of the disk may be taken (default: as configured, else 20GB or a tenth)',
      value: 'SIZE',
    },
    ...jsonFlag,
  },
  examples: [
    'holdfast gc --dry-run',
    'holdfast gc',
    'holdfast gc --keep 3',
    'holdfast gc --idle 30d',
    'holdfast gc --disk 5GB',
  ],
  async run({ flags, words }, context) {
    refuseWords(words, usage)
    const { holdfast, output, interrupted } = context
    const ports = await housePorts(context)
    const configuration = await holdfast.configuration(null)
    const { keep, maxIdleMs } = configuredRetention(configuration)
    const policy = {
      retention: {
        keep: flags.keep === undefined ? keep : parseCount(flags.keep, 'keep'),
        maxIdleMs: flags.idle === undefined ? maxIdleMs : parseDuration(flags.idle, 'idle'),
      },
      diskBytes: configuredDiskBytes(configuration),
      ...(flags.disk === undefined ? {} : { diskBytesNow: parseSize(flags.disk, 'disk') }),
    }
    const plan = await planHouse(policy, ports, interrupted)
    const done =
      flags.dryRun === true
        ? { worktrees: [], reclaimed: [], furnished: [], purged: [] }
        : await keepHouse(plan, ports, interrupted, () => !interrupted.aborted)
    if (flags.dryRun !== true && totalOf(plan.measured.use) > plan.budgetBytes) {
      const dropped = await dropPool(ports)
      if (dropped > 0) output.tell(`dropped ${dropped} worktrees that were made in advance`)
    }
    const unlinked = done.purged.filter(({ problem }) => problem === null).length
    const kept = ports.worktrees.listTrash(ports.files.trash()).filter(tree => tree.kept !== null)
    const worktrees = plan.fates.map(fate => viewFate(fate, done))
    const reclaim = [...plan.buildOutput, ...plan.rawOutput].map(one => viewReclaim(one, done))
    if (flags.json === true) {
      const trash = kept.map(({ path, worktreePath, kept: why }) => ({
        path,
        worktreePath,
        kept: why,
      }))
      output.writeJson({ worktrees, reclaim, unlinked, trash, disk: viewDisk(plan) })
    } else {
      for (const view of [...reclaim, ...worktrees]) output.write(`${describe(view)}\n`)
      if (unlinked > 0) output.tell(`unlinked ${unlinked} that had been put away`)
      for (const { path, kept: why } of kept) output.tell(`${path} stays: ${why}`)
      output.tell(describeDisk(plan))
    }
    const isDone = [...worktrees, ...reclaim].every(({ fate }) => fate !== 'stays after all')
    return isDone ? exitCodes.done : exitCodes.refused
  },
})

type FateView = GcView['worktrees'][number]
type ReclaimView = GcView['reclaim'][number]

function viewFate({ id, goes, why, worktree, task, bytes }: Fate, done: HouseKept): FateView {
  const view = { id, task: task?.request.name ?? null, path: worktree.path, bytes, why }
  if (!goes) return { ...view, fate: 'stays' }
  const outcome = done.worktrees.find(one => one.id === id)
  if (outcome === undefined) return { ...view, fate: 'would go' }
  return outcome.problem === null
    ? { ...view, fate: 'put away' }
    : { ...view, fate: 'stays after all', why: outcome.problem }
}

function viewReclaim(one: BuildReclaim | RawReclaim, done: HouseKept): ReclaimView {
  const { kind, bytes, why } = one
  const isPacked = one.kind === 'raw_output' && one.fate === 'compress'
  const view =
    one.kind === 'build_output'
      ? {
          id: one.of.worktree.id,
          task: one.of.task?.request.name ?? null,
          path: `${one.of.worktree.path}/${one.output.shown}`,
        }
      : { id: one.run.task, task: null, path: one.run.runDirectory }
  const outcome = done.reclaimed.find(({ what }) => what === one)
  const common = { ...view, kind, bytes }
  if (outcome === undefined) {
    return { ...common, fate: isPacked ? 'would be compressed' : 'would go', why }
  }
  return outcome.problem === null
    ? { ...common, fate: isPacked ? 'compressed' : 'gone', why }
    : { ...common, fate: 'stays after all', why: outcome.problem }
}

function describe(view: FateView | ReclaimView): string {
  const { id, task, fate, why, bytes } = view
  const size = bytes === null ? null : shownBytes(bytes)
  const what = 'kind' in view ? view.path : null
  return [id, fate, size, task, what, why].filter(part => part !== null).join('  ')
}

const viewDisk = ({ measured, budgetBytes, stillOver }: HousePlan): GcView['disk'] => ({
  usedBytes: totalOf(measured.use),
  budgetBytes,
  stillOverBytes: stillOver,
  ...measured.use,
})

function describeDisk({ measured, budgetBytes, stillOver }: HousePlan): string {
  const { use } = measured
  const { rawOutput, isWhole, ...sizes } = use
  const parts = Object.entries({ ...sizes, 'raw output': rawOutput })
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${shownBytes(bytes)}`)
  const least = isWhole ? '' : 'at least '
  const used = `${least}${shownBytes(totalOf(use))} of ${shownBytes(budgetBytes)}`
  const rest = stillOver > 0 ? '; what is over that is work, pinned or in use, and stays' : ''
  return `disk: ${used} (${parts.join(', ')})${rest}`
}
