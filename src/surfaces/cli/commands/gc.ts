import { configuredRetention } from '../../../domain/configuration.ts'
import { purgeTrash } from '../../../engine/purge.ts'
import { type Fate, planRetention, type Retained, retain } from '../../../engine/retention.ts'
import { defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { parseCount, parseDuration } from '../flags.ts'
import { putAwayPorts } from '../hand-in-ports.ts'

const usage = 'gc'

export const gc = defineCommand({
  name: 'gc',
  group: 'Keep house',
  summary: 'Put away the worktrees that are too many; each can be restored',
  usage,
  flags: {
    dryRun: { about: 'only say what would go, what stays, and why' },
    keep: { about: 'how many stay, the newest (default: as configured, else 15)', value: 'N' },
    idle: {
      about:
        'those in which nothing happened for so long go too (default: as configured, else none)',
      value: 'DURATION',
    },
    ...jsonFlag,
  },
  examples: [
    'holdfast gc --dry-run',
    'holdfast gc',
    'holdfast gc --keep 3',
    'holdfast gc --idle 30d',
  ],
  async run({ flags, words }, context) {
    refuseWords(words, usage)
    const { holdfast, output } = context
    const ports = await putAwayPorts(context)
    const policy = configuredRetention(await holdfast.configuration(null))
    const keep = flags.keep === undefined ? policy.keep : parseCount(flags.keep, 'keep')
    const maxIdleMs =
      flags.idle === undefined ? policy.maxIdleMs : parseDuration(flags.idle, 'idle')
    const fates = await planRetention({ keep, maxIdleMs }, ports)
    const done = flags.dryRun === true ? [] : await retain(fates, ports, context.interrupted)
    const purged =
      flags.dryRun === true ? [] : await purgeTrash(ports, () => !context.interrupted.aborted)
    const unlinked = purged.filter(({ problem }) => problem === null).length
    const kept = ports.worktrees.listTrash(ports.files.trash()).filter(tree => tree.kept !== null)
    const views = fates.map(fate => viewFate(fate, done))
    if (flags.json === true) {
      const trash = kept.map(({ path, worktreePath, kept }) => ({ path, worktreePath, kept }))
      output.writeJson({ worktrees: views, unlinked, trash })
      return exitOf(views)
    }
    for (const view of views) output.write(`${describe(view)}\n`)
    if (views.length === 0) output.tell('there are no worktrees')
    if (unlinked > 0) output.tell(`unlinked ${unlinked} that had been put away`)
    for (const { path, kept: why } of kept) output.tell(`${path} stays: ${why}`)
    return exitOf(views)
  },
})

const exitOf = (views: readonly FateView[]) =>
  views.some(({ fate }) => fate === 'stays after all') ? exitCodes.refused : exitCodes.done

interface FateView {
  readonly id: string
  readonly task: string | null
  readonly path: string
  readonly fate: 'stays' | 'would go' | 'put away' | 'stays after all'
  readonly why: string
}

function viewFate({ id, goes, why, worktree, task }: Fate, done: readonly Retained[]): FateView {
  const view = { id, task: task?.request.name ?? null, path: worktree.path, why }
  if (!goes) return { ...view, fate: 'stays' }
  const outcome = done.find(one => one.id === id)
  if (outcome === undefined) return { ...view, fate: 'would go' }
  return outcome.problem === null
    ? { ...view, fate: 'put away' }
    : { ...view, fate: 'stays after all', why: outcome.problem }
}

const describe = ({ id, task, fate, why }: FateView) =>
  [id, fate, task, why].filter(part => part !== null).join('  ')
