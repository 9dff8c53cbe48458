/** What `run --best-of` and `run -a codex,claude` ask for: one plan for each task of a group. */
import { AppError } from '../domain/errors.ts'
import { currentMembers, makeGroupId, nameMembers } from '../domain/group.ts'
import { makeTaskId } from '../domain/ids.ts'
import type { Task } from '../domain/task.ts'
import type { HandInPlan } from './hand-in.ts'
import { nameOf, type PlanPorts, planSubmission, type Submission } from './submit.ts'

/**
 * `submissions`: one for each agent, alike but for that; `each`: how many tries each of them gets.
 * Nothing is touched. What was handed in before, under the same key, is that whole group.
 */
export async function planGroup(
  submissions: readonly Submission[],
  each: number,
  ports: PlanPorts & { readonly randomBytes: (count: number) => Uint8Array },
): Promise<readonly HandInPlan[] | { readonly handedInBefore: readonly Task[] }> {
  const [first] = submissions
  if (first === undefined) throw new AppError('bad_usage', 'no agent is named')
  const name = first.name ?? nameOf(first)
  const names = nameMembers(
    name,
    submissions.map(({ agent }) => agent.name),
    each,
  )
  for (const submission of submissions) refuseShared(submission)
  const group = makeGroupId(name, makeTaskId(ports.randomBytes(16)))
  const all = names.map(member => member.name)
  const plans: HandInPlan[] = []
  for (const member of names) {
    const submission = submissions.find(({ agent }) => agent.name === member.agent) ?? first
    const plan = await planSubmission(
      { ...submission, member: { group, name: member.name, all } },
      ports,
    )
    if (!('handedInBefore' in plan)) plans.push(plan)
    else return { handedInBefore: await wholeGroup(plan.handedInBefore, ports) }
  }
  return plans
}

/** What only one task at a time can have. */
function refuseShared({ place, session }: Submission): void {
  if (place.kind !== 'own') {
    throw new AppError(
      'bad_usage',
      'the tasks of a group have a worktree each, and no common one',
      {
        hint: 'leave out --in-place and --worktree',
      },
    )
  }
  if (session != null) {
    throw new AppError('bad_usage', 'a session goes on in one task, not in each of a group')
  }
}

async function wholeGroup(task: Task, { store }: PlanPorts): Promise<readonly Task[]> {
  const { group } = task.request
  return group === null ? [task] : currentMembers(await store.listTasks({ group }))
}
