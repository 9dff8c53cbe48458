/** Where somebody wants to be told, as people write it (`--notify`, `notify`). Pure. */
import type { Subscriber } from './notice.ts'

export interface WebhookSettings {
  readonly keyFile: string | null
  readonly mayBePrivate: boolean
}

export interface TargetSettings {
  readonly webhook: WebhookSettings
  /** The variables that say which OpenClaw it is. */
  readonly openclaw: Readonly<Record<string, string>>
}

/** For messages and the help. */
export const TARGETS =
  'desktop, openclaw, openclaw:SESSION, file:PATH, command:PROGRAM, command:["PROGRAM","ARGUMENT"], https://…, slack:https://…, ntfy:https://…; or none'

/** `none`: nobody, not even who is told by default. A text: what is wrong with it. */
export type Target = { readonly to: Subscriber } | 'none' | { readonly problem: string }

/** `resolve` makes a path absolute; null: it cannot. */
export function parseTarget(
  text: string,
  resolve: (path: string) => string | null,
  { webhook, openclaw }: TargetSettings,
): Target {
  if (text === 'none') return 'none'
  if (text === 'desktop') return { to: { kind: text } }
  if (text === 'openclaw') return { to: { kind: text, session: null, environment: openclaw } }
  const [, scheme = '', rest = ''] =
    /^(file|command|openclaw|slack|ntfy|https?):(.*)$/s.exec(text) ?? []
  switch (scheme) {
    case 'file': {
      const path = rest === '' ? null : resolve(rest)
      if (path === null) return { problem: 'its path is not absolute' }
      return path.includes('\0') ? { problem: 'that is no path' } : { to: { kind: 'file', path } }
    }
    case 'command':
      return parseCommand(rest, resolve)
    case 'openclaw':
      return parseSession(rest.trim(), openclaw)
    case 'http':
    case 'https':
      return parseWebhook(text, 'json', webhook)
    case 'slack':
    case 'ntfy':
      return parseWebhook(rest, scheme, webhook)
    default:
      return { problem: 'it is none that is known' }
  }
}

/** OpenClaw's gateway refuses to wake a subagent: each try would be in vain. */
function parseSession(session: string, environment: TargetSettings['openclaw']): Target {
  if (session === '' || /\p{Cc}/u.test(session)) return { problem: 'that is no key of a session' }
  if (/^(?:agent:[^:]+:)?subagent:/i.test(session)) {
    return { problem: 'a subagent cannot be woken; without its key, the main session is' }
  }
  return { to: { kind: 'openclaw', session, environment } }
}

function parseCommand(text: string, resolve: (path: string) => string | null): Target {
  const words = text.startsWith('[') ? parseWords(text) : [text]
  const [program = '', ...more] = words ?? []
  if (words === undefined || program === '') {
    return { problem: 'it needs a program, or a JSON list of words' }
  }
  if (words.some(word => word.includes('\0'))) return { problem: 'no word may hold a zero byte' }
  // One without a slash is looked for on the PATH, as everywhere.
  const found = program.includes('/') ? resolve(program) : program
  if (found === null) return { problem: 'the path of its program is not absolute' }
  return { to: { kind: 'command', argv: [found, ...more] } }
}

function parseWords(json: string): readonly string[] | undefined {
  try {
    const words: unknown = JSON.parse(json)
    const isList = Array.isArray(words) && words.every(word => typeof word === 'string')
    return isList ? words : undefined
  } catch {
    return undefined // whatever it is, it is no list of words
  }
}

function parseWebhook(
  url: string,
  format: 'json' | 'slack' | 'ntfy',
  { keyFile, mayBePrivate }: WebhookSettings,
): Target {
  if (!/^https?:\/\/[^/?#\s]+\S*$/.test(url) || !URL.canParse(url)) {
    return { problem: 'that is no http or https URL' }
  }
  return { to: { kind: 'webhook', url, format, keyFile, mayBePrivate } }
}
