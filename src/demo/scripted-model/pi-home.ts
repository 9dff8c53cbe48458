import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MODEL } from './server.ts'

interface PiHomeOptions {
  /** How often Pi begins a turn again after an error; 1 unless told. */
  readonly retries?: number
  /** How long it waits before, in milliseconds. */
  readonly retryDelayMs?: number
  /**
   * How often its client repeats a request on its own; 0 unless told. From 1 on, it sleeps without
   * a word for as long as a `retry-after` says.
   */
  readonly clientRetries?: number
}

/**
 * Writes a Pi directory that knows only the model server at `url`, and returns the environment
 * that points Pi at it. So configured, Pi 0.73.1 looks up no other host.
 */
export async function writePiHome(
  directory: string,
  url: string,
  { retries = 1, retryDelayMs = 100, clientRetries = 0 }: PiHomeOptions = {},
): Promise<Readonly<Record<string, string>>> {
  const model = { id: MODEL, reasoning: true, contextWindow: 200_000, maxTokens: 8_192 }
  const scripted = {
    baseUrl: url,
    api: 'openai-completions',
    apiKey: 'sk-scripted',
    models: [model],
  }
  const settings = {
    defaultProvider: 'scripted',
    defaultModel: MODEL,
    retry: {
      enabled: retries > 0,
      maxRetries: retries,
      baseDelayMs: retryDelayMs,
      provider: { maxRetries: clientRetries },
    },
  }
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(join(directory, 'models.json'), JSON.stringify({ providers: { scripted } }))
  await writeFile(join(directory, 'settings.json'), JSON.stringify(settings))
  return { PI_CODING_AGENT_DIR: directory, PI_OFFLINE: '1', PI_TELEMETRY: '0' }
}
