/**
 * The set-up command that a checkout names: `setup` in `holdfast.json`, else `.codex/setup.sh`, else
 * the script in a Codex environment, where there is one. The files that it names are read with it:
 * trust is given to their content.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync } from 'node:fs'
import { isAbsolute, join, normalize } from 'node:path'
import type { SetUpSetting } from '../domain/configuration.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import type { FoundSetUp } from '../ports/trust.ts'
import { REPOSITORY_FILE } from './load.ts'

const CODEX_SCRIPT = '.codex/setup.sh'
/** What the Codex App writes for its local environments: `[setup]` has the script itself. */
const CODEX_ENVIRONMENT = '.codex/environments/environment.toml'

/** A script is written by hand; a larger file is data, whose content nobody can look through. */
const LARGEST_SCRIPT = 1_000_000

type Script = FoundSetUp['scripts'][number]

/** Undefined: it names none. Refuses with `bad_configuration` a script that is not there. */
export async function findSetUpCommand(
  root: string,
  setting: SetUpSetting | undefined,
): Promise<FoundSetUp | undefined> {
  if (setting === false) return undefined
  if (setting === undefined) {
    const script = readScript(root, CODEX_SCRIPT)
    if (script !== undefined) return await found([CODEX_SCRIPT], [script], CODEX_SCRIPT)
    const environment = readScript(root, CODEX_ENVIRONMENT)
    const words = environment && (await readEnvironmentScript(environment))
    return words === undefined
      ? undefined
      : await found(['bash', '-c', words], [], CODEX_ENVIRONMENT)
  }
  const argv = typeof setting === 'string' ? [setting] : setting
  const [program = ''] = argv
  const scripts: Script[] = []
  for (const word of new Set(argv)) {
    const script = readScript(root, word)
    if (script !== undefined) scripts.push(script)
    else if (word === program && isMeantAsFile(setting)) throw missing(program)
  }
  return await found(argv, scripts, REPOSITORY_FILE)
}

/** Undefined: it has none. */
async function readEnvironmentScript({ path, bytes }: Script): Promise<string | undefined> {
  const { parse } = await import('smol-toml')
  let environment: { setup?: { script?: unknown } }
  try {
    environment = parse(Buffer.from(bytes).toString('utf8'))
  } catch (error) {
    throw unusable(path, messageOf(error))
  }
  const script = environment.setup?.script
  if (script === undefined || script === '') return undefined
  if (typeof script === 'string') return script
  throw unusable(path, 'setup.script is no text')
}

/** A string is a file; of a command, a program with a slash that does not begin at the root. */
function isMeantAsFile(setting: Exclude<SetUpSetting, false>): boolean {
  if (typeof setting === 'string') return true
  const [program = ''] = setting
  return program.includes('/') && !isAbsolute(program)
}

async function found(
  argv: readonly string[],
  scripts: readonly Script[],
  from: string,
): Promise<FoundSetUp> {
  // Loaded only here: most repositories name no set-up, and `run` waits for this.
  const { createHash } = await import('node:crypto')
  const sha256 = (content: string | Uint8Array) =>
    createHash('sha256').update(content).digest('hex')
  const contents = scripts.map(({ path, bytes }) => [path, sha256(bytes)])
  return { argv, scripts, digest: sha256(JSON.stringify([argv, contents])), from }
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

function missing(word: string): AppError {
  return new AppError(
    'bad_configuration',
    `${REPOSITORY_FILE}: setup names ${word}, which is not there`,
    {
      hint: 'a script is named by its path from the top of the checkout',
    },
  )
}

function unusable(word: string, why: string): AppError {
  return new AppError('bad_configuration', `${word}, which set-up names, cannot be used: ${why}`)
}
