import { AppError } from '../../../domain/errors.ts'
import type { Task } from '../../../domain/task.ts'
import { putAway } from '../../../engine/put-away.ts'
import type { StoredWorktree } from '../../../ports/store.ts'
import { addNamedWorktree } from '../../add-worktree.ts'
import { findCommonGitDir } from '../../common-git-dir.ts'
import { putAwayPorts } from '../../hand-in-ports.ts'
import type { WorktreeView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, requireWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { requireStanding, requireWorktreeId } from '../find-worktree.ts'

const usage = 'worktree ls | add NAME [--base REF] | path NAME | rm NAME'

const flags = {
  base: { about: 'add: the commit to start from (default: HEAD)', value: 'REF' },
  all: { about: 'ls: of all repositories' },
  ...jsonFlag,
} as const

interface Given {
  readonly base?: string
  readonly all?: true
  readonly json?: true
}

export const worktree = defineCommand({
  name: 'worktree',
  group: 'Keep house',
  summary: 'Worktrees themselves: which there are, one that stays, where one is, put one away',
  usage,
  flags,
  examples: [
    'holdfast worktree ls',
    'holdfast worktree add review-desk',
    'holdfast run --worktree review-desk "look at the newest commit"',
    'cd "$(holdfast worktree path fix-the-login)"',
    'holdfast worktree rm review-desk',
  ],
  async run({ flags: given, words }, context) {
    const [verb, ...rest] = words
    const name = () => requireWord(rest, 'NAME', usage)
    switch (verb) {
      case 'ls':
        return await list(given, context)
      case 'add':
        return await add(name(), given, context)
      case 'path': {
        const { id, path } = await requireStanding(name(), context)
        if (given.json === true) context.output.writeJson({ id, path })
        else context.output.write(`${path}\n`)
        return exitCodes.done
      }
      case 'rm':
        return await remove(name(), given, context)
      default:
        throw new AppError(
          'bad_usage',
          verb === undefined ? 'ls, add, path or rm is missing' : `worktree has no "${verb}"`,
          { hint: `usage: holdfast ${usage}` },
        )
    }
  },
})

/** Of the repository that the caller stands in, if they stand in one. */
async function list({ all, json }: Given, context: CommandContext): Promise<number> {
  const { holdfast, output, directory } = context
  const known = holdfast.isInUse() ? await (await holdfast.store()).listWorktrees() : []
  const repository = all === true ? undefined : findCommonGitDir(directory)
  const shown = known.filter(one => repository === undefined || one.commonDir === repository)
  const views: WorktreeView[] = []
  for (const one of shown) views.push(await view(one, context))
  if (json === true) output.writeJson({ worktrees: views })
  else for (const one of views) output.write(`${describe(one)}\n`)
  if (json !== true && views.length === 0) {
    output.tell(repository === undefined ? 'there are none' : 'none of this repository; --all')
  }
  return exitCodes.done
}

async function view(
  { id, path, kind, commonDir, pinned, record, leasedTo }: StoredWorktree,
  { holdfast }: CommandContext,
): Promise<WorktreeView> {
  const store = await holdfast.store()
  const worktrees = await holdfast.worktrees()
  const newest = await store.newestTaskIn(id)
  return {
    ...{ id, path, kind, repository: commonDir, pinned, leasedTo },
    standing: record !== null && worktrees.lookAtWorktree(record) === 'present',
    task: newest === null ? null : await nameOf(newest, store),
  }
}

/** One that cannot be read is named by its id. */
async function nameOf(
  id: Task['request']['id'],
  store: { findTask(id: Task['request']['id']): Promise<Task | undefined> },
): Promise<string> {
  return (await store.findTask(id).catch(() => undefined))?.request.name ?? id
}

function describe({ path, kind, pinned, standing, leasedTo, task }: WorktreeView): string {
  const facts = [
    kind,
    pinned ? 'pinned' : null,
    standing ? null : 'not there',
    leasedTo === null ? null : `in use by ${leasedTo}`,
    task,
  ]
  return `${path}  ${facts.filter(fact => fact !== null).join(' · ')}`
}

async function add(name: string, { base, json }: Given, context: CommandContext): Promise<number> {
  const { output } = context
  const wish = { name, kind: 'permanent', base, holder: null } as const
  const { worktree: made, how, leftOut } = await addNamedWorktree(wish, context)
  if (json === true) output.writeJson({ id: made.id, path: made.path, how, leftOut })
  else {
    output.write(`${made.path}\n`)
    for (const line of leftOut) output.tell(`left out: ${line}`)
    if (how !== 'made') output.tell(how === 'there' ? 'it was there already' : 'it is back')
    output.tell(`next: holdfast run --worktree ${name} "…"`)
  }
  return exitCodes.done
}

/** A snapshot of it is kept: `restore` brings it back. */
async function remove(word: string, { json }: Given, context: CommandContext): Promise<number> {
  const { holdfast, output } = context
  const ports = await putAwayPorts(context)
  const id = await requireWorktreeId(word, context)
  const stored = await ports.store.findWorktree(id)
  if (stored?.record?.adoptedFrom !== undefined) {
    throw new AppError('refused_in_state', `${stored.path} is of ${stored.record.adoptedFrom}`, {
      hint: 'it was only taken over; whoever has made it takes it away',
    })
  }
  const { path, ignored } = await putAway(id, ports, ['managed', 'permanent'])
  await (await holdfast.presence()).ring().catch(() => undefined) // A later worker unlinks it too.
  const { dropped } = ignored
  if (json === true) output.writeJson({ id, path, putAway: true, dropped })
  else {
    output.write(`put away ${path}\n`)
    output.tell(`it comes back with: holdfast restore ${id}`)
    if (dropped.length > 0) output.tell(`not kept, because it is made anew: ${dropped.join(', ')}`)
  }
  return exitCodes.done
}
