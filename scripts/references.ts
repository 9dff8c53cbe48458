/** The references that are drawn from the code, by path. */
import { readFileSync } from 'node:fs'
import * as z from 'zod/mini'
import { promptAgents } from '../src/agents/index.ts'
import { makeSchemas, type SettingInfo, settings } from '../src/configuration/schema.ts'
import { exitCodeMeanings, exitCodes } from '../src/surfaces/cli/exit-codes.ts'
import { commandHelp, overallHelp } from '../src/surfaces/cli/help.ts'
import { commands } from '../src/surfaces/cli/main.ts'
import { describeTool } from '../src/surfaces/mcp/make-server.ts'
import { tools } from '../src/surfaces/mcp/tools.ts'
import { views } from '../src/surfaces/view.ts'
import { matrixPage } from '../test/agents/matrix/page.ts'
import { cases } from '../test/faults/plan.ts'
import { reliabilityPage } from '../test/faults/report.ts'
import { readLastWholeRun } from '../test/faults/tally.ts'
import { pluginFiles } from './plugins.ts'

const notice = '<!-- Written by `npm run docs`. -->'

export async function references(): Promise<Record<string, string>> {
  return {
    'docs/reference/commands.md': await commandReference(),
    'docs/reference/configuration.md': configurationReference(),
    'docs/reference/holdfast.schema.json': publishedSchema('repository'),
    'docs/reference/config.schema.json': publishedSchema('user'),
    'docs/reference/exit-codes.md': exitCodeReference(),
    'docs/reference/json.md': jsonReference(),
    'docs/reference/mcp.md': mcpReference(),
    'docs/agents/matrix.md': `${notice}\n${await matrixPage()}`,
    'docs/reliability.md': reliabilityPage(cases, readLastWholeRun()),
    ...pluginFiles(),
    'agent-plugin/plugin.json': agentPlugin(),
    'agent-plugin/skills/holdfast/SKILL.md': read('skills/holdfast/SKILL.md'),
  }
}

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

/** The manifest of the plugin that Codex and other hosts install: agent-plugins.org, 1.0.0. */
function agentPlugin(): string {
  const { name, version, description, license } = JSON.parse(read('package.json'))
  const $schema = 'https://agent-plugins.org/schemas/1.0.0/plugin.schema.json'
  return `${JSON.stringify({ $schema, name, version, description, license }, undefined, 2)}\n`
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

const agentNames = Object.keys(promptAgents)

function publishedSchema(place: 'repository' | 'user'): string {
  return `${JSON.stringify(z.toJSONSchema(makeSchemas(agentNames)[place]), undefined, 2)}\n`
}

function configurationReference(): string {
  const all: [string, SettingInfo][] = Object.entries(settings(agentNames))
  const where = { repository: '`holdfast.json`', user: '`config.json`' }
  const rows = all.map(([name, { about, allowed, otherwise, places, variable }]) => {
    const files = places.flatMap(place => (place === 'environment' ? [] : [where[place]]))
    const set = [...files, ...(variable === undefined ? [] : [`\`${variable}\``])].join(', ')
    return `| \`${name}\` | ${about} | ${allowed} | ${otherwise} | ${set} |`
  })
  return `${notice}
# Configuration

A flag counts before the environment, that before the repository's \`holdfast.json\` (at the top of
the checkout that you stand in), and that before your own \`config.json\` in the state directory. All
of it is read when a task is handed in, and what holds is recorded with the task: a file that
changes later changes no task.

| setting | what it is | allowed | otherwise | may be set in |
|---|---|---|---|---|
${rows.join('\n')}

An unknown setting, or a value that is not allowed, is refused with exit code 2. Commands that only
look read no configuration. An environment variable that is set but empty counts as unset. The
worker reads \`slots\` and \`codexHome\` when it starts, from its own environment and from \`config.json\`; a mistake
there is said in \`worker.log\`, and passed over.

\`"$schema"\` tells an editor what is allowed: the package holds
[\`docs/reference/holdfast.schema.json\`](holdfast.schema.json) for \`holdfast.json\` and
[\`docs/reference/config.schema.json\`](config.schema.json) for \`config.json\`.

Other environment variables: [the state directory](state-directory.md#environment-variables).
`
}

function jsonReference(): string {
  const parts = Object.entries(views).map(([name, schema]) => {
    const text = JSON.stringify(z.toJSONSchema(schema as z.ZodMiniType), undefined, 2)
    return `## ${name}\n\n\`\`\`json\n${text}\n\`\`\`\n`
  })
  return `${notice}
# JSON

What \`--json\` prints, as JSON Schema. \`run\`, \`resume\`, \`retry\` and \`status TASK\`: *task*.
\`status\`: *status*. \`wait\` and \`cancel\`: *tasks*. \`trust --list\`: *trustList*, \`trust --revoke\`:
*trustRevoked*. \`logs\`: one *event* a line. Any other command: the document of its name. A refusal
prints *error* and exits with its [code](exit-codes.md).

${parts.join('\n')}`
}

interface Property {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly description?: string
}

function mcpReference(): string {
  const parts = tools.map(tool => {
    const { name, title, description, inputSchema, outputSchema } = describeTool(tool)
    const rows = Object.entries(inputSchema.properties ?? {}).map(([key, value]) => {
      const { type, enum: choices, description: about } = value as Property
      const isNeeded = inputSchema.required?.includes(key) === true
      return `| \`${key}\` | ${choices?.join(', ') ?? type} | ${isNeeded ? 'yes' : ''} | ${about} |\n`
    })
    return `## ${name}

${title}. ${description}

| argument | type | needed | what it is |
|---|---|---|---|
${rows.join('')}
It answers with ${describeOutput(outputSchema)}.
`
  })
  return `${notice}
# Tools of the MCP server

\`holdfast mcp\` ([delegating over MCP](../guides/mcp.md)). An argument that a tool does not know is
refused. \`tools/list\` gives the JSON Schemas of what goes in and of what comes out; the documents
named here are [those of the command line](json.md).

${parts.join('\n')}`
}

/** A document of the command line by its name; one of the server's own by its parts. */
function describeOutput(schema: unknown): string {
  const known = new Map(
    Object.entries(views).map(([name, view]) => [
      bare(z.toJSONSchema(view as z.ZodMiniType)),
      `[${name}](json.md#${name.toLowerCase()})`,
    ]),
  )
  const found = known.get(bare(schema))
  if (found !== undefined) return found
  const { properties = {} } = schema as { properties?: Record<string, Property> }
  const parts = Object.entries(properties).map(([key, value]) => {
    const { items, anyOf } = value as { items?: unknown; anyOf?: readonly Property[] }
    // Of what may be null, the rest.
    const one = anyOf?.find(({ type }) => type !== 'null') ?? value
    const name = known.get(bare(one)) ?? known.get(bare(items))
    return `\`${key}\` (${name ?? one.type}${items === undefined || name === undefined ? '' : ', a list'})`
  })
  return parts.join(', ')
}

function bare(schema: unknown): string {
  const { $schema: _, ...rest } = (schema ?? {}) as Record<string, unknown>
  return JSON.stringify(rest)
}
