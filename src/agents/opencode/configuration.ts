/** What can be learnt of the user's OpenCode without starting it: its places, logins and account. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod/mini'
import type { Environment, OwnPlaces } from '../../ports/agent.ts'
import { maybe } from '../loose.ts'
import { nameAccount } from '../name-account.ts'
import { findJson } from '../read-json.ts'
import { isRenewed, loginMarks } from '../stored-logins.ts'

/** Variables that the most used providers take a key from; OpenCode knows more. */
const KEYS = [
  'ANTHROPIC_API_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_BEARER_TOKEN_BEDROCK',
  'AWS_PROFILE',
  'AZURE_API_KEY',
  'CEREBRAS_API_KEY',
  'DEEPSEEK_API_KEY',
  'GEMINI_API_KEY',
  'GITHUB_TOKEN',
  'GOOGLE_API_KEY',
  'GOOGLE_GENERATIVE_AI_API_KEY',
  'GROQ_API_KEY',
  'MISTRAL_API_KEY',
  'MOONSHOT_API_KEY',
  'OPENAI_API_KEY',
  'OPENCODE_API_KEY',
  'OPENROUTER_API_KEY',
  'XAI_API_KEY',
  'ZHIPU_API_KEY',
] as const

const configuration = z.looseObject({
  provider: z.optional(
    z.record(
      z.string(),
      z.looseObject({ options: maybe(z.looseObject({ apiKey: maybe(z.string()) })) }),
    ),
  ),
})

/** Where a login is, it is found; that there is none cannot be told: some models need none. */
export function lookAtLogin(environment: Environment): 'present' | 'unknown' {
  return findMarks(environment).length > 0 ? 'present' : 'unknown'
}

/**
 * All of OpenCode's logins together: which of them a task uses is not known before it runs. A token
 * that is renewed leaves the name as it was.
 */
export function findAccount(environment: Environment): string {
  return nameAccount('opencode', findMarks(environment))
}

function findMarks(environment: Environment): readonly string[] {
  const { config, auth } = placesOf(environment)
  const files = [
    environment.OPENCODE_CONFIG,
    ...['config.json', 'opencode.json', 'opencode.jsonc'].map(name => join(config, name)),
  ]
  const providers = files.flatMap(file =>
    // With comments in it, it is none that we can read: then its keys are not known.
    file ? Object.entries(findJson(file, configuration)?.provider ?? {}) : [],
  )
  return [
    ...loginMarks(auth, KEYS, environment),
    ...providers.flatMap(([name, { options }]) =>
      options?.apiKey ? [`${name}:${options.apiKey}`] : [],
    ),
  ]
}

/**
 * What OpenCode needs of its directories. Configuration, plugins and programs that it has fetched
 * are only read: a later run would obey them. So are its logins, unless their tokens are renewed:
 * those are lost if the new ones are not written down. Its data (the database of sessions, and
 * snapshots) it must write.
 */
export function findOwnPlaces(environment: Environment): OwnPlaces {
  const { config, data, state, cache, auth } = placesOf(environment)
  const keepsTokens = isRenewed(auth)
  const configs = [config, environment.OPENCODE_CONFIG_DIR ?? ''].filter(path =>
    path.startsWith('/'),
  )
  return {
    readable: keepsTokens ? [] : [auth],
    writable: keepsTokens ? [auth] : [],
    made: [data],
    loose: [...configs, state, cache].map(path => ({ path, locks: [] })),
  }
}

/** The database of its sessions. */
export const databaseOf = (environment: Environment) =>
  join(placesOf(environment).data, 'opencode.db')

function placesOf(environment: Environment) {
  const home = environment.HOME || homedir()
  const at = (name: string, usual: string) =>
    join(environment[name] || join(home, usual), 'opencode')
  const data = at('XDG_DATA_HOME', '.local/share')
  return {
    config: at('XDG_CONFIG_HOME', '.config'),
    data,
    state: at('XDG_STATE_HOME', '.local/state'),
    cache: at('XDG_CACHE_HOME', '.cache'),
    auth: join(data, 'auth.json'),
  }
}
