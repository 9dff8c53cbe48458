import { AppError } from '../../domain/errors.ts'
import type { Git } from './git.ts'

/** The first with `worktree list -z` and `core.fsync`. */
const OLDEST = [2, 36] as const

/** See `Worktrees.gitVersion`. */
export async function gitVersion(git: Git): Promise<string> {
  const { stdout } = await git.run(['version'], {})
  const version = /(\d+)\.(\d+)[\w.]*/.exec(stdout.toString('utf8'))
  if (version === null) {
    throw new AppError('refused_in_state', `git did not say its version: ${stdout}`)
  }
  const [text, major, minor] = version
  const isOld =
    Number(major) < OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) < OLDEST[1])
  if (isOld) {
    throw new AppError('refused_in_state', `git ${text} is too old`, {
      hint: `holdfast needs git ${OLDEST.join('.')} or newer`,
    })
  }
  return text
}
