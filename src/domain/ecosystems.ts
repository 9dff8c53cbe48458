/**
 * How the packages of common ecosystems are installed, told from files at the top of a checkout; and
 * where their programs put what they make. Pure.
 */

export interface Installation {
  /** The file that speaks for it. */
  readonly because: string
  readonly argv: readonly [string, ...string[]]
  /** The directory that it, or the build after it, fills, and in which it keeps what is right. */
  readonly fills?: string
}

/** A lock file is installed exactly; what would write one anew is not proposed. */
const LOCK_FILES: readonly Installation[] = [
  {
    because: 'pnpm-lock.yaml',
    argv: ['pnpm', 'install', '--frozen-lockfile'],
    fills: 'node_modules',
  },
  { because: 'bun.lock', argv: ['bun', 'install', '--frozen-lockfile'], fills: 'node_modules' },
  { because: 'bun.lockb', argv: ['bun', 'install', '--frozen-lockfile'], fills: 'node_modules' },
  { because: 'yarn.lock', argv: ['yarn', 'install', '--frozen-lockfile'], fills: 'node_modules' },
  { because: 'npm-shrinkwrap.json', argv: ['npm', 'ci'] },
  { because: 'package-lock.json', argv: ['npm', 'ci'] },
  { because: 'uv.lock', argv: ['uv', 'sync', '--frozen'] },
  { because: 'poetry.lock', argv: ['poetry', 'install'] },
  { because: 'Pipfile.lock', argv: ['pipenv', 'sync', '--dev'] },
  { because: 'Gemfile.lock', argv: ['bundle', 'install'] },
  { because: 'composer.lock', argv: ['composer', 'install'], fills: 'vendor' },
  { because: 'mix.lock', argv: ['mix', 'deps.get'], fills: 'deps' },
  { because: 'Cargo.lock', argv: ['cargo', 'fetch', '--locked'], fills: 'target' },
  { because: 'go.sum', argv: ['go', 'mod', 'download'] },
]

export const LOCK_FILE_NAMES: readonly string[] = LOCK_FILES.map(({ because }) => because)

const OF_NODE = ['pnpm', 'bun', 'yarn', 'npm']

/** `packageManager`: what `package.json` says in the field of this name, such as `yarn@4.1.0`. */
export function findInstallations(
  names: ReadonlySet<string>,
  packageManager: string | undefined,
): readonly Installation[] {
  const [named, version = ''] = packageManager?.split('@', 2) ?? []
  const present = LOCK_FILES.filter(({ because }) => names.has(because))
  // Of several lock files for Node the one that is meant counts; the others are leftovers.
  const meant = present.find(({ argv }) => argv[0] === named)
  const chosen = meant ?? present.find(({ argv }) => OF_NODE.includes(argv[0]))
  return present
    .filter(one => !OF_NODE.includes(one.argv[0]) || one === chosen)
    .map(one =>
      isNewYarn(one, names, version) ? { ...one, argv: ['yarn', 'install', '--immutable'] } : one,
    )
}

/** From version 2 on its flag has another name. */
function isNewYarn({ argv }: Installation, names: ReadonlySet<string>, version: string): boolean {
  if (argv[0] !== 'yarn') return false
  return names.has('.yarnrc.yml') || /^(?:[2-9]|[1-9]\d)/.test(version)
}

/** Directories that tools fill by themselves, and that nobody writes anything of their own into. */
export const REBUILT_DIRECTORIES: ReadonlySet<string> = new Set([
  'node_modules',
  'bower_components',
  '__pycache__',
  '.venv',
  '.tox',
  '.nox',
  '.mypy_cache',
  '.pytest_cache',
  '.ruff_cache',
  '.gradle',
  '.next',
  '.nuxt',
  '.svelte-kit',
  '.turbo',
  '.parcel-cache',
])
