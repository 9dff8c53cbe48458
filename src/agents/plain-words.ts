/**
 * What agents take for a command, a skill or a template of the user's; Gemini CLI also behind spaces,
 * and for `$` (seen in 0.61.0).
 */
const COMMAND = /^\s*[/$]/
const BEFORE = 'You are told:\n\n'

/** Words that reach the model as they are: whatever they begin with, no agent runs anything for them. */
export function plainWords(text: string): string {
  return COMMAND.test(text) ? `${BEFORE}${text}` : text
}

/** What was said, as a text: a byte order mark at its beginning is part of it. */
export const wordsOf = (bytes: Uint8Array): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)

/** The same for bytes, which need not be text. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  const text = wordsOf(bytes)
  return COMMAND.test(text) ? Buffer.concat([Buffer.from(BEFORE), bytes]) : bytes
}
