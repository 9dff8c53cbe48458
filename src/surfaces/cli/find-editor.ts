import { isAbsolute } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { CommandContext } from './command.ts'

/**
 * The user's editor, its program by an absolute path: the configured one, else `$VISUAL`, else
 * `$EDITOR`. No shell reads these: they are parted at spaces, and quotes mean nothing.
 */
export async function findEditor({
  holdfast,
  environment,
}: CommandContext): Promise<readonly [string, ...string[]]> {
  const { user } = await holdfast.configuration(null)
  const named = environment.VISUAL || environment.EDITOR || ''
  const words = user.editor ?? named.split(/\s+/).filter(word => word !== '')
  const [name, ...rest] = words
  if (name === undefined) {
    throw new AppError('bad_usage', 'no editor is set', {
      hint: 'export VISUAL=…, or set "editor" in your config.json: ["code", "--wait"]',
    })
  }
  const program = isAbsolute(name) ? name : await holdfast.findProgram(name)
  if (program === undefined) {
    throw new AppError('bad_usage', `the editor ${name} is not on the PATH`)
  }
  return [program, ...rest]
}
