/** Enough to tell a program and what it works on. */
const COMMAND_LENGTH = 200

/** What a process was started as, on one line, cut; its name in brackets if it does not say. */
export function describeCommand(commandLine: string, name: string): string {
  const words = commandLine.replace(/[\0\s]+/g, ' ').trim()
  if (words === '') return `[${name}]`
  return words.length > COMMAND_LENGTH ? `${words.slice(0, COMMAND_LENGTH)}…` : words
}
