/**
 * The port `Hosts`. What is added is written down before it is added, and crossed out after it was
 * taken out: a death in between leaves something written down that is not there, which the next
 * look finds, and never the other way round.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { reach } from '../domain/crash-points.ts'
import { AppError, messageOf } from '../domain/errors.ts'
import {
  type Addition,
  describeAddition,
  type HostName,
  hostNames,
  hostTitles,
  isSameAddition,
  ORIGINAL_CODEX_PLUGIN,
  type RecordedAddition,
} from '../domain/hosts.ts'
import type {
  AdditionRecord,
  AdditionState,
  FoundHost,
  Hosts,
  PlannedAddition,
} from '../ports/hosts.ts'
import type { Locks } from '../ports/lock.ts'
import { type Catalogue, digestOfTree, readCatalogue } from './catalogue.ts'
import { configurationDirectory, hostPlaces, namedConfiguration, skillDirectory } from './places.ts'
import { claudeHost, codexHost, type PluginHost } from './plugin-hosts.ts'
import { runHost, type Variables } from './run-host.ts'
import {
  digestOf,
  lookAtSkill,
  missingDirectories,
  putSkill,
  skillFile,
  takeOutSkill,
} from './skill.ts'

export interface HostsOptions {
  readonly record: AdditionRecord
  /** Where this package lies: its skill, its plugins and the lists of them. */
  readonly packageRoot: string
  /** The user's, with nothing of a caller session in it, and a PATH on which no agent put anything. */
  readonly environment: Variables
  readonly userHome: string
  readonly locks: Locks
  /** Makes the state directory ready to be written to. */
  readonly prepare: () => void
  readonly findProgram: (name: string) => string | undefined
  readonly isDirectory: (path: string) => boolean
}

const LOCK = 'hosts'
/** Whoever holds it waits for a host, which copies some files. */
const LOCK_LIMIT_MS = 300_000

const pluginHosts: Partial<Record<HostName, PluginHost>> = { claude: claudeHost, codex: codexHost }

/** A host's program as it is asked about one configuration of its. */
interface Asked {
  readonly host: PluginHost
  readonly program: string
  readonly environment: Variables
}

