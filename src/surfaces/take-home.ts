import { statSync } from 'node:fs'
import { AppError } from '../domain/errors.ts'
import type { Task } from '../domain/task.ts'
import { type Applied, applyTask } from '../engine/apply.ts'
import { chooseTarget } from '../engine/choose-target.ts'
import { undoTask } from '../engine/undo-apply.ts'
import type { ApplyMode } from '../ports/applications.ts'
import { systemClock } from '../system-clock.ts'
import { callerTaskOf } from './caller.ts'
import type { SurfaceContext } from './context.ts'
import { holdSignals } from './hold-signals.ts'
import { iso } from './make-view.ts'
import { tellWhatItIs } from './tell-left-out.ts'
import type { ApplyView } from './view.ts'

/** Merges what the agent changed into a checkout's working files. `to`: a directory of it. */
export async function takeHome(
  task: Task,
  to: string | null,
  mode: ApplyMode,
  context: SurfaceContext,
): Promise<ApplyView> {
  refuseFile(to)
  const { holdfast, output, caller, directory } = context
  const ports = await portsOf(context)
  const { id } = task.request
  const callerTask = callerTaskOf(caller)
  const target = await chooseTarget(task, { to, directory, callerTask }, ports)
  const { root } = target.place
  output.tell(`${mode === 'check' ? 'looking at' : 'applying to'} ${root}`)
  tellWhatItIs(task, output)
  const applied = await applyTask(task, { target, mode, ...holdSignals(context) }, ports)
  const taken = (await (await holdfast.store()).findTask(id))?.taken ?? null
  return viewApplied(id, root, applied, taken === null ? null : iso(taken.at))
}

function viewApplied(id: string, root: string, applied: Applied, taken: string | null): ApplyView {
  const view = { id, to: root, files: [], conflicts: [], taken }
  switch (applied.kind) {
    case 'nothing':
      return { ...view, to: null, state: 'nothing' }
    case 'in_place':
      return { ...view, state: 'in_place' }
    case 'would_apply':
      return { ...view, state: 'would_apply', files: [...applied.files] }
    case 'conflicting':
      return { ...view, state: 'conflicts', conflicts: [...applied.conflicts] }
    case 'applied': {
      const { files, conflicts } = applied
      return { ...view, state: 'applied', files: [...files], conflicts: [...conflicts] }
    }
  }
}

/** Takes the newest application back. */
export async function giveBack(
  task: Task,
  to: string | null,
  context: SurfaceContext,
): Promise<ApplyView> {
  refuseFile(to)
  const ports = await portsOf(context)
  const rootOf = async (directory: string) =>
    (await ports.worktrees.openCheckout(directory)).place.root
  const named = to === null ? null : await rootOf(to)
  // Where the caller stands only helps to choose: it need not be a checkout.
  const standsIn = await rootOf(context.directory).catch(() => null)
  // A signal waits: half of it would have to be finished anyway.
  void context.interrupted
  const { root, files } = await undoTask(task, { named, standsIn }, ports)
  const { id } = task.request
  const taken = (await ports.store.findTask(id))?.taken ?? null
  return {
    id,
    to: root,
    state: 'undone',
    files: [...files],
    conflicts: [],
    taken: taken === null ? null : iso(taken.at),
  }
}

async function portsOf({ holdfast }: SurfaceContext) {
  return {
    store: await holdfast.store(),
    worktrees: await holdfast.worktrees(),
    applications: await holdfast.applications(),
    clock: systemClock,
  }
}

function refuseFile(to: string | null): void {
  if (to === null || !statSync(to, { throwIfNoEntry: false })?.isFile()) return
  throw new AppError('bad_usage', `${to} is a file, not a directory`)
}
