import { mkdir } from 'node:fs/promises'

export interface ClaudeHomeOptions {
  /**
   * What Claude Code logs in with: an API key unless told. Only with a subscription's token does
   * it say when a usage limit is lifted (`rate_limit_event`).
   */
  readonly credential?: 'api-key' | 'subscription'
  /** How often it asks again after an HTTP error; 1 unless told. */
  readonly retries?: number
}

/**
 * Makes a configuration directory for Claude Code, and returns the environment that points it at
 * the model server at `origin`. So set, Claude Code 2.1.329 looks up no other host.
 */
export async function writeClaudeHome(
  directory: string,
  origin: string,
  { credential = 'api-key', retries = 1 }: ClaudeHomeOptions = {},
): Promise<Readonly<Record<string, string>>> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return {
    CLAUDE_CONFIG_DIR: directory,
    ANTHROPIC_BASE_URL: origin,
    // One that it knows: it warns of others, and sends no effort with them.
    ANTHROPIC_MODEL: 'claude-opus-4-6',
    ...(credential === 'api-key'
      ? { ANTHROPIC_API_KEY: 'sk-ant-scripted' }
      : { CLAUDE_CODE_OAUTH_TOKEN: 'sk-ant-oat01-scripted' }),
    CLAUDE_CODE_MAX_RETRIES: String(retries),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    DISABLE_ERROR_REPORTING: '1',
    DISABLE_TELEMETRY: '1',
  }
}
