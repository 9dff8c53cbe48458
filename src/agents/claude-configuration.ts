/** What can be learnt of the user's Claude Code without starting it: settings, login, account. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import * as z from 'zod/mini'
import { AppError } from '../domain/errors.ts'
import type { PermissionMode } from '../domain/permissions.ts'
import type { Environment } from '../ports/agent.ts'
import { maybe } from './loose.ts'

const settingsFile = z.looseObject({
  /** Variables that Claude Code sets for itself: its login may be one. */
  env: maybe(z.record(z.string(), z.coerce.string())),
  apiKeyHelper: maybe(z.string()),
  permissions: maybe(
    z.looseObject({
      defaultMode: maybe(z.string()),
      disableBypassPermissionsMode: maybe(z.string()),
    }),
  ),
})

const globalFile = z.looseObject({
  /** A key that was made by logging in to the Console. */
  primaryApiKey: maybe(z.string()),
  oauthAccount: maybe(
    z.looseObject({ accountUuid: maybe(z.string()), organizationUuid: maybe(z.string()) }),
  ),
})

const credentialsFile = z.looseObject({
  claudeAiOauth: maybe(
    z.looseObject({ accessToken: z.string(), expiresAt: maybe(z.nullable(z.number())) }),
  ),
})

export interface ClaudeConfiguration {
  /** The caller's, and on top what settings add. */
  readonly environment: Environment
  readonly hasKeyHelper: boolean
  readonly mode: PermissionMode | null
  /** The settings file that forbids to go without asking. */
  readonly bypassForbiddenBy: string | null
  readonly consoleKey: string | null
  /** Of a subscription. */
  readonly login: { readonly expiresAt: number | null } | null
  readonly account: string | null
}

/** Those that say who pays, and log in by their mere presence. */
const KEYS = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN'] as const
const CLOUDS = ['BEDROCK', 'VERTEX', 'FOUNDRY', 'MANTLE', 'ANTHROPIC_AWS'].map(
  name => `CLAUDE_CODE_USE_${name}`,
)
/** Those that only say who, and where. */
const PLACES = [
  'ANTHROPIC_BASE_URL',
  'ANTHROPIC_VERTEX_PROJECT_ID',
  'ANTHROPIC_FOUNDRY_RESOURCE',
  'AWS_PROFILE',
  'AWS_REGION',
] as const

/** Set by an administrator; its settings win over the user's. */
const MANAGED: Partial<Record<NodeJS.Platform, string>> = {
  linux: '/etc/claude-code/managed-settings.json',
  darwin: '/Library/Application Support/ClaudeCode/managed-settings.json',
}

export function configDirectory(environment: Environment): string {
  return environment.CLAUDE_CONFIG_DIR || join(environment.HOME || homedir(), '.claude')
}

/** Where its global state lies: beside the directory that it has unless told otherwise. */
export function globalFilePath(environment: Environment): string {
  const directory = configDirectory(environment)
  return environment.CLAUDE_CONFIG_DIR
    ? join(directory, '.claude.json')
    : join(dirname(directory), '.claude.json')
}

/** Where its login lies. */
export function loginDirectory(environment: Environment): string {
  return environment.CLAUDE_SECURESTORAGE_CONFIG_DIR || configDirectory(environment)
}

/** What is missing, or cannot be read, says nothing: Claude Code itself takes no notice of it. */
export async function readConfiguration(environment: Environment): Promise<ClaudeConfiguration> {
  const files = [
    join(configDirectory(environment), 'settings.json'),
    ...[MANAGED[process.platform] ?? []].flat(),
  ]
  const settings = await Promise.all(
    files.map(async path => ({ path, ...(await readJson(path, settingsFile)) })),
  )
  const global = await readJson(globalFilePath(environment), globalFile)
  const stored = await readJson(
    join(loginDirectory(environment), '.credentials.json'),
    credentialsFile,
  )
  const oauth = stored?.claudeAiOauth
  const isForbidding = settings.find(
    ({ permissions }) => permissions?.disableBypassPermissionsMode === 'disable',
  )
  return {
    environment: Object.assign({}, environment, ...settings.map(({ env }) => env)),
    hasKeyHelper: settings.some(({ apiKeyHelper }) => apiKeyHelper !== undefined),
    mode: settings.some(({ permissions }) => permissions?.defaultMode === 'plan')
      ? 'read-only'
      : null,
    bypassForbiddenBy: isForbidding?.path ?? null,
    consoleKey: global?.primaryApiKey ?? null,
    login: oauth === undefined ? null : { expiresAt: oauth.expiresAt ?? null },
    account:
      global?.oauthAccount?.accountUuid === undefined
        ? null
        : `${global.oauthAccount.organizationUuid ?? ''} ${global.oauthAccount.accountUuid}`,
  }
}

/**
 * Of the modes of Claude Code, `plan` alone is stricter than what we settle: the others say when to
 * ask, and nobody is asked. Refuses where settings forbid to go without asking.
 */
export async function findConfiguredMode(environment: Environment): Promise<PermissionMode | null> {
  const { mode, bypassForbiddenBy } = await readConfiguration(environment)
  if (bypassForbiddenBy === null) return mode
  throw new AppError(
    'permissions_unavailable',
    `Claude Code may not work unattended: ${bypassForbiddenBy} has disableBypassPermissionsMode`,
    { hint: 'take that out, or use another agent' },
  )
}

/** `unknown`: it may be kept elsewhere (the keychain of macOS). */
export function lookAtLogin(configuration: ClaudeConfiguration): 'present' | 'unknown' {
  const { environment, hasKeyHelper, consoleKey, login } = configuration
  const isSet = [...KEYS, ...CLOUDS].some(name => environment[name])
  return isSet || hasKeyHelper || consoleKey !== null || login !== null ? 'present' : 'unknown'
}

/** When a login that only Claude Code can renew runs out; null: it does not, or nobody knows. */
export function loginEndsAt({ environment, login }: ClaudeConfiguration): number | null {
  return [...KEYS, ...CLOUDS].some(name => environment[name]) ? null : (login?.expiresAt ?? null)
}

/** A short digest: of a key nothing can be learnt from it. */
export async function nameAccount(environment: Environment): Promise<string> {
  const configuration = await readConfiguration(environment)
  const own = configuration.environment
  const named = [...CLOUDS, ...PLACES, ...KEYS].map(name => own[name] ?? '')
  const isKeyed = [...KEYS, ...CLOUDS].some(name => own[name])
  // What is logged in otherwise is used only where no variable says who pays.
  const stored = isKeyed
    ? []
    : [configuration.consoleKey, configuration.account, loginDirectory(environment)]
  const digest = createHash('sha256')
    .update(JSON.stringify([named, stored]))
    .digest('hex')
  return digest.slice(0, 16)
}

async function readJson<Schema extends z.ZodMiniType>(
  path: string,
  schema: Schema,
): Promise<z.infer<Schema> | undefined> {
  try {
    return schema.safeParse(JSON.parse(await readFile(path, 'utf8'))).data
  } catch {
    return undefined // See `readConfiguration`.
  }
}

const PROJECT_NAME_LIMIT = 200

/** How Claude Code names the directory for the sessions of a working directory. */
export function nameProject(path: string): string {
  const name = path.replace(/[^a-zA-Z0-9]/g, '-')
  if (name.length <= PROJECT_NAME_LIMIT) return name
  let hash = 0
  for (let i = 0; i < path.length; i++) hash = ((hash << 5) - hash + path.charCodeAt(i)) | 0
  return `${name.slice(0, PROJECT_NAME_LIMIT)}-${Math.abs(hash).toString(36)}`
}