export function makeHosts(options: HostsOptions): Hosts {
  const { record, packageRoot, environment, userHome, locks } = options
  const skill = () => readFileSync(join(packageRoot, 'skills/holdfast/SKILL.md'))

  const programOf = (name: HostName) => {
    const { program, needsDirectory } = hostPlaces[name]
    const directory = configurationDirectory(name, namedConfiguration(name, environment), userHome)
    if (needsDirectory === true && !options.isDirectory(directory)) return null
    return options.findProgram(program) ?? null
  }
  const recordedAs = (name: HostName, addition: Addition): RecordedAddition => {
    const configuration = namedConfiguration(name, environment)
    return { host: name, configuration, addition, digests: [], made: [] }
  }
  const find = (wanted: RecordedAddition) =>
    record.list().find(one => isSameAddition(one, wanted)) ?? null

  const planSkill = (name: HostName): readonly PlannedAddition[] => {
    const named = namedConfiguration(name, environment)
    const directory = skillDirectory(name, configurationDirectory(name, named, userHome))
    const addition = { kind: 'skill', directory } as const
    const ours = find(recordedAs(name, addition))?.digests ?? []
    const state = lookAtSkill(directory, skill(), ours)
    return [{ addition, how: skillFile(directory), state, isForCodexCommands: false }]
  }

  const planOf = async (name: HostName, program: string): Promise<readonly PlannedAddition[]> => {
    const host = pluginHosts[name]
    const catalogue = host === undefined ? undefined : readCatalogue(packageRoot, host.catalogue)
    if (host === undefined || catalogue === undefined) return planSkill(name)
    return await planPlugins(name, { host, program, environment }, catalogue)
  }

  const planPlugins = async (
    name: HostName,
    asked: Asked,
    catalogue: Catalogue,
  ): Promise<readonly PlannedAddition[]> => {
    // One after the other: a host may write to its own files whatever it is asked.
    const marketplaces = await listMarketplaces(asked)
    const plugins = await listPlugins(asked)
    const command = (addition: Addition) =>
      [hostPlaces[name].program, ...asked.host.wordsToAdd(addition)].join(' ')
    const marketplace = { kind: 'marketplace', name: catalogue.name, source: packageRoot } as const
    const known = marketplaces.find(one => one.name === catalogue.name)
    const isOurs = known !== undefined && find(recordedAs(name, marketplace)) !== null
    const hasMoved = isOurs && known.source !== packageRoot
    const planned = (
      addition: Addition,
      state: AdditionState,
      isForCodexCommands = false,
    ): PlannedAddition => ({ addition, how: command(addition), state, isForCodexCommands })
    const stateOf = (id: string, directory: string): AdditionState => {
      if (!plugins.some(plugin => plugin.id === id)) return 'missing'
      const ours = find(recordedAs(name, { kind: 'plugin', id }))
      if (ours === null) return 'there'
      const isOld = asked.host.copies && !ours.digests.includes(digestOfTree(directory))
      return hasMoved || isOld ? 'outdated' : 'there'
    }
    const plan = [
      planned(marketplace, known === undefined ? 'missing' : hasMoved ? 'outdated' : 'there'),
    ]
    for (const [id, directory] of catalogue.plugins) {
      const isForCodexCommands = id.startsWith('codex@')
      plan.push(planned({ kind: 'plugin', id }, stateOf(id, directory), isForCodexCommands))
      const original = plugins.find(plugin => plugin.id === ORIGINAL_CODEX_PLUGIN)
      if (!isForCodexCommands || original === undefined) continue
      const addition = { kind: 'turned_off', id: ORIGINAL_CODEX_PLUGIN } as const
      plan.push(planned(addition, original.isOn ? 'missing' : 'there', true))
    }
    return plan
  }

  const findHost = async (name: HostName): Promise<FoundHost> => {
    const program = programOf(name)
    if (program === null) return { name, program, plan: [], problem: null }
    try {
      return { name, program, plan: await planOf(name, program), problem: null }
    } catch (error) {
      return { name, program, plan: [], problem: messageOf(error) }
    }
  }

  const add = async ({ name, program }: FoundHost, planned: PlannedAddition): Promise<void> => {
    const { addition, state } = planned
    if (program === null || state === 'there' || state === 'in_the_way') {
      throw new Error('nothing was planned')
    }
    options.prepare()
    const fresh = recordedAs(name, addition)
    const before = find(fresh)
    const known = before?.digests ?? []
    const made = [...(before?.made ?? []), ...directoriesOf(addition)]
    // A skill is known by what it may be by now; a copy of a plugin, by what it is for certain.
    const digests = addition.kind === 'skill' ? [...known, digestOf(skill())] : known
    record.put({ ...fresh, digests, made })
    reach('hosts.addition-written')
    try {
      await put(name, program, planned)
    } catch (error) {
      if (before === null) record.drop(fresh)
      throw asRefusal(error)
    }
    reach('hosts.added')
    const digest = digestOfCopy(name, addition)
    if (digest !== null) record.put({ ...fresh, digests: [digest], made })
  }

  /** Of the plugin's files that a host has copied; null: it copies none. */
  const digestOfCopy = (name: HostName, addition: Addition): string | null => {
    const host = pluginHosts[name]
    if (addition.kind !== 'plugin' || host?.copies !== true) return null
    const directory = readCatalogue(packageRoot, host.catalogue)?.plugins.get(addition.id)
    return directory === undefined ? null : digestOfTree(directory)
  }
  const directoriesOf = (addition: Addition) =>
    addition.kind === 'skill' ? missingDirectories(addition.directory) : []

  const put = async (name: HostName, program: string, { addition, state }: PlannedAddition) => {
    if (addition.kind === 'skill') return putSkill(addition.directory, skill())
    const host = requirePluginHost(name)
    // Under its name, it still leads to where the package was before.
    if (addition.kind === 'marketplace' && state === 'outdated') {
      await runHost(program, host.wordsToTakeOut(addition), environment)
    }
    await runHost(program, host.wordsToAdd(addition), environment)
  }

  const takeOutOne = async (one: RecordedAddition): Promise<Outcome> => {
    const { host: name, addition } = one
    if (addition.kind === 'skill') return takeOutOneSkill(addition.directory, one)
    const host = requirePluginHost(name)
    const program = options.findProgram(hostPlaces[name].program)
    const words = host.wordsToTakeOut(addition)
    const byHand = [hostPlaces[name].program, ...words].join(' ')
    const inWords = `${describeAddition(addition)}, in ${hostTitles[name]}`
    if (program === undefined) {
      return { stays: `${inWords}: ${hostPlaces[name].program} is not here; ${byHand}` }
    }
    const asked = { host, program, environment: environmentFor(one, environment) }
    try {
      const { isThere, theirs } = await lookAgain(addition, asked)
      if (theirs !== null) return { theirs: `${inWords}: ${theirs}` }
      if (!isThere) return 'gone'
      await runHost(program, words, asked.environment)
      return 'out'
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      return { stays: `${inWords}: ${error.message}` }
    }
  }

  const alone = <T>(work: () => Promise<T>) => locks.withLock(LOCK, LOCK_LIMIT_MS, work)

  return {
    async find() {
      return await Promise.all(hostNames.map(findHost))
    },
    async add(host, planned) {
      options.prepare()
      await alone(() => add(host, planned))
    },
    async takeOut() {
      if (record.list().length === 0) return { removed: [], left: [] }
      return await alone(async () => {
        const taken = { removed: [] as string[], left: [] as string[] }
        // A plugin before the marketplace that it is from.
        for (const one of record.list().toReversed()) {
          const outcome = await takeOutOne(one)
          reach('hosts.taken-out')
          note(taken, one, outcome)
          if (typeof outcome === 'object' && 'stays' in outcome) continue
          record.drop(one)
          reach('hosts.crossed-out')
        }
        return taken
      })
    },
  }
}

