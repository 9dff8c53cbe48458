/** The help, drawn from the definitions of the commands. */
import type { Command, CommandGroup } from './command.ts'
import { dashed } from './flags.ts'

const groups: readonly CommandGroup[] = ['Do', 'Look', 'Take', 'Keep house']

export function overallHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2
  const lines = [
    'holdfast: coding-agent tasks that hold on.',
    '',
    'Usage: holdfast COMMAND [ARGUMENTS]',
  ]
  for (const group of groups) {
    const members = commands.filter(command => command.group === group)
    if (members.length === 0) continue
    lines.push('', `${group}:`)
    for (const { name, summary } of members) lines.push(`  ${name.padEnd(width)}${summary}`)
  }
  lines.push(
    '',
    'A task is named by its id, a unique prefix of it, or its name.',
    'holdfast COMMAND --help shows flags and examples.',
  )
  return `${lines.join('\n')}\n`
}

export function commandHelp(command: Command): string {
  const flags = Object.entries(command.flags).map(([name, { about, value, short }]) => {
    const long = `--${dashed(name)}${value === undefined ? '' : ` ${value}`}`
    return [`${short === undefined ? '    ' : `-${short}, `}${long}`, about] as const
  })
  const width = Math.max(0, ...flags.map(([flag]) => flag.length)) + 2
  const lines = [command.summary, '', `Usage: holdfast ${command.usage}`]
  if (command.aliases !== undefined) lines.push(`Alias: ${command.aliases.join(', ')}`)
  if (flags.length > 0) {
    lines.push('', 'Flags:', ...flags.map(([flag, about]) => `  ${flag.padEnd(width)}${about}`))
  }
  lines.push('', 'Examples:', ...command.examples.map(example => `  ${example}`))
  return `${lines.join('\n')}\n`
}
