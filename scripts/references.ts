/** The references that are drawn from the code, by path. */
import * as z from 'zod/mini'
import { exitCodeMeanings, exitCodes } from '../src/surfaces/cli/exit-codes.ts'
import { commandHelp, overallHelp } from '../src/surfaces/cli/help.ts'
import { commands } from '../src/surfaces/cli/main.ts'
import { views } from '../src/surfaces/view.ts'

const notice = '<!-- Written by `npm run docs`. -->'

export async function references(): Promise<Record<string, string>> {
  return {
    'docs/reference/commands.md': await commandReference(),
    'docs/reference/exit-codes.md': exitCodeReference(),
    'docs/reference/json.md': jsonReference(),
  }
}

async function commandReference(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map(load => load()))
  const parts = all.map(command => `## ${command.name}\n\n\`\`\`\n${commandHelp(command)}\`\`\`\n`)
  return `${notice}\n# Commands\n\n\`\`\`\n${overallHelp(all)}\`\`\`\n\n${parts.join('\n')}`
}

function exitCodeReference(): string {
  const rows = Object.entries(exitCodes).map(
    ([name, code]) => `| ${code} | ${exitCodeMeanings[name as keyof typeof exitCodes]} |`,
  )
  return `${notice}
# Exit codes

| code | meaning |
|---|---|
${rows.join('\n')}
| 128 + n | ended by signal n; the tasks go on |

\`wait\` for several tasks exits by the worst outcome: 1, then 8, 9, 3, 0. \`status\` exits 0 whatever
the state of a task.
`
}

function jsonReference(): string {
  const parts = Object.entries(views).map(([name, schema]) => {
    const text = JSON.stringify(z.toJSONSchema(schema as z.ZodMiniType), undefined, 2)
    return `## ${name}\n\n\`\`\`json\n${text}\n\`\`\`\n`
  })
  return `${notice}
# JSON

What \`--json\` prints, as JSON Schema. \`run\`, and \`status TASK\`: *task*. \`status\`, \`wait\` and
\`cancel\`: *status*. \`worker\`: *worker*. \`demo\`: *demo*. \`logs\`: one *event* a line. A refusal prints *error* and
exits with its [code](exit-codes.md).

${parts.join('\n')}`
}
