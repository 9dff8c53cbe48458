/** Tasks made together to be compared: several agents, or several tries, on one prompt and one base. */
import { AppError } from './errors.ts'
import { findNameProblem, type TaskId } from './ids.ts'
import type { Task } from './task.ts'

declare const brand: unique symbol
/**
 * `NAME:NONCE`. People type the name, which means the newest group that bears it; no name of a task
 * holds a colon, so that the whole is never mistaken for one.
 */
export type GroupId = string & { readonly [brand]: 'GroupId' }

/**
 * Each member is a whole task, with a worktree and an agent's cost: more than fit side by side on one
 * screen nobody compares, and one slip of a finger is not to start a hundred agents.
 */
export const MOST_IN_GROUP = 8

/** `unique`: an id that no other task or group has. */
export function makeGroupId(name: string, unique: TaskId): GroupId {
  return `${name}:${unique}` as GroupId
}

export function nameOfGroup(group: string): string {
  return group.slice(0, group.lastIndexOf(':'))
}

/**
 * The names of its members: `NAME-codex`, `NAME-claude`; of several by one agent `NAME-codex`,
 * `NAME-codex-2`, `NAME-codex-3`. Refuses with `bad_usage` what is no group, or too large.
 */
export function nameMembers(
  name: string,
  agents: readonly string[],
  each: number,
): readonly { readonly agent: string; readonly name: string }[] {
  const twice = agents.find((agent, at) => agents.indexOf(agent) !== at)
  if (twice !== undefined) {
    throw new AppError('bad_usage', `${twice} is named twice`, {
      hint: 'so many tries of each agent: --best-of N',
    })
  }
  const size = agents.length * each
  if (size < 2) {
    throw new AppError('bad_usage', 'a group of one has nothing to be compared with', {
      hint: 'leave out --best-of, or name more than one',
    })
  }
  if (size > MOST_IN_GROUP) {
    throw new AppError('bad_usage', `${size} tasks are more than the ${MOST_IN_GROUP} of a group`, {
      hint: 'each is a whole task, with a worktree and its own cost: name fewer agents, or a smaller --best-of',
    })
  }
  const members = agents.flatMap(agent =>
    Array.from({ length: each }, (_, n) => ({
      agent,
      name: n === 0 ? `${name}-${agent}` : `${name}-${agent}-${n + 1}`,
    })),
  )
  const problem = members.map(member => findNameProblem(member.name)).find(one => one !== null)
  if (problem === undefined) return members
  throw new AppError('bad_usage', `the tasks of the group ${name} cannot be named: ${problem}`, {
    hint: 'give it a shorter name: --name NAME',
  })
}

/** Of each line of tasks that follow one another, or were done anew, the newest; in the order of their making. */
export function currentMembers(tasks: readonly Task[]): readonly Task[] {
  const newest = new Map<string, Task>()
  const stem = ({ request }: Task) => request.name.replace(/\.\d{1,6}$/, '')
  // The store lists the newest first; of one moment, they stay in the order of their making.
  const inOrder = tasks.toReversed().sort((a, b) => a.request.createdAt - b.request.createdAt)
  for (const task of inOrder) {
    newest.set(stem(task), task)
  }
  return [...newest.values()]
}

/** Those of them that were picked: one, mostly. */
export function pickedMembers(tasks: readonly Task[]): readonly Task[] {
  return tasks.filter(({ taken }) => taken?.how === 'picked')
}
