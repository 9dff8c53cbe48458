import { Refusal, type Subcommand } from './subcommand.ts'

export const transfer: Subcommand = {
  grammar: { values: ['source'], switches: [], takesText: false },
  async run() {
    throw new Refusal(
      'Holdfast cannot transfer a Claude session into a Codex thread. Hand the work over in words: /codex:rescue "…".',
    )
  },
}
