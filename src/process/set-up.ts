/**
 * The set-up that an attempt begins with: a few lines of `sh` in its run directory, which the shell
 * that is to become the agent runs first. So it is recorded, detached, and ended like the agent.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { shellWord } from '../domain/shell-word.ts'
import type { SetUpLook, SetUpOrder } from '../ports/process-host.ts'
import { readTail } from './tail.ts'

/** Made before the start, so that they are private whatever the umask is. */
export const SET_UP_FILES = ['set-up.pid', 'set-up.log', 'set-up.failed'] as const

/** The end of what it printed says why it failed. */
const TAIL_BYTES = 2_048

/**
 * What the file `set-up` says. A shell that has a function `identify` reads it with `.`, so that
 * `exit` in it ends that shell. The command itself runs in a shell of its own, by `exec`: its name
 * means a program, and never a builtin or a function. The pause parts what it wrote from what the
 * agent will write: the two are told apart by the mark's time.
 */
export function setUpScript(
  runDirectory: string,
  { argv, workingDirectory, environment, mark }: SetUpOrder,
): string {
  const inRun = (name: string) => shellWord(join(runDirectory, name))
  const variables = Object.entries(environment).map(
    ([name, value]) => `${name}=${shellWord(value)}`,
  )
  return `identify >${inRun('set-up.pid')} || exit 125
[ ! -e ${inRun('void')} ] || exit 125
(
  cd ${shellWord(workingDirectory)} || exit
  export ${variables.join(' ')}
  exec ${argv.map(shellWord).join(' ')}
) </dev/null >>${inRun('set-up.log')} 2>&1 || {
  echo "$?" >${inRun('set-up.failed')}
  exit 125
}
{ sleep 0.02 || sleep 1 || :; } 2>/dev/null
(umask 077; : >${shellWord(mark)}) || exit 125
`
}

/** See `ProcessHost.lookAtSetUp`. */
export function lookAtSetUp(runDirectory: string): SetUpLook | null {
  if (!existsSync(join(runDirectory, 'set-up'))) return null
  const said = readFileSync(join(runDirectory, 'set-up.failed'), 'latin1')
  // A line without its end was not written to the end.
  const status = /^(\d+)\n$/.exec(said)?.[1]
  const log = join(runDirectory, 'set-up.log')
  return {
    failure: status === undefined ? null : Number(status),
    words: readTail(log, TAIL_BYTES).trimEnd(),
    log,
  }
}
