/**
 * Secrets in what an agent says, taken out before it becomes our words: the log, failures, messages.
 * Two ways to know one: its value stands in the task's environment under a name that says so, or it
 * looks like nothing else. What is neither is not found. Raw output and the answer are the agent's
 * own, and stay to the byte. Pure.
 */
import type { AgentEvent } from './agent-events.ts'
import type { AttemptOutcome, Failure } from './outcome.ts'
import { plainText } from './plain-text.ts'

export type Redact = (text: string) => string

const REDACTED = '[redacted]'

/** `DB_PASSWORD`, `PGPASSWORD`, `OPENAI_API_KEY`; not `TOKENIZERS_PARALLELISM`, not `MONKEY`. */
const SECRET_NAME =
  /(?:^|_)(?:(?:API|ACCESS|PRIVATE|SIGNING|AUTH)?(?:KEY|TOKEN|SECRET)S?|PAT|AUTH|CREDENTIALS?|PASSPHRASE|DSN)(?:_|$)|PASSW(?:OR)?D(?:_|$)/i

/** Where one lies or what it is called, and not what it is. */
const PLACE_NAME = /_(?:FILE|PATH|DIR|SOCK|SOCKET|ID|NAME|TYPE)$/i

/** Shorter ones are words that a text has anyway (`true`, `local`). */
const SHORTEST = 8

/** The lines of a key: shorter ones are its frame, or its end. */
const SHORTEST_LINE = 20

const SHAPES = [
  '-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)',
  String.raw`\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+`,
  String.raw`\bsk-[\w-]{20,}`,
  String.raw`\bgh[opsru]_[A-Za-z0-9]{30,}`,
  String.raw`\bgithub_pat_\w{22,}`,
  String.raw`\bglpat-[\w-]{20,}`,
  String.raw`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`,
  String.raw`\bxox[a-z]-[\w-]{10,}`,
  String.raw`\bxapp-[\w-]{20,}`,
  String.raw`\bhooks\.slack\.com/services/[\w/]+`,
  String.raw`\bAIza[\w-]{35}`,
  String.raw`\bnpm_[A-Za-z0-9]{30,}`,
  String.raw`\bwhsec_[A-Za-z0-9+/]{20,}=*`,
]

/** A password in an address, and what is sent as an authorisation: what stands before it stays. */
const SENT = /(:\/\/[^\s/:@]{0,64}:)[^\s/@]+(?=@)|(\b[Bb]earer )[\w.~+/-]{16,}=*/g

/** Where texts are cut, a secret may be cut too: those of events are longer than this then. */
const SHORTEST_CUT = 400

/** For texts of whom nothing more is known. */
export const redactShapes: Redact = makeRedact({})

/** `environment`: what the agent has, and may say. */
export function makeRedact(environment: Readonly<Record<string, string | undefined>>): Redact {
  const secrets = findSecrets(environment)
  const known = new RegExp([...secrets.map(escapePattern), ...SHAPES].join('|'), 'g')
  return text => {
    const plain = text.replace(known, REDACTED)
    // Looked for by what few lines have: the expression is slow.
    const isSent = plain.includes('://') || plain.includes('earer ')
    const redacted = isSent ? plain.replace(SENT, `$1$2${REDACTED}`) : plain
    return text.length < SHORTEST_CUT ? redacted : redactEnds(redacted, secrets)
  }
}

/** The longest first: one may begin with another. */
function findSecrets(environment: Readonly<Record<string, string | undefined>>): string[] {
  const found = new Set<string>()
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || !SECRET_NAME.test(name) || PLACE_NAME.test(name)) continue
    const whole = value.trim()
    if (whole.length >= SHORTEST) found.add(whole)
    const lines = whole.split('\n').map(line => line.trim())
    if (lines.length > 1) {
      for (const line of lines) if (line.length >= SHORTEST_LINE) found.add(line)
    }
  }
  return [...found].sort((one, other) => other.length - one.length)
}

/** What is left of a secret at a cut. */
function redactEnds(text: string, secrets: readonly string[]): string {
  let rest = text
  for (const secret of secrets) {
    for (let length = secret.length - 1; length >= SHORTEST; length--) {
      if (rest.endsWith(secret.slice(0, length))) rest = rest.slice(0, -length) + REDACTED
      if (rest.startsWith(secret.slice(-length))) rest = REDACTED + rest.slice(length)
    }
  }
  return rest
}

/** Its texts; a session, and the paths of files, are what they are. */
export function redactEvent(event: AgentEvent, redact: Redact): AgentEvent {
  switch (event.kind) {
    case 'message_ended':
    case 'reasoning_ended':
    case 'output_given':
      return { ...event, text: redact(event.text) }
    case 'command_started':
      return { ...event, command: redact(event.command) }
    case 'command_ended':
      return { ...event, command: redact(event.command), output: redact(event.output) }
    case 'action_refused':
      return { ...event, action: redact(event.action), why: redact(event.why) }
    case 'warning_given':
    case 'error_given':
      return { ...event, message: redact(event.message) }
    case 'other':
      return { ...event, line: redact(event.line) }
    case 'session_started':
    case 'turn_started':
    case 'files_changed':
    case 'usage_reported':
    case 'turn_ended':
      return event
  }
}

/** What it failed with is shown everywhere: it commands no terminal either. */
export function redactOutcome(outcome: AttemptOutcome, redact: Redact): AttemptOutcome {
  if (outcome.kind === 'succeeded') return outcome
  return { ...outcome, failure: redactFailure(outcome.failure, redact) }
}

function redactFailure(failure: Failure, redact: Redact): Failure {
  return { ...failure, message: redact(plainText(failure.message)) }
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)
}
