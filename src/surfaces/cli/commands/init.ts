import { initRepository, SETTINGS_FILE } from '../../../engine/init.ts'
import type { InitView } from '../../view.ts'
import { type CommandContext, defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'

export const init = defineCommand({
  name: 'init',
  group: 'Keep house',
  summary: 'Write down what new worktrees of this repository need, from what is here',
  usage: 'init',
  flags: jsonFlag,
  examples: ['holdfast init', 'holdfast init --json'],
  async run({ flags, words }, context) {
    refuseWords(words, 'init')
    const { holdfast, output, directory } = context
    const worktrees = await holdfast.worktrees()
    const checkout = await worktrees.openCheckout(directory)
    const { root } = checkout.place
    // A file that is there and says nothing sensible is told of before anything is written.
    const { repository } = await holdfast.configuration(root)
    const ports = { worktrees, files: await holdfast.repositoryFiles() }
    const files = (await initRepository(checkout, repository, ports)).map(
      ({ path, became, content, why }) => ({ path, became, content, why: [...why] }),
    )
    if (flags.json === true) {
      output.writeJson({ root, files })
      return exitCodes.done
    }
    output.write(files.map(file => render(file, context)).join('\n'))
    output.tell(`next: ${nextStep(files)}`)
    return exitCodes.done
  },
})

type FileView = InitView['files'][number]

const styles = { written: 'green', kept: 'yellow', 'not needed': 'dim' } as const

function render({ path, became, content, why }: FileView, { output }: CommandContext): string {
  const lines = content === null || became !== 'written' ? [] : content.trimEnd().split('\n')
  const reasons =
    became === 'kept' && why.length === 0 ? ['nothing that was found is missing'] : why
  const all = [
    `${output.style(styles[became], became)} ${path}`,
    ...lines.map(line => `  | ${line}`),
    ...reasons.map(reason => `  ${reason}`),
  ]
  return `${all.join('\n')}\n`
}

function nextStep(files: readonly FileView[]): string {
  const written = files.filter(({ became }) => became === 'written').map(({ path }) => path)
  const named = written.length === 0 ? '' : `git add ${written.join(' ')} · `
  const mayBeTrusted = files.some(
    ({ path, became }) => path === SETTINGS_FILE && became !== 'not needed',
  )
  return `${named}${mayBeTrusted ? 'holdfast trust · ' : ''}holdfast run "…"`
}
