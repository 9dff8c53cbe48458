/** The hosts that have marketplaces of plugins: what they are asked, and told, on the command line. */
import * as z from 'zod/mini'
import type { Addition } from '../domain/hosts.ts'

interface InstalledPlugin {
  readonly id: string
  readonly isOn: boolean
}

interface KnownMarketplace {
  readonly name: string
  /** Where it was added from, as far as it is a directory. */
  readonly source: string | null
}

export interface PluginHost {
  /** Which file of a package lists its plugins for this host. */
  readonly catalogue: string
  /** It keeps a copy of a plugin's files: a newer version of them has to be added anew. */
  readonly copies: boolean
  readonly listMarketplaces: readonly string[]
  parseMarketplaces(json: string): readonly KnownMarketplace[]
  readonly listPlugins: readonly string[]
  parsePlugins(json: string): readonly InstalledPlugin[]
  wordsToAdd(addition: Addition): readonly string[]
  wordsToTakeOut(addition: Addition): readonly string[]
}

const claudeMarketplaces = z.array(z.object({ name: z.string(), path: z.optional(z.string()) }))
const claudePlugins = z.array(
  z.object({ id: z.string(), scope: z.optional(z.string()), enabled: z.optional(z.boolean()) }),
)

export const claudeHost: PluginHost = {
  catalogue: '.claude-plugin/marketplace.json',
  copies: false,
  listMarketplaces: ['plugin', 'marketplace', 'list', '--json'],
  parseMarketplaces: json =>
    claudeMarketplaces
      .parse(JSON.parse(json))
      .map(({ name, path }) => ({ name, source: path ?? null })),
  listPlugins: ['plugin', 'list', '--json'],
  parsePlugins: json =>
    claudePlugins
      .parse(JSON.parse(json))
      // A project's own are none of the user's.
      .filter(({ scope = 'user' }) => scope === 'user')
      .map(({ id, enabled }) => ({ id, isOn: enabled !== false })),
  wordsToAdd: addition => claudeWords(addition, 'add'),
  wordsToTakeOut: addition => claudeWords(addition, 'take out'),
}

function claudeWords(addition: Addition, way: 'add' | 'take out'): readonly string[] {
  const adds = way === 'add'
  switch (addition.kind) {
    case 'marketplace':
      return adds
        ? ['plugin', 'marketplace', 'add', addition.source]
        : ['plugin', 'marketplace', 'remove', addition.name]
    case 'plugin':
      return ['plugin', adds ? 'install' : 'uninstall', addition.id]
    case 'turned_off':
      return ['plugin', adds ? 'disable' : 'enable', addition.id]
    case 'skill':
      throw new Error('no command of the host puts a skill there')
  }
}

const codexMarketplaces = z.object({
  marketplaces: z.array(
    z.object({
      name: z.string(),
      marketplaceSource: z.optional(z.object({ source: z.optional(z.string()) })),
    }),
  ),
})
const codexPlugins = z.object({
  installed: z.array(z.object({ pluginId: z.string(), enabled: z.optional(z.boolean()) })),
})

export const codexHost: PluginHost = {
  catalogue: '.agents/plugins/marketplace.json',
  copies: true,
  listMarketplaces: ['plugin', 'marketplace', 'list', '--json'],
  parseMarketplaces: json =>
    codexMarketplaces.parse(JSON.parse(json)).marketplaces.map(({ name, marketplaceSource }) => ({
      name,
      source: marketplaceSource?.source ?? null,
    })),
  listPlugins: ['plugin', 'list', '--json'],
  parsePlugins: json =>
    codexPlugins
      .parse(JSON.parse(json))
      .installed.map(({ pluginId, enabled }) => ({ id: pluginId, isOn: enabled !== false })),
  wordsToAdd: addition => codexWords(addition, 'add'),
  wordsToTakeOut: addition => codexWords(addition, 'take out'),
}

function codexWords(addition: Addition, way: 'add' | 'take out'): readonly string[] {
  const verb = way === 'add' ? 'add' : 'remove'
  switch (addition.kind) {
    case 'marketplace':
      return ['plugin', 'marketplace', verb, way === 'add' ? addition.source : addition.name]
    case 'plugin':
      return ['plugin', verb, addition.id]
    default:
      throw new Error(`Codex has no command for ${addition.kind}`)
  }
}
