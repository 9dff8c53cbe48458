import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/**
 * The live processes with a directory in their environment, or inside of it, as `PID COMMAND`. One that
 * starts another and ends as it is looked for hides both: nobody is taken for gone after one look.
 */
export function processesOf(directory: string): string[] {
  const found = lookFor(directory)
  return found.length > 0 ? found : lookFor(directory)
}

function lookFor(directory: string): string[] {
  const found: string[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue
    try {
      const environment = readFileSync(`/proc/${entry}/environ`, 'latin1')
      const place = readlinkSync(`/proc/${entry}/cwd`)
      if (!environment.includes(directory) && !place.startsWith(directory)) continue
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ')
      // A zombie has no command line: it is dead, and not yet reaped.
      if (command !== '') found.push(`${entry} ${command}`)
    } catch {
      // It went while we looked.
    }
  }
  return found
}
