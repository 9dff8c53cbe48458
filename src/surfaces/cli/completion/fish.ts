import type { CompletedCommand, Offer } from './completions.ts'

/** The script for fish: one line for each thing that can be typed. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, summary, flags, words }) => {
    const within = `-n '__holdfast_is ${name}'`
    const offered = offer(words)
    return [
      `complete -c holdfast -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...(offered === null ? [] : [`complete -c holdfast ${within} -a ${offered}`]),
      ...flags.map(({ long, short, about, value }) => {
        const letter = short === null ? '' : ` -s ${short.slice(1)}`
        const takes = value === null ? '' : value.kind === 'files' ? ' -r -F' : ' -x'
        const values = value === null ? null : offer(value)
        const choices = values === null ? '' : ` -a ${values}`
        return `complete -c holdfast ${within} -l ${long.slice(2)}${letter}${takes}${choices} -d ${quoted(about)}`
      }),
    ]
  })
  return `# Completion for fish: holdfast completion fish > ~/.config/fish/completions/holdfast.fish
function __holdfast_is
    set -l words (commandline -opc)
    test "$words[2]" = $argv[1]
end
complete -c holdfast -f
${lines.join('\n')}
`
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`
}

/** Null: nothing, or files, which fish offers by itself. */
function offer(value: Offer): string | null {
  switch (value.kind) {
    case 'nothing':
    case 'files':
      return null
    case 'tasks':
      return "'(holdfast completion tasks 2>/dev/null)'"
    case 'words':
      return quoted(value.words.join(' '))
  }
}
