/** What happened, or would happen, to working files: one line each. */
import type { ApplyView } from '../view.ts'
import type { Output } from './output.ts'

/** The files are data; the rest is for people. */
export function showChanges(
  { files, conflicts }: Pick<ApplyView, 'files' | 'conflicts'>,
  output: Output,
): void {
  const lines = [
    ...files.map(({ path, change }) => `${change.padEnd(9)} ${shown(path)}`),
    ...conflicts.map(({ path, why }) => `conflict  ${shown(path)}: ${shown(why)}`),
  ]
  if (lines.length > 0) output.write(`${lines.join('\n')}\n`)
}

export function countFiles({ length }: readonly unknown[]): string {
  return length === 1 ? '1 file' : `${length} files`
}

export function countConflicts({ length }: readonly unknown[]): string {
  return length === 1 ? '1 conflict' : `${length} conflicts`
}

/** Quoted where a control character would garble the line. */
const shown = (text: string) => (/\p{Cc}/u.test(text) ? JSON.stringify(text) : text)
