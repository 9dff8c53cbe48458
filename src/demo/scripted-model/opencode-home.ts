import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MODEL } from './server.ts'

interface OpenCodeHomeOptions {
  /** OpenCode's own `permission` setting, such as `{ bash: 'ask' }`; its default unless told. */
  readonly permission?: Readonly<Record<string, unknown>>
}

/**
 * Writes directories for OpenCode that know only the model server at `url`, and returns the
 * environment that points OpenCode at them. Beside its work OpenCode 1.18.33 fetches what a plugin
 * could need, of which there are none here, and reads a list of all models that it knows: that is
 * ten and three seconds of work for nothing, so its npm finds nobody, and its list is empty.
 */
export async function writeOpenCodeHome(
  directory: string,
  url: string,
  { permission }: OpenCodeHomeOptions = {},
): Promise<Readonly<Record<string, string>>> {
  const file = join(directory, 'opencode.json')
  const model = `scripted/${MODEL}`
  const limit = { context: 200_000, output: 8_192 }
  const settings = {
    model,
    small_model: model,
    enabled_providers: ['scripted'],
    autoupdate: false,
    share: 'disabled',
    ...(permission && { permission }),
    provider: {
      scripted: {
        npm: '@ai-sdk/openai-compatible', // It comes with OpenCode: nothing is fetched.
        name: 'scripted model',
        options: { baseURL: url, apiKey: 'sk-scripted' },
        models: {
          [MODEL]: {
            name: 'scripted',
            reasoning: true,
            tool_call: true,
            limit,
            variants: { high: { reasoningEffort: 'high' } },
          },
        },
      },
    },
  }
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(file, `${JSON.stringify(settings, null, 2)}\n`)
  const models = join(directory, 'models.json')
  await writeFile(models, '{}\n')
  return {
    OPENCODE_CONFIG: file,
    XDG_CONFIG_HOME: join(directory, 'config'),
    XDG_DATA_HOME: join(directory, 'data'),
    XDG_STATE_HOME: join(directory, 'state'),
    XDG_CACHE_HOME: join(directory, 'cache'),
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_MODELS_PATH: models,
    // The port `discard` (RFC 863), at which nobody listens any more.
    npm_config_registry: 'http://127.0.0.1:9/',
  }
}
