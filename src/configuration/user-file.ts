/** Changes single settings of the user's own file, and leaves the rest of it as it is. */
import { realpathSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { UserSettings } from '../domain/configuration.ts'
import { reach } from '../domain/crash-points.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import { checkSettings } from './check.ts'
import { readIfThere, USER_FILE } from './load.ts'

/**
 * `change` is given what is set, and gives what is to be set besides, by key; undefined takes a key
 * away. Written beside and renamed, where the file really lies: it may be a link. Whoever calls this
 * excludes others. Refuses with `bad_configuration` what is not valid, before or after.
 */
export function changeUserFile(
  home: string,
  agents: readonly string[],
  change: (settings: UserSettings) => Partial<UserSettings>,
): void {
  const path = join(home, USER_FILE)
  const settings = readSettings(path)
  const checked = checkSettings({ place: 'user', file: path, value: settings }, agents)
  const changed = { ...settings, ...change(checked) }
  checkSettings({ place: 'user', file: path, value: changed }, agents)
  const place = realPath(path)
  const beside = `${place}.new`
  writeFileSync(beside, `${JSON.stringify(changed, undefined, 2)}\n`, { mode: 0o600, flush: true })
  reach('settings.written')
  renameSync(beside, place)
}

function readSettings(path: string): object {
  const text = readIfThere(path)
  if (text === undefined) return {}
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new AppError('bad_configuration', `${path} is no JSON: ${messageOf(error)}`, {
      hint: 'mend it, or move it away',
    })
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path // There is none yet.
  }
}
