import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MODEL } from './server.ts'

/**
 * Writes a state directory of OpenClaw that knows only the model server at `url`, with its gateway on
 * a port of loopback, and returns the environment that goes with it. So configured, OpenClaw 2026.9.6
 * looks for no update and announces itself to nobody.
 */
export async function writeOpenclawHome(
  directory: string,
  url: string,
  port: number,
): Promise<Readonly<Record<string, string>>> {
  const scripted = {
    baseUrl: url,
    api: 'openai-completions',
    apiKey: 'sk-scripted',
    models: [{ id: MODEL, name: MODEL, contextWindow: 200_000, maxTokens: 8_192 }],
  }
  const configuration = {
    gateway: {
      mode: 'local',
      bind: 'loopback',
      port,
      auth: { mode: 'token', token: 'scripted' },
    },
    logging: { file: join(directory, 'gateway.log') },
    models: { mode: 'replace', providers: { scripted } },
    agents: {
      defaults: {
        model: { primary: `scripted/${MODEL}` },
        workspace: join(directory, 'workspace'),
        skipBootstrap: true,
      },
    },
  }
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(join(directory, 'openclaw.json'), JSON.stringify(configuration))
  return {
    OPENCLAW_STATE_DIR: directory,
    OPENCLAW_DISABLE_BONJOUR: '1',
    OPENCLAW_NO_AUTO_UPDATE: '1',
    OPENCLAW_OFFLINE: '1',
  }
}
