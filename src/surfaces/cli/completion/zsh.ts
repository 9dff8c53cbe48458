import type { CompletedCommand, Offer } from './completions.ts'

/** The script for zsh. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  const summaries = commands.map(({ name, summary }) => `    ${described(name, summary)}`)
  const cases = commands.map(({ name, flags, words }) => {
    const values = flags.flatMap(({ long, short, value }) =>
      value === null
        ? []
        : [`        ${short === null ? long : `${long}|${short}`}) ${offer(value)}; return ;;`],
    )
    const described_ = flags.map(({ long, about }) => `        ${described(long, about)}`)
    return `    ${name})
      case $before in
${values.join('\n')}
      esac
      if [[ $PREFIX == -* ]]; then
        flags=(
${described_.join('\n')}
        )
        _describe -o flag flags
      else
        ${offer(words)}
      fi
      ;;`
  })
  return `#compdef holdfast
# Completion for zsh. In ~/.zshrc, after compinit: source <(holdfast completion zsh)
_holdfast_tasks() {
  local -a tasks
  tasks=(\${(f)"$("\${words[1]}" completion tasks 2>/dev/null | cut -f 1)"})
  compadd -a tasks
}
_holdfast() {
  local -a commands flags
  local before=\${words[CURRENT-1]}
  if (( CURRENT == 2 )); then
    commands=(
${summaries.join('\n')}
    )
    _describe command commands
    return
  fi
  # What follows -- is not for holdfast.
  if (( \${words[(i)--]} < CURRENT )); then
    _files
    return
  fi
  case \${words[2]} in
${cases.join('\n')}
  esac
}
compdef _holdfast holdfast
`
}

/** One entry for \`_describe\`, where a colon parts the word from what it means. */
function described(word: string, about: string): string {
  return `'${word.replaceAll(':', '\\:')}:${about.replaceAll("'", "'\\''")}'`
}

function offer(value: Offer): string {
  switch (value.kind) {
    case 'nothing':
      return ':'
    case 'files':
      return '_files'
    case 'tasks':
      return '_holdfast_tasks'
    case 'words':
      return `compadd -- ${value.words.join(' ')}`
  }
}
