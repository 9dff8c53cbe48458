/** How long a line of a list may be, in characters. */
const LIMIT = 96

/** A text as one short line. */
export function shorten(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ')
  return line.length <= LIMIT ? line : `${line.slice(0, LIMIT - 3).toWellFormed()}...`
}
