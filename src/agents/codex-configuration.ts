/** What can be learnt of the user's Codex without starting it: its home, login and configuration. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod/mini'
import type { PermissionMode } from '../domain/permissions.ts'
import type { Environment } from '../ports/agent.ts'

const settings = {
  model_provider: z.optional(z.string()),
  review_model: z.optional(z.string()),
  sandbox_mode: z.optional(z.string()),
  /** A named permission profile; the built-in ones begin with a colon. */
  default_permissions: z.optional(z.string()),
}

const configuration = z.looseObject({
  ...settings,
  cli_auth_credentials_store: z.optional(z.string()),
  profile: z.optional(z.string()),
  profiles: z.optional(z.record(z.string(), z.looseObject(settings))),
  model_providers: z.optional(
    z.record(
      z.string(),
      z.looseObject({
        env_key: z.optional(z.string()),
        requires_openai_auth: z.optional(z.boolean()),
      }),
    ),
  ),
})

export type CodexConfiguration = z.infer<typeof configuration>

const authFile = z.looseObject({
  OPENAI_API_KEY: z.optional(z.nullable(z.string())),
  tokens: z.optional(z.nullable(z.looseObject({ account_id: z.optional(z.nullable(z.string())) }))),
})

const modes: Readonly<Record<string, PermissionMode>> = {
  'read-only': 'read-only',
  'workspace-write': 'workspace',
  'danger-full-access': 'full',
  ':read-only': 'read-only',
  ':workspace': 'workspace',
  ':danger-full-access': 'full',
}

/**
 * The user's `config.toml`, the chosen profile's settings on top. Empty where there is none or
 * where it cannot be read: Codex itself says then what is wrong with it, before any turn.
 */
export async function readConfiguration(environment: Environment): Promise<CodexConfiguration> {
  const text = await readIfThere(join(codexHome(environment), 'config.toml'))
  if (text === undefined) return {}
  const { parse } = await import('smol-toml')
  let parsed: unknown
  try {
    parsed = parse(text)
  } catch {
    return {} // See above.
  }
  const read = configuration.safeParse(parsed).data ?? {}
  return { ...read, ...read.profiles?.[read.profile ?? ''] }
}

/** The strictest mode that the configuration names; undefined where it names none that we know. */
export function findConfiguredMode(config: CodexConfiguration): PermissionMode | undefined {
  const named = [config.sandbox_mode, config.default_permissions].map(name => modes[name ?? ''])
  return named.includes('read-only') ? 'read-only' : (named[0] ?? named[1])
}

/** `unknown`: Codex may keep its login elsewhere (a keyring), and has to be asked. */
export async function lookAtLogin(
  config: CodexConfiguration,
  environment: Environment,
): Promise<'present' | 'unknown' | { readonly missingKey: string }> {
  if (isOfAnother(config)) {
    const key = providerOf(config)?.env_key
    return key === undefined || environment[key] ? 'present' : { missingKey: key }
  }
  if (!needsLogin(config, environment)) return 'present'
  const text = await readIfThere(join(codexHome(environment), 'auth.json'))
  if (text === undefined) return 'unknown'
  try {
    const auth = authFile.parse(JSON.parse(text))
    return auth.OPENAI_API_KEY || auth.tokens ? 'present' : 'unknown'
  } catch {
    return 'unknown'
  }
}

/** Whether it works with what `codex login` leaves behind, and not with a key in the environment. */
export function needsLogin(config: CodexConfiguration, environment: Environment): boolean {
  // `codex exec` sends CODEX_API_KEY, and ignores OPENAI_API_KEY (both tried with 0.169.0).
  return !isOfAnother(config) && !environment.CODEX_API_KEY
}

/** Whether its model is of somebody who wants no login at OpenAI. */
function isOfAnother(config: CodexConfiguration): boolean {
  const { model_provider: name = 'openai' } = config
  return name !== 'openai' && providerOf(config)?.requires_openai_auth !== true
}

function providerOf({ model_provider: name = 'openai', model_providers }: CodexConfiguration) {
  return model_providers?.[name]
}

/**
 * Who pays: the key or the login that Codex would use. Keys and tokens go into a hash alone, and
 * what changes when a token is renewed does not go in at all.
 */
export async function findCodexAccount(
  config: CodexConfiguration,
  environment: Environment,
): Promise<string> {
  const name = config.model_provider ?? 'openai'
  const key = providerOf(config)?.env_key
  const shared = (key === undefined ? undefined : environment[key]) ?? environment.CODEX_API_KEY
  const who = shared ?? (await findLoginName(environment)) ?? codexHome(environment)
  return `codex:${createHash('sha256').update(`${name}\0${who}`).digest('hex').slice(0, 10)}`
}

async function findLoginName(environment: Environment): Promise<string | undefined> {
  const text = await readIfThere(join(codexHome(environment), 'auth.json'))
  try {
    const { OPENAI_API_KEY, tokens } = authFile.parse(JSON.parse(text ?? '{}'))
    return tokens?.account_id ?? OPENAI_API_KEY ?? undefined
  } catch {
    return undefined // No login that we understand: then its home says whose it is.
  }
}

export function codexHome(environment: Environment): string {
  return environment.CODEX_HOME || join(environment.HOME || homedir(), '.codex')
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined // Not there, or not ours to read: Codex cannot read it either.
  }
}
