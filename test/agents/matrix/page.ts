/** `docs/agents/matrix.md`: what the tests of the matrix hold each agent to. */
import { agents } from '../../../src/agents/index.ts'
import { aboutCases, caseNames } from './case-names.ts'
import { cast } from './cast.ts'
import { drawMarkdown } from './draw.ts'

export async function matrixPage(): Promise<string> {
  const rows = await Promise.all(
    Object.entries(cast).map(async ([name, { expected }]) => {
      const agent = await agents[name as keyof typeof agents]()
      return { agent: `${name} ${agent.testedVersion ?? ''}`.trim(), cells: expected }
    }),
  )
  const cases = caseNames.map(name => `- **${name}**: ${aboutCases[name]}`)
  return `# What happens to each agent

The real command-line agents, in the versions named, in the whole program: its worker, worktrees and
confinement; behind them a model that answers by a script. \`npm run test:agents\` runs every cell but
those that say why not, and fails where one ends otherwise; it prints what it saw as this table.

${drawMarkdown(rows)}

${cases.join('\n')}
`
}
