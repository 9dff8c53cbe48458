/**
 * A command as people type it into one argument, and the words that it is: a program and its
 * arguments. No shell ever reads it, so what only a shell would understand is a mistake that is named,
 * and never passed on as if it were a word. Pure.
 */

/** Outside of quotes, what a shell would do something with. */
const SHELL_ONLY = /[$`|&;<>()*?[\]{}~#!\n]/

/** The words; or what is wrong with it. */
export type CommandWords =
  | { readonly argv: readonly [string, ...string[]] }
  | { readonly problem: string }

/**
 * A JSON list of words, or words with spaces between. `'…'` keeps all in it as it is, `"…"` all but
 * `\"` and `\\`, and a backslash the character after it.
 */
export function splitCommand(text: string): CommandWords {
  const words = text.trimStart().startsWith('[') ? readList(text) : readWords(text)
  if ('problem' in words) return words
  const [program, ...rest] = words.words
  if (program === undefined || program === '') return { problem: 'it names no program' }
  if (words.words.some(word => word.includes('\0'))) {
    return { problem: 'no word may hold a zero byte' }
  }
  return { argv: [program, ...rest] }
}

type Words = { readonly words: readonly string[] } | { readonly problem: string }

function readList(json: string): Words {
  try {
    const words: unknown = JSON.parse(json)
    const isList = Array.isArray(words) && words.every(word => typeof word === 'string')
    if (isList) return { words }
  } catch {
    // Whatever it is, it is no list of words.
  }
  return { problem: 'it begins like a JSON list of words, and is none' }
}

function readWords(text: string): Words {
  const words: string[] = []
  let word: string | null = null
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at)
    if (letter === "'" || letter === '"') {
      const quoted = readQuoted(text, at)
      if (quoted === undefined) return { problem: `a ${letter} has no end` }
      word = (word ?? '') + quoted.content
      at = quoted.end
    } else if (letter === '\\') {
      if (at + 1 === text.length) return { problem: 'it ends with a backslash' }
      word = (word ?? '') + text.charAt(++at)
    } else if (letter === ' ' || letter === '\t') {
      if (word !== null) words.push(word)
      word = null
    } else if (SHELL_ONLY.test(letter)) {
      const name = letter === '\n' ? 'a line end' : letter
      return { problem: `${name} means something to a shell, and there is none` }
    } else word = (word ?? '') + letter
  }
  if (word !== null) words.push(word)
  return { words }
}

/** `end`: where the closing quote stands. Undefined: there is none. */
function readQuoted(
  text: string,
  start: number,
): { readonly content: string; readonly end: number } | undefined {
  const quote = text.charAt(start)
  let content = ''
  for (let at = start + 1; at < text.length; at++) {
    const letter = text.charAt(at)
    if (letter === quote) return { content, end: at }
    const next = text.charAt(at + 1)
    if (quote === '"' && letter === '\\' && (next === '"' || next === '\\')) {
      content += next
      at++
    } else content += letter
  }
  return undefined
}
