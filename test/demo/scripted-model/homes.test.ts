/** What is written for each agent names the scripted model, and nothing else that it would reach. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'smol-toml'
import { expect, it } from 'vitest'
import { writeClaudeHome } from '../../../src/demo/scripted-model/claude-home.ts'
import { writeCodexHome } from '../../../src/demo/scripted-model/codex-home.ts'
import { writeGeminiHome } from '../../../src/demo/scripted-model/gemini-home.ts'
import { writeOpenCodeHome } from '../../../src/demo/scripted-model/opencode-home.ts'
import { writePiHome } from '../../../src/demo/scripted-model/pi-home.ts'
import { scratchDirectory } from '../../scratch.ts'

const ORIGIN = 'http://127.0.0.1:1'
const URL = `${ORIGIN}/v1`

const newHome = () => join(scratchDirectory(), 'new', 'home')
const readJson = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))

it('Codex', async () => {
  const home = newHome()
  const environment = await writeCodexHome(home, URL, { idleMs: 5_000 })
  expect(environment).toEqual({ CODEX_HOME: home })
  expect(parse(readFileSync(join(home, 'config.toml'), 'utf8'))).toMatchObject({
    model_provider: 'scripted',
    check_for_update_on_startup: false,
    features: { plugins: false },
    model_providers: { scripted: { base_url: URL, stream_idle_timeout_ms: 5_000 } },
  })
})

it('Claude Code, which logs in by a key or by a subscription, never both', async () => {
  const home = newHome()
  const byKey = await writeClaudeHome(home, ORIGIN)
  expect(existsSync(home)).toBe(true)
  expect(byKey).toMatchObject({
    CLAUDE_CONFIG_DIR: home,
    ANTHROPIC_BASE_URL: ORIGIN,
    ANTHROPIC_API_KEY: expect.any(String),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  })
  expect(byKey).not.toHaveProperty('CLAUDE_CODE_OAUTH_TOKEN')
  const options = { credential: 'subscription', retries: 0 } as const
  const bySubscription = await writeClaudeHome(home, ORIGIN, options)
  expect(bySubscription).toMatchObject({ CLAUDE_CODE_MAX_RETRIES: '0' })
  expect(bySubscription).toHaveProperty('CLAUDE_CODE_OAUTH_TOKEN')
  expect(bySubscription).not.toHaveProperty('ANTHROPIC_API_KEY')
})

it('OpenCode', async () => {
  const home = newHome()
  const environment = await writeOpenCodeHome(home, URL, { permission: { bash: 'ask' } })
  expect(environment).toMatchObject({ OPENCODE_DISABLE_MODELS_FETCH: '1' })
  expect(readJson(environment.OPENCODE_CONFIG ?? '')).toMatchObject({
    enabled_providers: ['scripted'],
    autoupdate: false,
    share: 'disabled',
    permission: { bash: 'ask' },
    provider: { scripted: { options: { baseURL: URL } } },
  })
})

it('Pi', async () => {
  const home = newHome()
  expect(await writePiHome(home, URL, { retries: 3 })).toMatchObject({
    PI_CODING_AGENT_DIR: home,
    PI_OFFLINE: '1',
  })
  expect(readJson(home, 'models.json')).toMatchObject({ providers: { scripted: { baseUrl: URL } } })
  expect(readJson(home, 'settings.json')).toMatchObject({
    defaultProvider: 'scripted',
    retry: { enabled: true, maxRetries: 3, provider: { maxRetries: 0 } },
  })
})

it('Gemini CLI', async () => {
  const home = newHome()
  expect(await writeGeminiHome(home, ORIGIN)).toMatchObject({
    GEMINI_CLI_HOME: home,
    GOOGLE_GEMINI_BASE_URL: ORIGIN,
  })
  expect(readJson(home, '.gemini', 'settings.json')).toMatchObject({
    general: { enableAutoUpdate: false },
    privacy: { usageStatisticsEnabled: false },
  })
})
