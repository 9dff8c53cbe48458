/**
 * Putting a program into a process session of its own. Node's `detached` makes what it starts the
 * leader of a session already; `setsid`, which may not be one, forks, and its first half exits
 * while the second becomes the program.
 */
import { accessSync, constants } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { AppError } from '../domain/errors.ts'

/** What `setsid` does, for systems without it (macOS has none). */
const PERL_SETSID = `use POSIX ();
my $pid = fork; defined $pid or exit 71; exit 0 if $pid;
POSIX::setsid(); exec { $ARGV[0] } @ARGV; exit 127`

/** What comes before the program, for each tool that can do it. */
const ways = { setsid: [], perl: ['-e', PERL_SETSID, '--'] } as const

/** As `ProcessTable.ownSession`, with the first of these tools that is there. */
export function findOwnSession(
  tools: readonly (keyof typeof ways)[],
  toolPath: string,
): readonly [string, ...string[]] {
  for (const tool of tools) {
    const program = findProgram(tool, toolPath)
    if (program !== undefined) return [program, ...ways[tool]]
  }
  const hint = tools.includes('setsid') ? { hint: 'install util-linux, which has setsid' } : {}
  const neither = tools.length > 1 ? `neither ${tools.join(' nor ')} is` : `${tools[0]} is not`
  throw new AppError('launch_failed', `${neither} on the PATH`, hint)
}

export function findProgram(name: string, toolPath: string): string | undefined {
  const directories = toolPath.split(':').filter(isAbsolute)
  return directories.map(directory => join(directory, name)).find(isExecutable)
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false // missing or not ours to execute: either way it cannot be started
  }
}
