/** Holds settings against their schemas, and says what is wrong: which file, which key, what is allowed. */
import type { RepositorySettings, UserSettings } from '../domain/configuration.ts'
import { AppError } from '../domain/errors.ts'
import { makeSchemas, type Place, type SettingInfo, settings } from './schema.ts'

/** So much of a wrong value is shown. */
const SHOWN = 80

/** The settings of one place. `file` is null for environment variables. */
export function checkSettings(
  { place, file, value }: { place: Place; file: string | null; value: unknown },
  agents: readonly string[],
): UserSettings & RepositorySettings {
  const checked = makeSchemas(agents)[place].safeParse(value)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  const path = issue?.path.map(String) ?? []
  const all: Record<string, SettingInfo> = settings(agents)
  if (issue?.code === 'unrecognized_keys') {
    throw unknownSetting([...path, issue.keys[0] ?? ''].join('.'), place, file, all)
  }
  const name = path.join('.')
  if (name === '') {
    throw new AppError('bad_configuration', `${file} holds no settings: ${shown(value)}`, {
      hint: 'for example: { "agent": "codex" }',
    })
  }
  if (issue?.code === 'invalid_key') {
    const [setting = '', key = ''] = path
    throw new AppError('bad_configuration', `${file}: ${setting} may not name ${shown(key)}`, {
      hint: `allowed: ${all[setting]?.allowed}`,
    })
  }
  const wrong = shown(path.reduce<unknown>((within, key) => (within as never)?.[key], value))
  const info = all[name] ?? findMap(path, all)
  const where = file === null ? (info?.variable ?? name) : `${file}: ${name}`
  if (name === 'permissions' && wrong === '"full"') {
    throw new AppError('bad_configuration', `${where} is "full", which is not taken from here`, {
      hint: 'full comes from --permissions full, or from the config.json in your state directory',
    })
  }
  const allowed = info?.allowed ?? `an object with ${inside(name, all).join(', ')}`
  throw new AppError('bad_configuration', `${where} is ${wrong}`, { hint: `allowed: ${allowed}` })
}

function unknownSetting(
  name: string,
  place: Place,
  file: string | null,
  all: Readonly<Record<string, SettingInfo>>,
): AppError {
  const known = Object.entries(all).filter(([, { places }]) => places.includes(place))
  const elsewhere = all[name]
  if (elsewhere !== undefined) {
    const home = elsewhere.places.includes('repository')
      ? "a repository's holdfast.json"
      : 'the config.json in your state directory'
    return new AppError('bad_configuration', `${file}: ${name} may not be set here`, {
      hint: `it belongs into ${home}`,
    })
  }
  return new AppError('bad_configuration', `${file}: there is no setting "${name}"`, {
    hint: `settings: ${known.map(([key]) => key).join(', ')}`,
  })
}

/** Of one whose keys people choose. */
function findMap(
  [first = '', ...more]: readonly string[],
  all: Readonly<Record<string, SettingInfo>>,
): SettingInfo | undefined {
  return more.length > 0 ? all[first] : undefined
}

const inside = (name: string, all: object) =>
  Object.keys(all)
    .filter(key => key.startsWith(`${name}.`))
    .map(key => key.slice(name.length + 1))

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
}
