/** A program's user interface in a tmux of the test's own, driven by keys and seen by its screen. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { House } from '../end-to-end/house.ts'
import { tmux } from '../end-to-end/opened.ts'
import { eventually } from '../eventually.ts'

export interface Screen {
  /** Which of these is on the screen, once one is. */
  sees(...texts: string[]): Promise<string>
  press(...keys: string[]): void
  /** Types a line, and enters it once it is on the screen: a paste and its end are two things. */
  say(line: string): Promise<void>
  /** Presses these keys until the program has ended. */
  leave(...keys: string[]): Promise<void>
}

let started = 0

/** Starts a program, in a tmux server of its own: the one of another may still be leaving. */
export function startInTmux({ scratch, environment }: House, directory: string, argv: string[]) {
  const sockets = join(scratch, 't')
  mkdirSync(sockets, { recursive: true })
  const server = `screen-${++started}`
  const env = { ...environment, TMUX_TMPDIR: sockets, TERM: 'xterm-256color' }
  const inTmux = (...words: string[]) =>
    execFileSync(tmux ?? '', ['-L', server, ...words], { env, encoding: 'utf8', stdio: 'pipe' })
  const size = ['-x', '120', '-y', '40'] as const
  const start = ['new-session', '-d', '-s', 't', ...size, '-c', directory, ...argv]
  inTmux('-f', '/dev/null', ...start, ';', 'set-option', '-t', 't', 'remain-on-exit', 'on')
  const press = (...keys: string[]) => void inTmux('send-keys', '-t', 't', ...keys)
  const look = () => inTmux('capture-pane', '-p', '-t', 't')
  const screen: Screen = {
    press,
    async sees(...texts) {
      try {
        const what = `the screen shows ${texts.join(' or ')}`
        return await eventually(what, () => texts.find(text => look().includes(text)))
      } catch (error) {
        throw new Error(look(), { cause: error })
      }
    },
    async say(line) {
      press('-l', line)
      await screen.sees(line)
      press('Enter')
    },
    async leave(...keys) {
      await eventually('it has left', () => {
        if (inTmux('display-message', '-p', '-t', 't', '#{pane_dead}').trim() === '1') return true
        press(...keys)
        return false
      })
      inTmux('kill-session', '-t', 't')
    },
  }
  return screen
}
