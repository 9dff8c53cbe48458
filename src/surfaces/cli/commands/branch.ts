import { AppError } from '../../../domain/errors.ts'
import { resultOf } from '../../../domain/task.ts'
import { branchTask } from '../../../engine/branch.ts'
import { requireTask } from '../../find-task.ts'
import { branchPorts } from '../../hand-in-ports.ts'
import { tellLeftOut } from '../../tell-left-out.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'

const usage = 'branch TASK NAME'

/** For whoever makes a branch of a result. */
export const withBaseChanges = {
  withBaseChanges: { about: 'with your uncommitted changes that the task started from' },
} as const

export const branch = defineCommand({
  name: 'branch',
  group: 'Take',
  summary: 'Make a branch of what the agent changed; nothing is checked out',
  usage,
  flags: { ...withBaseChanges, ...jsonFlag },
  examples: ['holdfast branch fix-the-login fix/login'],
  async run({ flags, words }, context) {
    const [reference, name, ...more] = words
    if (reference === undefined || name === undefined || more.length > 0) {
      throw new AppError('bad_usage', 'branch needs a task and the name of a branch', {
        hint: `usage: holdfast ${usage}`,
      })
    }
    const { output } = context
    const ports = await branchPorts(context)
    const task = await requireTask(ports.store, reference)
    const made = await branchTask(task, name, flags.withBaseChanges === true, ports)
    const { id, repo } = task.request
    if (flags.json === true) output.writeJson({ id, repository: repo.commonDir, ...made })
    else output.write(`${made.name} ${made.commit}\n`)
    const result = resultOf(task.state)
    if (result !== null) tellLeftOut(result, output)
    const state = made.isNew ? 'made' : 'was there already, the same'
    output.tell(`the branch ${name} ${state} · to delete it: git branch -D ${name}`)
    return exitCodes.done
  },
})
