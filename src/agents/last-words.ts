/** The longest part of stderr that goes into a message. */
const LINE_KEPT = 500

/** Lines of a backtrace, as Node and Rust write it. */
const TRACE = /^(?:at\s.*[\d)>]|\d+:\s.*|stack backtrace:|node\.js v[\d.]+|[}^~]+)$/i

/**
 * Of what a program wrote to stderr, its last error, else its last line that is none of a backtrace: one
 * may follow an error. `noise`: lines that say nothing about an end. Empty where there is nothing.
 */
export function findLastWords(stderr: string, noise: RegExp | null = null): string {
  const lines = stderr.split('\n').map(line => line.trim())
  const said = lines.filter(line => line !== '' && noise?.test(line) !== true)
  const last =
    said.findLast(line => /^error:/i.test(line)) ??
    said.findLast(line => !TRACE.test(line)) ??
    said.at(-1)
  return (last ?? '').slice(0, LINE_KEPT)
}
