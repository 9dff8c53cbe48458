/**
 * What follows a subcommand, read so that text stays text. Flags count where somebody who types flags
 * puts them: before the text, and after it. Between two words of text nothing is a flag, and within one
 * argument that has spaces in it nothing is. A lone argument is all that was typed (a slash command
 * passes `"$ARGUMENTS"`): flags are read from its beginning up to the first word that is none; from
 * there on it is text, byte for byte. What takes no text is split at spaces to its end.
 */

export interface Grammar {
  /** Flags with a value, without their dashes. */
  readonly values: readonly string[]
  readonly switches: readonly string[]
  readonly takesText: boolean
}

export interface Arguments {
  readonly values: Readonly<Record<string, string>>
  readonly switches: ReadonlySet<string>
  /** What is no flag, as one text; empty where there is none. */
  readonly text: string
  /** The same by its words, where it takes no text. */
  readonly words: readonly string[]
}

/** A flag that lacks its value. */
export class MissingValue extends Error {
  override readonly name = 'MissingValue'
}

/** Every subcommand takes these. */
const VALUES_OF_ALL = ['cwd']
const SWITCHES_OF_ALL = ['json']
const SHORT: Readonly<Record<string, string>> = { '-C': 'cwd', '-m': 'model' }

export function parseArguments(argv: readonly string[], grammar: Grammar): Arguments {
  const [lone] = argv
  if (lone === undefined || argv.length > 1) return parseWords(argv, grammar)
  if (!grammar.takesText) return parseWords(splitWords(lone), grammar)
  const { flags, text } = takeFlags(lone, grammar)
  return { ...gather(flags), text, words: [] }
}

interface Read {
  readonly name: string
  /** How many words it takes. */
  readonly length: number
}

type Flag =
  | (Read & { readonly kind: 'switch'; readonly isOn: boolean })
  | (Read & { readonly kind: 'value'; readonly value: string })

function parseWords(words: readonly string[], grammar: Grammar): Arguments {
  const flags: Flag[] = []
  let at = 0
  for (let flag = readFlag(words, at, grammar); flag !== null; ) {
    flags.push(flag)
    at += flag.length
    flag = readFlag(words, at, grammar)
  }
  const rest = words.slice(at)
  // After it all is text, whatever it looks like.
  const dashes = rest.indexOf('--')
  const trailing = dashes < 0 ? findTrailing(rest, grammar) : []
  const length = rest.length - trailing.reduce((sum, flag) => sum + flag.length, 0)
  const text = rest.filter((_, n) => n < length && n !== dashes)
  return { ...gather([...flags, ...trailing]), text: text.join(' '), words: text }
}

/** The longest end of it that is nothing but flags; never the whole, which has been looked at before. */
function findTrailing(words: readonly string[], grammar: Grammar): readonly Flag[] {
  for (let start = 1; start < words.length; start++) {
    const flags: Flag[] = []
    let at = start
    while (at < words.length) {
      const flag = readWhole(words, at, grammar)
      if (flag === null) break
      flags.push(flag)
      at += flag.length
    }
    if (at === words.length) return flags
  }
  return []
}

/** A flag without its value at the end of a text is a word of it. */
function readWhole(words: readonly string[], at: number, grammar: Grammar): Flag | null {
  try {
    return readFlag(words, at, grammar)
  } catch (error) {
    if (error instanceof MissingValue) return null
    throw error
  }
}

function readFlag(words: readonly string[], at: number, grammar: Grammar): Flag | null {
  const word = words[at]
  if (word === undefined) return null
  const [, long, , inline] = /^--([a-z][a-z-]*)(=(.*))?$/s.exec(word) ?? []
  const name = long ?? SHORT[word]
  if (name === undefined) return null
  if ([...SWITCHES_OF_ALL, ...grammar.switches].includes(name)) {
    return { kind: 'switch', name, isOn: inline !== 'false', length: 1 }
  }
  if (![...VALUES_OF_ALL, ...grammar.values].includes(name)) return null
  if (inline !== undefined) return { kind: 'value', name, value: inline, length: 1 }
  const value = words[at + 1]
  if (value === undefined) throw new MissingValue(`Missing value for ${word}`)
  return { kind: 'value', name, value, length: 2 }
}

/** The flags at the beginning of a text, and the rest of it as it is. */
function takeFlags(all: string, grammar: Grammar): { flags: readonly Flag[]; text: string } {
  const flags: Flag[] = []
  let rest = all
  for (;;) {
    const [whole, word] = /^\s*(\S+)\s*/.exec(rest) ?? []
    if (whole === undefined || word === undefined) return { flags, text: '' }
    const after = rest.slice(whole.length)
    if (word === '--') return { flags, text: after }
    const value = takeWord(after)
    const flag = readFlag(value === undefined ? [word] : [word, value.word], 0, grammar)
    if (flag === null) return { flags, text: rest }
    flags.push(flag)
    rest = flag.length === 1 ? after : (value?.rest ?? '')
  }
}

/** The next word, without the quotes that may stand around it, and what comes after the space behind it. */
function takeWord(text: string): { word: string; rest: string } | undefined {
  const match = /^\s*(?:"([^"]*)"|'([^']*)'|(\S+))(?:\s+|$)/.exec(text)
  if (match === null) return undefined
  const [whole, double, single, plain] = match
  return { word: double ?? single ?? plain ?? '', rest: text.slice(whole.length) }
}

function splitWords(text: string): readonly string[] {
  const words: string[] = []
  for (let next = takeWord(text); next !== undefined; next = takeWord(next.rest)) {
    words.push(next.word)
  }
  return words
}

/** Given twice, the last one counts. */
function gather(flags: readonly Flag[]): Pick<Arguments, 'values' | 'switches'> {
  const values: Record<string, string> = {}
  const switches = new Set<string>()
  for (const flag of flags) {
    if (flag.kind === 'value') values[flag.name] = flag.value
    else if (flag.isOn) switches.add(flag.name)
    else switches.delete(flag.name)
  }
  return { values, switches }
}
