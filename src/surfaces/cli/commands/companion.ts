import { defineCommand } from '../command.ts'

export const companion = defineCommand({
  name: 'companion',
  group: 'For programs',
  summary: 'The command line of the Codex plugin for Claude Code, on tasks that hold on',
  usage:
    'companion setup|review|adversarial-review|task|task-resume-candidate|status|result|cancel|transfer [ARGUMENT…]',
  readsFlags: true,
  flags: {},
  examples: [
    'holdfast companion task --write "fix the failing test"',
    'holdfast companion task --background --json "find out why the build is slow"',
    'holdfast companion review --base main',
    'holdfast companion status',
    'holdfast companion --help',
  ],
  async run({ words }, context) {
    const { runCompanion } = await import('../../companion/companion.ts')
    return await runCompanion(words, context)
  },
})