/** `theirs`: it is somebody else's by now. `stays`: it could not be taken out. */
type Outcome = 'out' | 'gone' | { readonly theirs: string } | { readonly stays: string }

function note(
  taken: { removed: string[]; left: string[] },
  { host, addition }: RecordedAddition,
  outcome: Outcome,
): void {
  if (outcome === 'gone') return
  if (typeof outcome === 'object') {
    taken.left.push('theirs' in outcome ? outcome.theirs : outcome.stays)
    return
  }
  const what =
    addition.kind === 'turned_off'
      ? `the plugin ${addition.id}, which is on again`
      : describeAddition(addition)
  taken.removed.push(addition.kind === 'skill' ? what : `${what}, in ${hostTitles[host]}`)
}

function requirePluginHost(name: HostName): PluginHost {
  const host = pluginHosts[name]
  if (host === undefined) throw new Error(`${name} has no plugins`)
  return host
}

/** As it was when it was added, with regard to where the host's configuration lies. */
function environmentFor(
  { host, configuration }: RecordedAddition,
  environment: Variables,
): Variables {
  const { variable } = hostPlaces[host]
  const { [variable]: _, ...rest } = environment
  return configuration === null ? rest : { ...rest, [variable]: configuration }
}

function takeOutOneSkill(
  directory: string,
  { addition, digests, made }: RecordedAddition,
): Outcome {
  const what = describeAddition(addition)
  try {
    if (takeOutSkill(directory, digests, made)) return 'out'
    return { theirs: `${what}: it was changed since, and is yours now` }
  } catch (error) {
    return { stays: `${what}: ${messageOf(error)}` }
  }
}

async function listMarketplaces(asked: Asked) {
  return await understand(asked, asked.host.listMarketplaces, asked.host.parseMarketplaces)
}

async function listPlugins(asked: Asked) {
  return await understand(asked, asked.host.listPlugins, asked.host.parsePlugins)
}

/** Another version may say it in another way. */
async function understand<T>(
  { program, environment }: Asked,
  words: readonly string[],
  parse: (answer: string) => T,
): Promise<T> {
  const answer = await runHost(program, words, environment)
  try {
    return parse(answer)
  } catch (cause) {
    const command = [program, ...words].join(' ')
    throw new AppError('refused_in_state', `${command}: its answer is not understood`, { cause })
  }
}

/** A file that cannot be written is no fault of the program. */
function asRefusal(error: unknown): AppError {
  if (error instanceof AppError) return error
  return new AppError('refused_in_state', messageOf(error), { cause: error })
}

/** Whether it is still there, and why it is not ours to take out; null: it is ours. */
async function lookAgain(
  addition: Exclude<Addition, { kind: 'skill' }>,
  asked: Asked,
): Promise<{ readonly isThere: boolean; readonly theirs: string | null }> {
  const plugins = await listPlugins(asked)
  if (addition.kind === 'plugin') {
    return { isThere: plugins.some(({ id }) => id === addition.id), theirs: null }
  }
  if (addition.kind === 'turned_off') {
    const isOff = plugins.some(({ id, isOn }) => id === addition.id && !isOn)
    return { isThere: isOff, theirs: null }
  }
  const known = (await listMarketplaces(asked)).find(({ name }) => name === addition.name)
  if (known === undefined) return { isThere: false, theirs: null }
  if (known.source !== addition.source) {
    return { isThere: true, theirs: `it was added anew from ${known.source ?? 'elsewhere'}` }
  }
  // Claude Code takes all plugins of a marketplace out with it.
  const other = plugins.find(({ id }) => id.endsWith(`@${addition.name}`))
  return { isThere: true, theirs: other === undefined ? null : `${other.id} is from it` }
}
