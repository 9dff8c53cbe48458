import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Writes a home for Gemini CLI, and returns the environment that points it at the model server at
 * `origin`. Gemini CLI takes the name of any model that begins with `gemini-`.
 */
export async function writeGeminiHome(
  directory: string,
  origin: string,
): Promise<Readonly<Record<string, string>>> {
  const settings = {
    security: { auth: { selectedType: 'gemini-api-key' } },
    general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
    privacy: { usageStatisticsEnabled: false },
    telemetry: { enabled: false },
  }
  await mkdir(join(directory, '.gemini'), { recursive: true, mode: 0o700 })
  await writeFile(join(directory, '.gemini', 'settings.json'), JSON.stringify(settings, null, 2))
  // Whoever has used it has one.
  await writeFile(join(directory, '.gemini', 'projects.json'), '{"projects":{}}')
  return {
    GEMINI_CLI_HOME: directory,
    GEMINI_API_KEY: 'scripted',
    GEMINI_MODEL: 'gemini-2.5-flash',
    GOOGLE_GEMINI_BASE_URL: origin,
    // Headless, it refuses to work in a directory that nobody has trusted.
    GEMINI_CLI_TRUST_WORKSPACE: 'true',
    // Otherwise it starts itself once more, with more memory, and is two processes.
    GEMINI_CLI_NO_RELAUNCH: 'true',
  }
}
