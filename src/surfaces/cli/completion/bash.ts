/**
 * The script for bash, also the old one of macOS (3.2). What is under way is never put through a
 * word list of `compgen`, which bash would expand: it is read line by line.
 */
import type { CompletedCommand, CompletedFlag, Offer } from './completions.ts'

export function bashScript(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name).join(' ')
  const cases = commands.map(command => {
    const { name, flags, words } = command
    const long = flags.map(flag => flag.long).join(' ')
    return `    ${name})
      case $before in
${flags.flatMap(valueCase).join('\n')}
      esac
      case $word in
        -*) _holdfast_words ${long} ;;
        *) ${offer(words)} ;;
      esac
      ;;`
  })
  return `# Completion for bash. In ~/.bashrc: source <(holdfast completion bash)
_holdfast_add() {
  case $1 in
    "$word"*) COMPREPLY[\${#COMPREPLY[@]}]=$1 ;;
  esac
}
_holdfast_words() {
  local one
  for one in "$@"; do _holdfast_add "$one"; done
}
_holdfast_lines() {
  local one quoted
  while IFS= read -r one; do
    printf -v quoted %q "$one"
    _holdfast_add "$quoted"
  done
}
_holdfast_tasks() {
  _holdfast_lines < <("\${COMP_WORDS[0]}" completion tasks 2>/dev/null | cut -f 1)
}
_holdfast_files() {
  compopt -o filenames 2>/dev/null
  while IFS= read -r one; do COMPREPLY[\${#COMPREPLY[@]}]=$one; done < <(compgen -f -- "$word")
}
_holdfast() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} one
  COMPREPLY=()
  # bash takes \`--flag=value\` apart.
  if [ "$word" = = ]; then
    word=
  elif [ "$before" = = ]; then
    before=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    _holdfast_words ${names} --help --version
    return
  fi
  for one in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    # What follows is not for holdfast.
    if [ "$one" = -- ]; then
      _holdfast_files
      return
    fi
  done
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
}
complete -F _holdfast holdfast
`
}

function valueCase({ long, short, value }: CompletedFlag): string[] {
  if (value === null) return []
  const names = short === null ? long : `${long} | ${short}`
  return [`        ${names}) ${offer(value)}; return ;;`]
}

function offer(value: Offer): string {
  switch (value.kind) {
    case 'nothing':
      return ':'
    case 'files':
      return '_holdfast_files'
    case 'tasks':
      return '_holdfast_tasks'
    case 'words':
      return `_holdfast_words ${value.words.join(' ')}`
  }
}
