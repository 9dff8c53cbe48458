/**
 * Runs a wrapper in the foreground of this process's terminal. Whatever becomes of it, the terminal is
 * given back as it was: a program that was killed leaves it without an echo, on its second screen.
 */
import { execFileSync, spawn } from 'node:child_process'
import { writeSync } from 'node:fs'
import { reach } from '../domain/crash-points.ts'
import { AppError } from '../domain/errors.ts'
import type { Offer } from '../ports/process-host.ts'
import { noteEnd } from './offer.ts'

/** They are for what runs in the foreground, which gets them from the terminal itself. */
const OF_THE_TERMINAL = ['SIGINT', 'SIGQUIT', 'SIGTERM'] as const
/** Once its terminal is gone, so long the program may take to put its things in order. */
const HANG_UP_MS = 10_000

/** Back from the second screen, with a cursor, and without reports of mouse, focus and pasting. */
const RESET =
  '\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b[<u\x1b[0m\r'

/** See `ProcessHost.runAtTerminal`. */
export async function runAtTerminal(
  runDirectory: string,
  { argv, environment }: Offer,
): Promise<'ended' | 'hung_up'> {
  const [program, ...args] = argv
  const before = askStty(['-g'])
  const ignore = () => undefined
  for (const name of OF_THE_TERMINAL) process.on(name, ignore)
  let hangUp = ignore as () => void
  let isHungUp = false
  const hungUp = new Promise<'hung_up'>(resolve => {
    hangUp = () => {
      isHungUp = true
      setTimeout(resolve, HANG_UP_MS, 'hung_up').unref()
    }
  })
  process.on('SIGHUP', hangUp)
  try {
    const child = spawn(program, args, { cwd: '/', env: environment, stdio: 'inherit' })
    const ended = new Promise<'ended'>((resolve, reject) => {
      child.once('error', cause =>
        reject(
          new AppError('launch_failed', `cannot start ${program}: ${cause.message}`, { cause }),
        ),
      )
      child.once('exit', () => resolve('ended'))
    })
    const end = await Promise.race([ended, hungUp])
    if (end === 'hung_up') child.unref()
    // A program that reads the end of its terminal may be done before anybody is hung up.
    const isGone = isHungUp || (before !== undefined && askStty(['-g']) === undefined)
    if (end === 'ended') noteEnd(runDirectory, isGone ? 'hung_up' : 'saw_end')
    reach('open.over')
    return end
  } finally {
    for (const name of OF_THE_TERMINAL) process.off(name, ignore)
    process.off('SIGHUP', hangUp)
    giveBack(before)
  }
}

function giveBack(before: string | undefined): void {
  if (before === undefined || askStty(['-g']) === before) return
  try {
    writeSync(1, RESET)
  } catch {
    return // There is no terminal any more.
  }
  askStty([before])
}

/** What the terminal on stdin is set to, or is to be; undefined: there is none, or no `stty`. */
function askStty(words: readonly string[]): string | undefined {
  try {
    const stdio = ['inherit', 'pipe', 'ignore'] as const
    return execFileSync('stty', [...words], { stdio: [...stdio], encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}
