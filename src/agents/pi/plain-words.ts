/** Pi takes a text that begins so for a command, a skill or a template of the user's. */
const COMMAND = '/'
const BEFORE = 'You are told:\n\n'

/** Words that reach the model as they are: whatever they begin with, Pi runs nothing for them. */
export function plainWords(text: string): string {
  return text.startsWith(COMMAND) ? `${BEFORE}${text}` : text
}

/** The same for bytes, which need not be text. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return bytes[0] === COMMAND.charCodeAt(0) ? Buffer.concat([Buffer.from(BEFORE), bytes]) : bytes
}
