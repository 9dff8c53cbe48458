import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { AppError, messageOf } from '../domain/errors.ts'
import type { GitHub } from '../ports/github.ts'

const start = promisify(execFile)

/** The port `GitHub`. `environment`: the user's, with a PATH on which no agent put anything. */
export function makeGitHub(environment: Readonly<Record<string, string | undefined>>): GitHub {
  const env = { ...environment, GH_PROMPT_DISABLED: '1' }
  return {
    async isThere() {
      try {
        await start('gh', ['--version'], { env })
        return true
      } catch {
        // It is not there, or of no use.
        return false
      }
    },
    async run(words, directory) {
      try {
        const { stdout } = await start('gh', [...words], { cwd: directory, env })
        return stdout.trim()
      } catch (cause) {
        const { stderr = '' } = cause as { stderr?: string }
        throw new AppError('push_failed', `gh: ${stderr.trim() || messageOf(cause)}`, {
          hint: 'the branch was pushed: open the pull request by hand',
          cause,
        })
      }
    },
  }
}
