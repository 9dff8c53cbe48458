import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MODEL } from './server.ts'

interface CodexHomeOptions {
  /** How often Codex asks again after an HTTP error, and after a broken stream; 1 unless told. */
  readonly retries?: number
  /** How long a stream may be silent until Codex gives it up, in milliseconds. */
  readonly idleMs?: number
}

/**
 * Writes a Codex home that knows only the model server at `url`, and returns the environment that
 * points Codex at it. So configured, Codex 0.169.0 makes no look-up and no connection elsewhere.
 */
export async function writeCodexHome(
  directory: string,
  url: string,
  options: CodexHomeOptions = {},
): Promise<{ readonly CODEX_HOME: string }> {
  const { retries = 1, idleMs = 600_000 } = options
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(
    join(directory, 'config.toml'),
    `model = "${MODEL}"
model_provider = "scripted"
check_for_update_on_startup = false

[analytics]
enabled = false

[feedback]
enabled = false

[features]
# Without this, Codex fetches its catalogue of plugins.
plugins = false

[model_providers.scripted]
name = "scripted model"
base_url = ${JSON.stringify(url)}
wire_api = "responses"
request_max_retries = ${retries}
stream_max_retries = ${retries}
stream_idle_timeout_ms = ${idleMs}
`,
  )
  return { CODEX_HOME: directory }
}
