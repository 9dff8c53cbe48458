import { createHash } from 'node:crypto'
import type { Git, GitPlace } from './git.ts'

/** The configuration of a repository that changes what we do. */
export interface Settings {
  /** False: the disk's exec bit means nothing. */
  readonly fileMode: boolean
  /** False: symbolic links are checked out as small files. */
  readonly symlinks: boolean
  /** Line ends of files without attributes are converted. */
  readonly autocrlf: boolean
  /** A checkout gives CR LF to files whose attributes do not say otherwise. */
  readonly crlfOnCheckout: boolean
  /** How a sparse checkout is configured; null: it is not sparse. */
  readonly sparse: Readonly<Record<string, string>> | null
  /** Each worktree may have settings of its own. */
  readonly worktreeConfig: boolean
  /** The user's own `checkout.workers`, if there is one. */
  readonly checkoutWorkers: string | undefined
  /** The user's own `core.attributesFile`, if there is one. */
  readonly attributesFile: string | undefined
  /** Of all that may say how files look. */
  readonly fingerprint: string
}

const SPARSE_KEYS = ['core.sparseCheckout', 'core.sparseCheckoutCone', 'index.sparse']

/** A remote or a branch that is configured changes no file. */
const ABOUT_FILES = /^(?:core|checkout|extensions|feature|filter|index|lfs)\./

function fingerprintOf(values: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256')
  for (const [key, value] of values) if (ABOUT_FILES.test(key)) hash.update(`${key}\n${value}\0`)
  return hash.digest('hex')
}

/** One spawn. */
export async function readSettings(git: Git, place: GitPlace): Promise<Settings> {
  const { stdout } = await git.run(['config', '--list', '-z', '--includes'], { place })
  const values = new Map<string, string>()
  for (const record of stdout.toString('utf8').split('\0')) {
    const end = record.indexOf('\n')
    // A key without a value means true.
    if (end === -1) values.set(record, 'true')
    else values.set(record.slice(0, end), record.slice(end + 1))
  }
  const isTrue = (key: string, otherwise: boolean) => {
    const value = values.get(key)?.toLowerCase()
    return value === undefined ? otherwise : !['false', 'no', 'off', '0', ''].includes(value)
  }
  const given = (keys: readonly string[]) =>
    Object.fromEntries(
      keys.flatMap(key => {
        const value = values.get(key.toLowerCase())
        return value === undefined ? [] : [[key, value]]
      }),
    )
  const autocrlf = isTrue('core.autocrlf', false)
  const isInput = values.get('core.autocrlf')?.toLowerCase() === 'input'
  const isCrlf = values.get('core.eol')?.toLowerCase() === 'crlf'
  return {
    fileMode: isTrue('core.filemode', true),
    symlinks: isTrue('core.symlinks', true),
    autocrlf,
    crlfOnCheckout: !isInput && (autocrlf || isCrlf),
    sparse: isTrue('core.sparsecheckout', false) ? given(SPARSE_KEYS) : null,
    worktreeConfig: isTrue('extensions.worktreeconfig', false),
    checkoutWorkers: values.get('checkout.workers'),
    attributesFile: values.get('core.attributesfile'),
    fingerprint: fingerprintOf(values),
  }
}

/** Sets keys in a configuration file; null: takes them out. It need not be of a repository. */
export async function writeSettings(
  git: Git,
  file: string,
  settings: Readonly<Record<string, string | null>>,
): Promise<void> {
  for (const [key, value] of Object.entries(settings)) {
    const words = value === null ? ['--unset-all', key] : [key, value]
    // From where there is none: a git that finds one obeys it first. 5: there was no such key.
    await git.run(['config', '--file', file, ...words], { cwd: '/', answers: [5] })
  }
}
