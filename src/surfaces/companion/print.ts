import type { Output } from '../cli/output.ts'

/** As the original prints it: indented. */
export function writePretty(document: unknown, output: Output): void {
  output.write(`${JSON.stringify(document, null, 2)}\n`)
}
