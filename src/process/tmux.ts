import { execFile } from 'node:child_process'
import { AppError } from '../domain/errors.ts'
import type { Tmux } from '../ports/tmux.ts'

export interface TmuxOptions {
  /**
   * What its server and all programs in it get if it has to be started: with no attempt's mark, for
   * it is to outlive whoever asked.
   */
  readonly environment: Readonly<Record<string, string>>
  /** Where it is; undefined: nowhere. */
  readonly tmux: string | undefined
}

/** It only talks to its server. */
const LIMIT_MS = 30_000

export function makeTmux({ environment, tmux }: TmuxOptions): Tmux {
  const requireThere = () => {
    if (tmux !== undefined) return tmux
    throw new AppError('tmux_missing', 'tmux is not on the PATH, and --tmux needs it', {
      hint: 'install it, or run without --tmux: holdfast logs -f TASK shows the same',
    })
  }
  return {
    requireThere,
    async show(names, argv) {
      const program = requireThere()
      let words = ''
      for (const name of names) {
        // More than one word of a program: no shell reads them.
        words = await run(program, ['new-session', '-d', '-s', name, ...argv], environment)
        if (words === '') return name
        if (!/duplicate session/.test(words)) break
      }
      throw new AppError('refused_in_state', `tmux: ${words}`)
    },
  }
}

/** What it has to complain of; nothing where it did as it was told. */
function run(
  program: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  return new Promise(resolve => {
    const options = { env, cwd: '/', timeout: LIMIT_MS } as const
    execFile(program, [...words], options, (error, _, stderr) => {
      resolve(error === null ? '' : stderr.trim() || error.message)
    })
  })
}
