/** What can be learnt of the user's Pi without starting it: its directory, logins and account. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod/mini'
import type { Environment, OwnPlaces } from '../../ports/agent.ts'
import { maybe } from '../loose.ts'
import { nameAccount } from '../name-account.ts'
import { findJson } from '../read-json.ts'
import { isRenewed, loginMarks } from '../stored-logins.ts'

/** Variables with which Pi 0.73.1 is logged in; those of clouds with logins of their own too. */
const KEYS = [
  'AI_GATEWAY_API_KEY',
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_OAUTH_TOKEN',
  'AWS_ACCESS_KEY_ID',
  'AWS_BEARER_TOKEN_BEDROCK',
  'AWS_PROFILE',
  'AZURE_OPENAI_API_KEY',
  'CEREBRAS_API_KEY',
  'CLOUDFLARE_API_KEY',
  'COPILOT_GITHUB_TOKEN',
  'DEEPSEEK_API_KEY',
  'FIREWORKS_API_KEY',
  'GEMINI_API_KEY',
  'GH_TOKEN',
  'GITHUB_TOKEN',
  'GOOGLE_CLOUD_API_KEY',
  'GROQ_API_KEY',
  'HF_TOKEN',
  'KIMI_API_KEY',
  'MINIMAX_API_KEY',
  'MINIMAX_CN_API_KEY',
  'MISTRAL_API_KEY',
  'MOONSHOT_API_KEY',
  'OPENAI_API_KEY',
  'OPENCODE_API_KEY',
  'OPENROUTER_API_KEY',
  'XAI_API_KEY',
  'XIAOMI_API_KEY',
  'ZAI_API_KEY',
] as const

const models = z.looseObject({
  providers: z.record(z.string(), z.looseObject({ apiKey: maybe(z.string()) })),
})

const settings = z.looseObject({ sessionDir: z.optional(z.string()) })

/** Where a login is, it is found; that there is none cannot be told: an extension may bring one. */
export function lookAtLogin(environment: Environment): 'present' | 'unknown' {
  return findMarks(environment).length > 0 ? 'present' : 'unknown'
}

/**
 * All of Pi's logins together: which of them a task uses is not known before it runs. A token that
 * is renewed leaves the name as it was.
 */
export function findAccount(environment: Environment): string {
  return nameAccount('pi', findMarks(environment))
}

function findMarks(environment: Environment): readonly string[] {
  const home = piHome(environment)
  const own = findJson(join(home, 'models.json'), models)?.providers ?? {}
  return [
    ...loginMarks(join(home, 'auth.json'), KEYS, environment),
    ...Object.entries(own).flatMap(([name, { apiKey }]) => (apiKey ? [`${name}:${apiKey}`] : [])),
  ]
}

/**
 * What Pi needs of its directory. Settings, models, extensions, prompts and skills are only read:
 * a later run would obey them. So is `auth.json`, whose keys may be commands that Pi runs; but a
 * login whose tokens are renewed is lost unless the new ones are written there.
 */
export function findOwnPlaces(environment: Environment): OwnPlaces {
  const home = piHome(environment)
  const auth = join(home, 'auth.json')
  const sessions = sessionsOf(environment)
  return {
    readable: [auth],
    writable: isRenewed(auth) ? [auth] : [],
    made: [sessions],
    // Without its locks Pi reads neither its logins nor its settings.
    loose: [{ path: home, locks: ['auth.json.lock', 'settings.json.lock'] }],
  }
}

/** Where Pi keeps its sessions. */
export function sessionsOf(environment: Environment): string {
  const home = piHome(environment)
  const told =
    environment.PI_CODING_AGENT_SESSION_DIR ||
    findJson(join(home, 'settings.json'), settings)?.sessionDir
  const path = expand(told || join(home, 'sessions'), environment)
  return path.startsWith('/') ? path : join(home, 'sessions')
}

function piHome(environment: Environment): string {
  const told = environment.PI_CODING_AGENT_DIR
  return told ? expand(told, environment) : join(userHome(environment), '.pi', 'agent')
}

const userHome = (environment: Environment) => environment.HOME || homedir()

function expand(path: string, environment: Environment): string {
  return path === '~' || path.startsWith('~/') ? join(userHome(environment), path.slice(1)) : path
}
