/** A terminal for the built program, through the real tmux where it is installed. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '../eventually.ts'
import type { House } from './house.ts'

/** Undefined: it is not installed. */
export const tmux = (process.env.PATH ?? '')
  .split(':')
  .map(directory => join(directory, 'tmux'))
  .find(existsSync)

/** A shell in a terminal of 80 columns, on a server of the test's own. */
export function terminal(house: House) {
  const directory = join(house.scratch, 't')
  mkdirSync(directory)
  const env = { ...house.environment, TMUX_TMPDIR: directory, LC_ALL: 'C.UTF-8' }
  const say = (...words: string[]) =>
    execFileSync(tmux ?? 'tmux', words, { env, cwd: house.repo, encoding: 'utf8', stdio: 'pipe' })
  say('new-session', '-d', '-s', 'w', '-x', '80', '-y', '12', 'env PS1=ready: /bin/sh')
  const shown = () => say('capture-pane', '-p', '-t', 'w')
  return {
    type: (...keys: string[]) => say('send-keys', '-t', 'w', ...keys),
    say,
    until: (what: string, words: string) => eventually(what, () => shown().includes(words)),
    shown,
  }
}
