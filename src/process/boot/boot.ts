/** The port `Boot`: files of systemd and launchd, and the table of cron. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { reach } from '../../domain/crash-points.ts'
import { AppError, messageOf } from '../../domain/errors.ts'
import type { Boot, BootEntry, BootMethod } from '../../ports/boot.ts'
import { isExecutable } from '../own-session.ts'
import { editTable, parseLine, renderLine } from './cron.ts'
import { parseAgent, renderAgent } from './launchd.ts'
import {
  type BootProgram,
  findBootProgram,
  findProgramProblem,
  requireBootable,
} from './program.ts'
import { parseUnit, renderUnit } from './systemd.ts'

export interface BootOptions {
  /** The state directory, absolute. */
  readonly home: string
  /** Whether it is the one that is used where none is named. */
  readonly isDefaultHome: boolean
  /** What started this process: Node, and our entry. */
  readonly command: readonly [string, string]
  /** The user's, with a PATH on which no agent put anything. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly platform?: NodeJS.Platform
  /** Is there where systemd has started the system. */
  readonly systemdRuns?: string
  /** Holds a file for each user who lingers. */
  readonly lingering?: string
}

/** An entry that is a file of its own. */
interface EntryFile {
  readonly path: string
  /** What makes it count, where the file alone does not. */
  readonly link: string | null
  readonly render: (program: BootProgram) => string
  readonly parse: (text: string) => BootProgram | undefined
}

export function makeBoot(options: BootOptions): Boot {
  const { home, environment, command, platform = process.platform } = options
  const path = environment.PATH ?? ''
  const tool = (name: string, words: readonly string[], input = '') =>
    runTool(name, words, input, environment)
  const files = { systemd: () => unitFile(options), launchd: () => agentFile(options) }
  const program = () => findBootProgram(command, home, path)
  const hasCron = () => path.split(':').some(directory => isExecutable(join(directory, 'crontab')))

  const removeFile = ({ path, link }: EntryFile) => {
    const isThere = existsSync(path)
    if (![path, `${path}.new`, link].some(isFile)) return []
    if (link !== null) rmSync(link, { force: true })
    reach('boot.entry-disabled')
    rmSync(`${path}.new`, { force: true })
    rmSync(path, { force: true })
    reach('boot.entry-removed')
    return isThere ? [path] : []
  }
  const readTable = async () => {
    const { code, stdout, words } = await tool('crontab', ['-l'])
    if (code === 0) return stdout
    // Only where it says so is there none: of one that cannot be read, every line would be lost.
    if (/no crontab/i.test(words)) return ''
    throw new AppError('refused_in_state', `the crontab cannot be read: ${words}`)
  }
  const changeTable = async (line: string | null) => {
    const before = await readTable()
    const wanted = editTable(before, home, line)
    if (wanted === before) return false
    const { code, words } = await tool('crontab', ['-'], wanted)
    reach('boot.table-written')
    if (code === 0) return true
    throw new AppError('refused_in_state', `the crontab cannot be written: ${words}`)
  }

  const findFile = (method: 'systemd' | 'launchd'): BootEntry[] => {
    const { path: where, link, parse, render } = files[method]()
    if (!existsSync(where)) return []
    const text = readFileSync(where, 'utf8')
    const found = parse(text)
    const isOn = link === null || existsSync(link)
    const problem =
      found === undefined || found.home !== home || render(found) !== text
        ? 'it is not as Holdfast writes it'
        : isOn
          ? findProgramProblem(found)
          : 'it is not enabled'
    return [{ method, where, problem }]
  }
  const findLine = async (): Promise<BootEntry[]> => {
    const lines = (await readTable()).split('\n')
    const ours = lines.flatMap(line => parseLine(line) ?? []).filter(found => found.home === home)
    return ours.map(found => ({
      method: 'cron',
      where: 'crontab',
      problem: findProgramProblem(found),
    }))
  }
  const reload = () => tool('systemctl', ['--user', 'daemon-reload'])

  const remove = async (methods: readonly BootMethod[]) => {
    const removed: string[] = []
    for (const method of methods) {
      if (method !== 'cron') removed.push(...removeFile(files[method]()))
      else if (hasCron() && (await changeTable(null))) removed.push('crontab')
    }
    return removed
  }
  return {
    chooseMethod() {
      if (platform === 'darwin') return 'launchd'
      if (existsSync(options.systemdRuns ?? '/run/systemd/system')) return 'systemd'
      if (hasCron()) return 'cron'
      throw new AppError('refused_in_state', 'neither systemd nor cron starts programs here', {
        hint: 'install cron; without it, the next command after a boot goes on with all tasks',
      })
    },
    describe(method) {
      const wanted = program()
      requireBootable(wanted)
      if (method === 'cron') return { where: 'crontab', text: `${renderLine(wanted)}\n` }
      const { path: where, render } = files[method]()
      return { where, text: render(wanted) }
    },
    async find() {
      const found = [...findFile('systemd'), ...findFile('launchd')]
      return hasCron() ? [...found, ...(await findLine())] : found
    },
    async install(method) {
      requireBootable(program())
      const others = (['systemd', 'launchd', 'cron'] as const).filter(other => other !== method)
      if (method === 'cron') {
        await changeTable(renderLine(program()))
        await remove(others)
        return []
      }
      writeEntry(files[method](), program())
      await remove(others)
      if (method === 'launchd')
        return ['it starts when you log in: launchd has nothing earlier for a user']
      const isLoaded = (await reload()).code === 0
      return [
        ...(isLoaded
          ? []
          : ['no systemd user manager answers here: it counts from your next login']),
        ...adviseOnLingering(options),
      ]
    },
    async remove() {
      const removed = await remove(['systemd', 'launchd', 'cron'])
      if (removed.some(where => where.endsWith('.service'))) await reload()
      return removed
    },
  }
}

