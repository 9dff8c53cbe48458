/**
 * The files of a repository: what a task's worktree will need is told from what is there, and
 * written down. A file that is there already is not touched; it is said what it lacks.
 */
import type { RepositorySettings, SetUpSetting } from '../domain/configuration.ts'
import { findInstallations, type Installation } from '../domain/ecosystems.ts'
import type { RepositoryFiles } from '../ports/repository-files.ts'
import type { Checkout, Worktrees } from '../ports/worktrees.ts'

export const SETTINGS_FILE = 'holdfast.json'
const INCLUDE_FILE = '.worktreeinclude'
/** The first that is there is run. */
const CODEX_SCRIPTS = ['.codex/setup.sh', '.codex/environments/environment.toml']
/** Where a project that depends on Holdfast has the schema of its file. */
const SCHEMA = 'node_modules/holdfast/docs/reference/holdfast.schema.json'

/** What became of one file. */
interface InitFile {
  readonly path: string
  /** `kept`: it was there. `not needed`: there would be nothing in it. */
  readonly became: 'written' | 'kept' | 'not needed'
  /** What is in it now, or would be. */
  readonly content: string | null
  /** A reason for each thing in it; of a file that was kept, what it lacks. */
  readonly why: readonly string[]
}

interface InitPorts {
  readonly worktrees: Worktrees
  readonly files: RepositoryFiles
}

/** `settings`: what the repository's file says already. */
export async function initRepository(
  checkout: Checkout,
  settings: RepositorySettings,
  ports: InitPorts,
): Promise<readonly InitFile[]> {
  const listed = await ports.worktrees.listIgnored(checkout)
  return [
    initSettings(checkout.place.root, settings, listed.ignored, ports.files),
    initIncludes(checkout.place.root, listed, ports.files),
  ]
}

function initSettings(
  root: string,
  settings: RepositorySettings,
  ignored: readonly string[],
  files: RepositoryFiles,
): InitFile {
  const installations = findInstallations(files.names(root), readPackageManager(root, files))
  const [first, ...others] = installations
  const script = CODEX_SCRIPTS.find(name => files.read(root, name) !== undefined)
  const wanted = script !== undefined || first === undefined ? undefined : first
  const filled = installations.filter(({ fills }) => ignored.includes(`${fills}/`))
  const why = [
    ...(script === undefined ? [] : [`${script} is there, and is run without being named`]),
    ...(wanted === undefined ? [] : [`setup: ${describe(wanted)}`]),
    ...(wanted === undefined
      ? []
      : others.map(
          one =>
            `not taken up, since setup is one command: ${describe(one)}; write a script for both`,
        )),
    ...filled.map(one => `directories: ${describeFilled(one)}`),
  ]
  if (files.names(root).has(SETTINGS_FILE)) {
    return {
      path: SETTINGS_FILE,
      became: 'kept',
      content: null,
      why: [...compare(settings.setup, wanted), ...lacking(settings, filled)],
    }
  }
  if (wanted === undefined && filled.length === 0) {
    const none = script !== undefined ? why : ['no lock file that is known was found']
    return { path: SETTINGS_FILE, became: 'not needed', content: null, why: none }
  }
  const schema = files.read(root, SCHEMA) === undefined ? '' : `  "$schema": "./${SCHEMA}",\n`
  const words = wanted?.argv.map(word => JSON.stringify(word)).join(', ')
  const ways = filled.map(({ fills }) => `${JSON.stringify(fills)}: "clone"`).join(', ')
  const lines = [
    ...(words === undefined ? [] : [`  "setup": [${words}]`]),
    ...(ways === '' ? [] : [`  "directories": { ${ways} }`]),
  ]
  const content = `{\n${schema}${lines.join(',\n')}\n}\n`
  return write(root, SETTINGS_FILE, content, why, files)
}

