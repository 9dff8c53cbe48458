import { existsSync } from 'node:fs'
import { AppError, messageOf } from '../../../domain/errors.ts'
import { resultOf, type Task } from '../../../domain/task.ts'
import { type HomeSurvey, purgeRepositories, surveyHome } from '../../../engine/uninstall.ts'
import { lookAtWorker } from '../../look.ts'
import type { UninstallView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { describeDelta } from '../render.ts'
import { stopWorker } from '../stop-worker.ts'

const flags = {
  purge: { about: 'remove everything: tasks, results, worktrees, refs, the state directory' },
  discard: {
    about: 'with --purge: give up results that were never taken, and all else in the worktrees',
  },
  ...jsonFlag,
} as const

type Given = { readonly [Name in keyof typeof flags]?: true }

export const uninstall = defineCommand({
  name: 'uninstall',
  group: 'Keep house',
  summary: 'End the background process, take out what setup added; with --purge, leave no trace',
  usage: 'uninstall',
  flags,
  examples: ['holdfast uninstall', 'holdfast uninstall --purge'],
  async run({ flags: given, words }, context) {
    refuseWords(words, 'uninstall')
    if (given.discard === true && given.purge !== true) {
      throw new AppError('bad_usage', '--discard does nothing without --purge')
    }
    return given.purge === true ? await purge(given, context) : await leave(given, context)
  },
})

const nothing: UninstallView = { done: true, removed: [], left: [], objections: [] }

/** What is worth something stays, and it is said where. */
async function leave(given: Given, context: CommandContext): Promise<number> {
  const { holdfast } = context
  if (!existsSync(holdfast.home)) return await finish({ ...nothing }, given, context)
  const survey = await surveyHome(await holdfast.store(), await holdfast.applications())
  const objections = survey.notEnded.map(describeNotEnded)
  if (objections.length > 0) return refuse({ ...nothing, objections }, 'cancel', given, context)
  await stopWorker(context)
  const { tasks, worktrees } = survey
  const hosts = await takeOutOfHosts(holdfast)
  const left = [
    ...hosts.left,
    `${holdfast.home}: ${count(tasks.length, 'task')} with their results, ${count(worktrees.length, 'worktree')}`,
    ...repositoriesOf(survey).map(repository => `${repository}: refs below refs/holdfast/`),
  ]
  return await finish(
    { ...nothing, removed: ['the worker and its watchdog', ...hosts.removed], left },
    given,
    context,
  )
}

async function purge(given: Given, context: CommandContext): Promise<number> {
  const { holdfast } = context
  if (!existsSync(holdfast.home)) {
    // Nothing, or what a removal left that was killed.
    const removed = await removeHome(context)
    return await finish({ ...nothing, ...removed }, given, context)
  }
  const ended = await openUnlessEnded(context)
  if (ended === 'ended')
    return await finish({ ...nothing, ...(await removeHome(context)) }, given, context)
  const first = objectTo(await surveyHome(ended, await holdfast.applications()), given)
  if (first.objections.length > 0)
    return refuse({ ...nothing, ...first }, first.remedy, given, context)
  await stopWorker(context)
  const post = await (await holdfast.presence()).blockPost()
  if (post === undefined) {
    throw new AppError('refused_in_state', 'a worker was started in this very moment', {
      hint: 'try again',
    })
  }
  let code: number
  try {
    code = await purgeAlone(given, context)
  } finally {
    post.release()
  }
  // Whatever speaks against it may need a worker.
  if (code !== exitCodes.done) await lookAtWorker(context)
  return code
}

/** While no worker can be up. */
async function purgeAlone(given: Given, context: CommandContext): Promise<number> {
  const { holdfast } = context
  const store = await holdfast.store()
  // Somebody may have handed a task in meanwhile.
  const applications = await holdfast.applications()
  const survey = await surveyHome(store, applications)
  const objected = objectTo(survey, given)
  if (objected.objections.length > 0)
    return refuse({ ...nothing, ...objected }, objected.remedy, given, context)
  const ports = {
    store,
    files: await holdfast.files(),
    worktrees: await holdfast.worktrees(),
    applications,
  }
  const report = await purgeRepositories(survey, given.discard === true, ports)
  const removed = [count(report.worktrees, 'worktree'), count(report.refs, 'ref')]
  if (report.left.length > 0) {
    return refuse({ ...nothing, removed, objections: [...report.left] }, 'discard', given, context)
  }
  if (!(await store.end(survey.tasks.length + survey.unreadable.length))) {
    throw new AppError('refused_in_state', 'a task was handed in meanwhile', {
      hint: 'holdfast status shows it',
    })
  }
  const { reach } = await import('../../../domain/crash-points.ts')
  reach('uninstall.store-ended')
  const home = await removeHome(context)
  const view = { ...nothing, ...home, removed: [...removed, ...home.removed] }
  return await finish({ ...view, left: [...report.passedOver, ...view.left] }, given, context)
}

/** An earlier purge may have been killed after the store had been ended. */
async function openUnlessEnded({ holdfast }: CommandContext) {
  try {
    const store = await holdfast.store()
    if (!store.isReadOnly) return store
  } catch (error) {
    if (error instanceof AppError && error.code === 'store_ended') return 'ended'
    throw error
  }
  throw new AppError('store_unwritable', `the state directory ${holdfast.home} can only be read`, {
    hint: 'make it writable first',
  })
}

async function removeHome({
  holdfast,
}: CommandContext): Promise<Pick<UninstallView, 'removed' | 'left'>> {
  const { home } = holdfast
  const isThere = existsSync(home)
  // What was added to them stands in the state directory.
  const hosts = isThere ? await takeOutOfHosts(holdfast) : { removed: [], left: [] }
  const foreign = await holdfast.leaveHome()
  return {
    removed: [...hosts.removed, ...(isThere && foreign.length === 0 ? [home] : [])],
    left: [...hosts.left, ...foreign.map(name => `${home}/${name}: it is not Holdfast's`)],
  }
}

/** What must not be lost unasked, and how to go on. */
function objectTo(
  { notEnded, untaken, unreadable, interrupted }: HomeSurvey,
  given: Given,
): { objections: string[]; remedy: 'cancel' | 'discard' } {
  if (notEnded.length > 0) return { objections: notEnded.map(describeNotEnded), remedy: 'cancel' }
  if (given.discard === true) return { objections: [], remedy: 'discard' }
  return {
    objections: [
      ...untaken.map(describeUntaken),
      ...interrupted.map(({ task, root, isPick }) =>
        isPick
          ? `${task} was being picked in ${root} when that was killed: there, holdfast pick ${task}`
          : `${task} was being applied to ${root} when that was killed: holdfast apply ${task} --undo`,
      ),
      ...unreadable.map(({ id, problem }) => `${id} cannot be read: ${problem}`),
    ],
    remedy: 'discard',
  }
}

const describeNotEnded = ({ request, state }: Task) =>
  `${request.id} ${request.name} has not ended: it is ${state.name}`

function describeUntaken({ request, state }: Task): string {
  const result = resultOf(state)
  const delta = result === null ? '' : `, ${describeDelta(result)}`
  return `${request.id} ${request.name} was never taken: ${state.name}${delta}`
}

const remedies = {
  cancel: 'holdfast cancel --all, or wait for them: holdfast wait …',
  discard:
    'holdfast apply TASK takes a change; to give all of it up: holdfast uninstall --purge --discard',
} as const

function refuse(
  view: UninstallView,
  remedy: keyof typeof remedies,
  given: Given,
  { output }: CommandContext,
): number {
  if (given.json === true) output.writeJson({ ...view, done: false })
  output.tell('holdfast: not uninstalled, because something would be lost:')
  for (const line of view.objections) output.tell(`  ${line}`)
  output.tell(`  ${remedies[remedy]}`)
  return exitCodes.refused
}

/** Agents that the demo has installed are a cache: they go in any case. */
async function finish(
  view: UninstallView,
  given: Given,
  { holdfast, output }: CommandContext,
): Promise<number> {
  const { dropInstalledAgents } = await import('../../../demo/ensure-agent.ts')
  const cache = await dropInstalledAgents()
  const boot = await leaveBoot(holdfast)
  const removed = [...view.removed, ...boot.removed, ...(cache === null ? [] : [cache])]
  const left = [...view.left, ...boot.left]
  if (given.json === true) {
    output.writeJson({ ...view, removed, left })
    return exitCodes.done
  }
  for (const line of removed) output.write(`removed: ${line}\n`)
  for (const line of left) output.write(`left: ${line}\n`)
  if (given.purge === true)
    output.tell('objects stay in the repositories until git collects them (git gc)')
  output.tell('a completion that you have set up yourself is in your shell’s own files')
  output.tell('next: npm uninstall --global holdfast')
  return exitCodes.done
}

/** What was added cannot be told from what somebody else has added, once its record is unreadable. */
async function takeOutOfHosts({
  hosts,
}: CommandContext['holdfast']): Promise<Pick<UninstallView, 'removed' | 'left'>> {
  try {
    const { removed, left } = await (await hosts()).takeOut()
    return { removed: [...removed], left: [...left] }
  } catch (error) {
    return { removed: [], left: [`what setup added to hosts: ${messageOf(error)}`] }
  }
}

/** A table of cron that cannot be read keeps nobody from the rest. */
async function leaveBoot({
  boot,
}: CommandContext['holdfast']): Promise<Pick<UninstallView, 'removed' | 'left'>> {
  try {
    const removed = await (await boot()).remove()
    return { removed: removed.map(where => `the start at boot, in ${where}`), left: [] }
  } catch (error) {
    return { removed: [], left: [`a start at boot, if there is one: ${messageOf(error)}`] }
  }
}

function repositoriesOf({ tasks }: HomeSurvey): string[] {
  return [...new Set(tasks.map(({ request }) => request.repo.commonDir))]
}

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`