function writeEntry({ path, link, render }: EntryFile, program: BootProgram): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(`${path}.new`, render(program))
    reach('boot.entry-written')
    renameSync(`${path}.new`, path)
    reach('boot.entry-renamed')
    if (link === null) return
    mkdirSync(dirname(link), { recursive: true })
    rmSync(link, { force: true })
    symlinkSync(path, link)
    reach('boot.entry-enabled')
  } catch (cause) {
    throw new AppError('refused_in_state', `cannot write ${path}: ${messageOf(cause)}`, { cause })
  }
}

/** Of one state directory among several: by its path. */
function nameOf({ home, isDefaultHome }: BootOptions): string {
  if (isDefaultHome) return 'holdfast'
  return `holdfast-${createHash('sha256').update(home).digest('hex').slice(0, 8)}`
}

function unitFile(options: BootOptions): EntryFile {
  const { XDG_CONFIG_HOME, HOME } = options.environment
  const own = XDG_CONFIG_HOME !== undefined && isAbsolute(XDG_CONFIG_HOME)
  const root = own ? XDG_CONFIG_HOME : join(requireHome(HOME), '.config')
  const directory = join(root, 'systemd', 'user')
  const name = `${nameOf(options)}.service`
  return {
    path: join(directory, name),
    link: join(directory, 'default.target.wants', name),
    render: renderUnit,
    parse: parseUnit,
  }
}

function agentFile(options: BootOptions): EntryFile {
  const label = `${nameOf(options)}.worker`
  return {
    path: join(requireHome(options.environment.HOME), 'Library/LaunchAgents', `${label}.plist`),
    link: null,
    render: program => renderAgent(label, program),
    parse: parseAgent,
  }
}

/** Also a link to nothing. */
const isFile = (path: string | null) =>
  path !== null && lstatSync(path, { throwIfNoEntry: false }) !== undefined

const requireHome = (home: string | undefined) =>
  home !== undefined && isAbsolute(home) ? home : userInfo().homedir

/** Without it a user manager lives from the first login to the last logout. */
function adviseOnLingering({ lingering = '/var/lib/systemd/linger' }: BootOptions): string[] {
  const { username } = userInfo()
  if (existsSync(join(lingering, username))) return []
  return [
    'without lingering, systemd starts it when you first log in, and ends it, and the tasks that it ' +
      `started, when you last log out: loginctl enable-linger ${username}`,
  ]
}

interface Said {
  /** Null: it did not come to an exit code, or is not there. */
  readonly code: number | null
  readonly stdout: string
  /** What it said of itself, or what kept it from being started. */
  readonly words: string
}

/** None of them takes long; a manager that does not answer is none. */
const TOOL_LIMIT_MS = 10_000

function runTool(
  name: string,
  words: readonly string[],
  input: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Said> {
  return new Promise(resolve => {
    const limits = { timeout: TOOL_LIMIT_MS, maxBuffer: 64_000_000, cwd: '/' }
    const options = { ...limits, env: { ...env, LC_ALL: 'C' } }
    const child = execFile(name, words, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null
      resolve({ code, stdout, words: stderr.trim() || (error?.message ?? '') })
    })
    // It may end without having read all.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}