/** What is already there need not be fetched or built again; it costs nothing, or does not come. */
const describeFilled = ({ fills, because }: Installation) =>
  `${fills} by clone, where the file system can (${because})`

function lacking({ directories }: RepositorySettings, filled: readonly Installation[]): string[] {
  return filled
    .filter(({ fills = '' }) => directories?.[fills] === undefined)
    .map(one => `it does not say how ${one.fills} comes along; found: ${describeFilled(one)}`)
}

/** Also lost to somebody who wrote it in this very moment. */
function write(
  root: string,
  path: string,
  content: string,
  why: readonly string[],
  files: RepositoryFiles,
): InitFile {
  const became = files.writeNew(root, path, content) ? 'written' : 'kept'
  return { path, became, content, why }
}

const describe = ({ argv, because }: Installation) => `${argv.join(' ')} (${because})`

function compare(named: SetUpSetting | undefined, wanted: Installation | undefined): string[] {
  if (wanted === undefined || named === false) return []
  if (named === undefined) return [`it names no setup; found: ${describe(wanted)}`]
  const words = typeof named === 'string' ? [named] : named
  const isSame = JSON.stringify(words) === JSON.stringify(wanted.argv)
  return isSame ? [] : [`it names ${words.join(' ')}; found: ${describe(wanted)}`]
}

function readPackageManager(root: string, files: RepositoryFiles): string | undefined {
  const text = files.read(root, 'package.json')
  try {
    const { packageManager } = JSON.parse(text ?? '{}') ?? {}
    return typeof packageManager === 'string' ? packageManager : undefined
  } catch {
    return undefined // Whatever is wrong with it is not for us to say.
  }
}

/** Ignored files that a task would miss, by name; each with the pattern that brings it along. */
const MISSED: readonly { readonly path: RegExp; readonly about: string }[] = [
  { path: /(?:^|\/)\.env[\w.-]*$/, about: 'settings of the project' },
  { path: /(?:^|\/)CLAUDE\.local\.md$/, about: 'your instructions for Claude Code' },
  { path: /(?:^|\/)AGENTS\.override\.md$/, about: 'your instructions for Codex' },
  { path: /(?:^|\/)\.claude\/settings\.local\.json$/, about: 'your settings of Claude Code here' },
]

function initIncludes(
  root: string,
  { ignored, included }: Awaited<ReturnType<Worktrees['listIgnored']>>,
  files: RepositoryFiles,
): InitFile {
  // Of a directory that is ignored as a whole, git names nothing that is in it.
  const settings = ignored
    .filter(path => /(?:^|\/)\.claude\/$/.test(path))
    .map(directory => `${directory}settings.local.json`)
    .filter(path => !ignored.includes(path) && files.read(root, path) !== undefined)
  const missed = [...ignored, ...settings].flatMap(path => {
    const known = MISSED.find(one => one.path.test(path))
    return known === undefined ? [] : [{ path, pattern: patternFor(path), about: known.about }]
  })
  if (files.names(root).has(INCLUDE_FILE)) {
    const lacks = missed.filter(({ path }) => !included.includes(path))
    const why = lacks.map(({ path, about }) => `it does not name ${path}: ${about}`)
    return { path: INCLUDE_FILE, became: 'kept', content: null, why }
  }
  if (missed.length === 0) {
    const why = ['no ignored file was found that a task would miss']
    return { path: INCLUDE_FILE, became: 'not needed', content: null, why }
  }
  const patterns = [...new Set(missed.map(({ pattern }) => pattern))].sort()
  const heading = '# Ignored files that come along into new worktrees, in the syntax of .gitignore.'
  const why = missed.map(({ path, about }) => `${path}: ${about}`)
  return write(root, INCLUDE_FILE, `${[heading, ...patterns].join('\n')}\n`, why, files)
}

/** Just this file: the same name within a directory of packages is none of ours. */
function patternFor(path: string): string {
  return `/${path.replace(/[\\*?[ ]/g, '\\$&')}`
}
