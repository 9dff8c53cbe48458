/**
 * Hosts: programs whose agents hand tasks in, and what `setup` adds to them. What was added is
 * written down, so that `uninstall` takes out that and nothing else.
 */
export const hostNames = ['claude', 'codex', 'opencode', 'openclaw', 'pi'] as const
export type HostName = (typeof hostNames)[number]

export const hostTitles: Readonly<Record<HostName, string>> = {
  claude: 'Claude Code',
  codex: 'Codex',
  opencode: 'OpenCode',
  openclaw: 'OpenClaw',
  pi: 'Pi',
}

/** One thing in a host. */
export type Addition =
  | { readonly kind: 'marketplace'; readonly name: string; readonly source: string }
  | { readonly kind: 'plugin'; readonly id: string }
  /** A plugin of somebody else, which is off while one of ours has its names. */
  | { readonly kind: 'turned_off'; readonly id: string }
  /** A directory with `SKILL.md` in it. */
  | { readonly kind: 'skill'; readonly directory: string }

/** What was added, and where: what taking it out needs. */
export interface RecordedAddition {
  readonly host: HostName
  /** The directory that the user had named for the host's configuration; null: none, its own. */
  readonly configuration: string | null
  readonly addition: Addition
  /** SHA-256 of each content that the skill's file has had from us. */
  readonly digests: readonly string[]
  /** Directories that were made for it, the outermost first. */
  readonly made: readonly string[]
}

/** The plugin whose commands are `/codex:*`, as its maker distributes it. */
export const ORIGINAL_CODEX_PLUGIN = 'codex@openai-codex'

export function isSameAddition(a: RecordedAddition, b: RecordedAddition): boolean {
  return (
    a.host === b.host &&
    a.configuration === b.configuration &&
    a.addition.kind === b.addition.kind &&
    keyOf(a.addition) === keyOf(b.addition)
  )
}

function keyOf(addition: Addition): string {
  switch (addition.kind) {
    case 'marketplace':
      return addition.name
    case 'skill':
      return addition.directory
    default:
      return addition.id
  }
}

export function describeAddition(addition: Addition): string {
  switch (addition.kind) {
    case 'marketplace':
      return `the marketplace ${addition.name}`
    case 'plugin':
      return `the plugin ${addition.id}`
    case 'turned_off':
      return `the plugin ${addition.id}, turned off`
    case 'skill':
      return `the skill ${addition.directory}`
  }
}
