/**
 * What was typed after a command of a plugin, as one text: its flags, and what is to be done. Pure.
 *
 * Flags stand before the text or after it; what lies between is the text, byte for byte. A word that
 * begins with dashes in the middle of it is part of it. After `--` all is text.
 */
import type { RequestKind } from '../../domain/kept-request.ts'

export interface Arguments {
  /** Undefined: no flag says. */
  readonly background?: boolean
  readonly resume?: boolean
  readonly agent?: string
  readonly model?: string
  readonly effort?: string
  readonly base?: string
  readonly scope?: string
  /** The file with the conversation that is handed over. */
  readonly source?: string
  /** Empty: nothing is asked. */
  readonly text: string
}

const switches = {
  background: { background: true },
  wait: { background: false },
  resume: { resume: true },
  fresh: { resume: false },
} as const satisfies Record<string, Partial<Arguments>>

const choices = {
  effort: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'],
  scope: ['auto', 'working-tree', 'branch'],
} as const

/** The flags of each command: those that have a value, and those that have none. */
const known = {
  rescue: [
    ['background', 'wait', 'resume', 'fresh'],
    ['agent', 'model', 'effort'],
  ],
  transfer: [
    ['background', 'wait'],
    ['agent', 'model', 'effort', 'source'],
  ],
  review: [
    ['background', 'wait'],
    ['base', 'scope', 'agent', 'model', 'effort'],
  ],
} as const

/** A value may stand in quotes. */
const VALUE = `"[^"\\n]+"|'[^'\\n]+'|\\S+`

/** The arguments, or what is wrong with them, in words. */
export function readArguments(kind: RequestKind, typed: string): Arguments | string {
  const [bare, valued] = known[kind === 'adversarial-review' ? 'review' : kind]
  const flag = `--(?:(?:${bare.join('|')})|(?:${valued.join('|')})(?:=|[^\\S\\n]+)(?!-)(?:${VALUE}))`
  const found: string[] = []
  let text = typed
  const leading = new RegExp(`^\\s*(${flag})(?=\\s|$)`)
  const trailing = new RegExp(`(?:^|\\s)(${flag})\\s*$`)
  for (let match = leading.exec(text); match !== null; match = leading.exec(text)) {
    found.push(match[1] ?? '')
    text = text.slice(match[0].length)
  }
  const verbatim = /^\s*--(?:\s|$)/.exec(text)
  if (verbatim !== null) text = text.slice(verbatim[0].length)
  else {
    const stray = /^\s*(--?[A-Za-z][\w-]*)/.exec(text)?.[1]
    if (stray !== undefined) return describeStray(stray, [...bare, ...valued])
    for (let match = trailing.exec(text); match !== null; match = trailing.exec(text)) {
      found.unshift(match[1] ?? '')
      text = text.slice(0, match.index)
    }
    text = text.trim()
  }
  return combine(found, text)
}

function describeStray(word: string, flags: readonly string[]): string {
  const needsValue = flags.includes(word.slice(2)) && !(word.slice(2) in switches)
  if (needsValue) return `${word} needs a value`
  const names = flags.map(name => `--${name}`).join(' ')
  return `there is no flag ${word} here (flags: ${names}). A text that begins with a dash goes after --`
}

function combine(found: readonly string[], text: string): Arguments | string {
  let all: Arguments = { text }
  for (const word of found) {
    const [, name = '', given = ''] = /^--([a-z]+)(?:[=\s]+(.+))?$/s.exec(word) ?? []
    const value = given.replace(/^(["'])(.+)\1$/s, '$2')
    const said = name in switches ? switches[name as keyof typeof switches] : { [name]: value }
    for (const [key, one] of Object.entries(said)) {
      const before = all[key as keyof Arguments]
      if (before !== undefined && before !== one) return `${word} contradicts another flag`
    }
    const allowed: readonly string[] | undefined = choices[name as keyof typeof choices]
    if (allowed?.includes(value) === false) return `--${name} is one of: ${allowed.join(', ')}`
    all = { ...all, ...said }
  }
  return all
}

/** Whether the words ask to go on with what was begun. */
export function soundsLikeGoingOn(text: string): boolean {
  return /\b(?:continue|keep going|carry on|resume|apply the top fix|dig deeper|go on)\b/i.test(
    text,
  )
}
