import { existsSync } from 'node:fs'
import { AppError } from '../../../domain/errors.ts'
import { shellWord } from '../../../domain/shell-word.ts'
import { resultOf } from '../../../domain/task.ts'
import { branchTask } from '../../../engine/branch.ts'
import { requireTask } from '../../find-task.ts'
import { branchPorts } from '../../hand-in-ports.ts'
import { defineCommand, jsonFlag, requireWord } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { withBaseChanges } from './branch.ts'

const usage = 'pr TASK'

/** For people: what needs no quotes has none. */
const shown = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : shellWord(word))

export const pr = defineCommand({
  name: 'pr',
  group: 'Take',
  summary: 'Push what the agent changed as a branch, and open a pull request with gh',
  usage,
  flags: {
    branch: { about: 'its name (default: holdfast/ and the task’s name)', value: 'NAME' },
    remote: { about: 'where to push to (default: the only one, or origin)', value: 'NAME' },
    base: { about: 'the branch to merge into (default: as the remote has it)', value: 'NAME' },
    draft: { about: 'open it as a draft' },
    ...withBaseChanges,
    ...jsonFlag,
  },
  examples: ['holdfast pr fix-the-login', 'holdfast pr k3v9 --draft --base develop'],
  async run({ flags, words }, context) {
    const { output } = context
    const ports = await branchPorts(context)
    const task = await requireTask(ports.store, requireWord(words, 'TASK', usage))
    const { repo, name: taskName } = task.request
    const { worktrees } = ports
    const remote =
      flags.remote ?? chooseRemote(await worktrees.listRemotes(repo.commonDir), repo.root)
    const name = flags.branch ?? `holdfast/${taskName}`
    const { title, commit } = await branchTask(task, name, flags.withBaseChanges === true, ports)

    const body = resultOf(task.state)?.answer ?? ''
    const base = flags.base ?? (await worktrees.defaultBranch(repo.commonDir, remote))
    const open = [
      ...['pr', 'create', '--head', name, '--title', title, '--body', body],
      ...(base === null ? [] : ['--base', base]),
      ...(flags.draft === true ? ['--draft'] : []),
    ]
    const github = await context.holdfast.github()
    if (!(await github.isThere())) {
      // Nothing leaves this machine unless all of it can be done.
      const refspec = `refs/heads/${name}:refs/heads/${name}`
      const commands = [
        ['git', `--git-dir=${repo.commonDir}`, 'push', remote, refspec],
        ['gh', ...open],
      ].map(argv => argv.map(shown).join(' '))
      if (flags.json === true) output.writeJson({ branch: name, commit, url: null, commands })
      else for (const command of commands) output.write(`${command}\n`)
      output.tell('gh is not on the PATH: nothing was pushed. These commands do it')
      return exitCodes.done
    }
    await worktrees.push(repo.commonDir, remote, name)
    const url = await github.run(open, existsSync(repo.root) ? repo.root : context.directory)
    if (flags.json === true) output.writeJson({ branch: name, commit, url, commands: [] })
    else output.write(`${url}\n`)
    return exitCodes.done
  },
})

function chooseRemote(remotes: readonly string[], root: string): string {
  const [only, ...others] = remotes
  if (only === undefined) {
    throw new AppError('refused_in_state', `${root} has no remote to push to`, {
      hint: 'git remote add origin URL; or take the change as a branch: holdfast branch',
    })
  }
  if (others.length === 0) return only
  if (remotes.includes('origin')) return 'origin'
  throw new AppError('bad_usage', `there are several remotes: ${remotes.join(', ')}`, {
    hint: 'say which: --remote NAME',
  })
}
