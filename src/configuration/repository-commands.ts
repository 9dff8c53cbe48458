/**
 * The commands that a checkout names: `setup`, `cleanup` and `verify` in `holdfast.json`, else (but for
 * the last) `.codex/setup.sh` and the scripts in a Codex environment, where there are such. The files
 * that they name are read with them: trust is given to their content.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync } from 'node:fs'
import { isAbsolute, join, normalize } from 'node:path'
import { splitCommand } from '../domain/command-words.ts'
import type { RepositorySettings, SetUpSetting } from '../domain/configuration.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import type { CommandRole, NamedRole } from '../domain/set-up.ts'
import type { FoundCommand, FoundCommands } from '../ports/trust.ts'
import { REPOSITORY_FILE } from './load.ts'

const CODEX_SCRIPT = '.codex/setup.sh'
/** What the Codex App writes for its local environments: `[setup]` and `[cleanup]` have scripts. */
const CODEX_ENVIRONMENT = '.codex/environments/environment.toml'

/** A script is written by hand; a larger file is data, whose content nobody can look through. */
const LARGEST_SCRIPT = 1_000_000

type Script = FoundCommand['scripts'][number]

/** As the keys of `holdfast.json`, and as the tables of a Codex environment. */
const KEYS = { 'set-up': 'setup', 'clean-up': 'cleanup', verify: 'verify' } as const

/**
 * Refuses with `bad_configuration` a script that is not there, and what is no command; of `verify` it
 * hands that refusal out, for whoever would verify with it.
 */
export async function findCommands(
  root: string,
  settings: RepositorySettings,
): Promise<FoundCommands> {
  return {
    'set-up': await findCommand('set-up', root, settings.setup),
    'clean-up': await findCommand('clean-up', root, settings.cleanup),
    verify: await findVerify(root, settings.verify),
  }
}

async function findVerify(
  root: string,
  setting: SetUpSetting | undefined,
): Promise<FoundCommands['verify']> {
  try {
    return await findCommand('verify', root, asWords(setting))
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
}

/** As it may stand after `--verify`, so here: a string is a program and its arguments. */
function asWords(setting: SetUpSetting | undefined): SetUpSetting | undefined {
  if (typeof setting !== 'string') return setting
  const words = splitCommand(setting)
  if ('argv' in words) return words.argv
  throw new AppError(
    'bad_configuration',
    `${REPOSITORY_FILE}: verify ${JSON.stringify(setting)}: ${words.problem}`,
    { hint: 'no shell reads it: a list of words, or a shell of your own: ["sh", "-c", "…"]' },
  )
}

/** Undefined: it names none. */
async function findCommand(
  role: NamedRole,
  root: string,
  setting: SetUpSetting | undefined,
): Promise<FoundCommand | undefined> {
  if (setting === false) return undefined
  if (setting === undefined)
    return role === 'verify' ? undefined : await findCodexScript(role, root)
  const argv = typeof setting === 'string' ? [setting] : setting
  const [program = ''] = argv
  const scripts: Script[] = []
  // What it is given to look at is in the worktree: what agents make of that, for one.
  for (const word of role === 'verify' ? [program] : new Set(argv)) {
    const script = readScript(root, word)
    if (script !== undefined) scripts.push(script)
    else if (word === program && isMeantAsFile(setting)) throw missing(program, KEYS[role])
  }
  return await found(role, argv, scripts, REPOSITORY_FILE)
}

async function findCodexScript(role: CommandRole, root: string): Promise<FoundCommand | undefined> {
  const script = role === 'set-up' ? readScript(root, CODEX_SCRIPT) : undefined
  if (script !== undefined) return await found(role, [CODEX_SCRIPT], [script], CODEX_SCRIPT)
  const environment = readScript(root, CODEX_ENVIRONMENT)
  const words = environment && (await readEnvironmentScript(environment, KEYS[role]))
  return words === undefined
    ? undefined
    : await found(role, ['bash', '-c', words], [], CODEX_ENVIRONMENT)
}

/** Undefined: it has none. */
async function readEnvironmentScript(
  { path, bytes }: Script,
  table: (typeof KEYS)[CommandRole],
): Promise<string | undefined> {
  const { parse } = await import('smol-toml')
  let environment: Partial<Record<typeof table, { script?: unknown }>>
  try {
    environment = parse(Buffer.from(bytes).toString('utf8'))
  } catch (error) {
    throw unusable(path, messageOf(error))
  }
  const script = environment[table]?.script
  if (script === undefined || script === '') return undefined
  if (typeof script === 'string') return script
  throw unusable(path, `${table}.script is no text`)
}

/** A string is a file; of a command, a program with a slash that does not begin at the root. */
function isMeantAsFile(setting: Exclude<SetUpSetting, false>): boolean {
  if (typeof setting === 'string') return true
  const [program = ''] = setting
  return program.includes('/') && !isAbsolute(program)
}

async function found(
  role: NamedRole,
  argv: readonly string[],
  scripts: readonly Script[],
  from: string,
): Promise<FoundCommand> {
  // Loaded only here: most repositories name no set-up, and `run` waits for this.
  const { createHash } = await import('node:crypto')
  const sha256 = (content: string | Uint8Array) =>
    createHash('sha256').update(content).digest('hex')
  const contents = scripts.map(({ path, bytes }) => [path, sha256(bytes)])
  // Who trusts a command before the agent has not said that it may run afterwards.
  const trusted = role === 'set-up' ? [argv, contents] : [role, argv, contents]
  return { argv, scripts, digest: sha256(JSON.stringify(trusted)), from }
}

/** Undefined: the word names no file of the checkout. */
function readScript(root: string, word: string): Script | undefined {
  const path = normalize(word)
  if (isAbsolute(word) || path === '..' || path.startsWith('../')) return undefined
  let file: number
  try {
    const real = realpathSync(join(root, path))
    if (!real.startsWith(`${realpathSync(root)}/`)) return undefined
    file = openSync(real, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(code)) return undefined
    throw unusable(word, messageOf(error))
  }
  try {
    const stats = fstatSync(file)
    if (!stats.isFile()) return undefined
    if (stats.size > LARGEST_SCRIPT) throw unusable(word, `it is over ${LARGEST_SCRIPT} bytes`)
    return { path: word, bytes: readFileSync(file) }
  } finally {
    closeSync(file)
  }
}

function missing(word: string, key: string): AppError {
  return new AppError(
    'bad_configuration',
    `${REPOSITORY_FILE}: ${key} names ${word}, which is not there`,
    {
      hint: 'a script is named by its path from the top of the checkout',
    },
  )
}

function unusable(word: string, why: string): AppError {
  return new AppError('bad_configuration', `${word}, which a command names, cannot be used: ${why}`)
}
