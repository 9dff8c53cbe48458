/** How OpenCode is found and set up, against stand-ins for its program; the real one is in `agents/`. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { opencode } from '../../src/agents/opencode/agent.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import type { LaunchRequest } from '../../src/ports/agent.ts'

let root: string
let environment: Record<string, string>

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-opencode-'))
  mkdirSync(join(root, 'bin'))
  environment = { PATH: join(root, 'bin'), HOME: root }
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(path: string, text: string, mode = 0o644): string {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  chmodSync(file, mode)
  return file
}

const find = () => opencode.findInstallation(environment, [], root)
const look = () => opencode.look(environment)
const auth = (logins: object) => write('.local/share/opencode/auth.json', JSON.stringify(logins))

describe('finding OpenCode', () => {
  it.each(['opencode.exe', 'opencode'])(
    'takes the %s of its package, without asking',
    async name => {
      write('lib/node_modules/opencode-ai/package.json', '{"version":"1.18.33"}')
      const program = write(
        `lib/node_modules/opencode-ai/bin/${name}`,
        '#!/bin/sh\nexit 9\n',
        0o755,
      )
      symlinkSync(program, join(root, 'bin/opencode'))
      expect(await find()).toEqual({
        program,
        leadingArguments: [],
        version: '1.18.33',
        environment: {},
      })
    },
  )

  it('asks a program of another origin for its version', async () => {
    const program = write('bin/opencode', '#!/bin/sh\necho 1.19.2\n', 0o755)
    expect(await find()).toMatchObject({ program, version: '1.19.2' })
  })

  it('refuses a version that nobody has tried, and says where there is none', async () => {
    await expect(find()).rejects.toMatchObject({ code: 'agent_missing' })
    expect(await look()).toMatchObject({ installation: null, trouble: { code: 'agent_missing' } })
    write('bin/opencode', '#!/bin/sh\necho 1.0.1\n', 0o755)
    await expect(find()).rejects.toMatchObject({ code: 'agent_too_old' })
    expect(await look()).toMatchObject({ trouble: { code: 'agent_too_old' } })
  })
})

describe('the login', () => {
  const provider = '{"provider":{"own":{"options":{"apiKey":"sk-1"}}}}'

  it.each<[string, () => unknown]>([
    ['a key in auth.json', () => auth({ openai: { type: 'api', key: 'sk-1' } })],
    ['a subscription', () => auth({ anthropic: { type: 'oauth', refresh: 'r' } })],
    ['a provider of its own', () => write('.config/opencode/opencode.json', provider)],
    [
      'a configuration elsewhere',
      () => {
        environment.OPENCODE_CONFIG = write('elsewhere.json', provider)
      },
    ],
    [
      'data elsewhere',
      () => {
        environment.XDG_DATA_HOME = join(root, 'data')
        write('data/opencode/auth.json', '{"openai":{"type":"api","key":"k"}}')
      },
    ],
    [
      'a key in the environment',
      () => {
        environment.ANTHROPIC_API_KEY = 'sk-1'
      },
    ],
  ])('is there: %s', async (_name, prepare) => {
    prepare()
    expect((await look()).login).toBe('present')
  })

  it('is not known where nothing is there, since some models need none', async () => {
    expect((await look()).login).toBe('unknown')
    auth({})
    expect((await look()).login).toBe('unknown')
  })
})

describe('the account', () => {
  const account = () => opencode.findAccount?.(environment)

  it('is another one for another key, and shows none', async () => {
    const names = []
    for (const key of ['sk-secret-1', 'sk-secret-2']) {
      auth({ openai: { type: 'api', key } })
      names.push(await account())
    }
    expect(new Set(names).size).toBe(2)
    expect(names.join()).toMatch(/^opencode-[0-9a-f]{16},opencode-[0-9a-f]{16}$/)
  })

  it('stays the same where tokens are renewed', async () => {
    auth({ openai: { type: 'oauth', access: 'a1', refresh: 'r1', accountId: 'me' } })
    const before = await account()
    auth({ openai: { type: 'oauth', access: 'a2', refresh: 'r2', accountId: 'me' } })
    expect(await account()).toBe(before)
  })
})

describe('the launch', () => {
  const launch = (changes: Partial<LaunchRequest> = {}) =>
    opencode.planLaunch({
      installation: {
        program: '/n/opencode',
        leadingArguments: [],
        version: null,
        environment: {},
      },
      mode: { kind: 'fresh', sessionToBe: '0f6f3e2a-9d8c-4a7b-8c1d-5e4f3a2b1c0d' },
      prompt: Buffer.from('do it'),
      argv: [],
      model: null,
      effort: null,
      permissions: { asked: 'workspace', effective: 'workspace', enforcedBy: 'system' },
      asks: false,
      handOver: null,
      worktree: '/w',
      workingDirectory: '/w/sub',
      environment,
      ...changes,
    })

  it('names model, effort, directory and session in OpenCode’s own words', () => {
    const session = asSessionId('ses_1')
    const mode = { kind: 'resume', session, why: 'x' } as const
    const { argv } = launch({ model: 'openai/gpt', effort: 'high', mode })
    expect(argv.join(' ')).toBe(
      '/n/opencode run --format json --thinking --auto --print-logs --log-level ERROR --model openai/gpt --variant high --dir /w/sub --session ses_1',
    )
  })

  it('keeps it from replacing itself, unless its user has said otherwise', () => {
    expect(launch().environment.OPENCODE_DISABLE_AUTOUPDATE).toBe('1')
    const told = launch({ environment: { OPENCODE_DISABLE_AUTOUPDATE: '0' } })
    expect(told.environment.OPENCODE_DISABLE_AUTOUPDATE).toBe('0')
  })

  it('leaves it its data to write, and its logins only where they are renewed', () => {
    const data = join(root, '.local/share/opencode')
    const loose = ['.config', '.local/state', '.cache'].map(name => ({
      path: join(root, name, 'opencode'),
      locks: [],
    }))
    auth({ openai: { type: 'api', key: 'k' } })
    expect(launch().own).toEqual({
      readable: [join(data, 'auth.json')],
      writable: [],
      made: [data],
      loose,
    })
    auth({ openai: { type: 'oauth' } })
    expect(launch().own).toEqual({
      readable: [],
      writable: [join(data, 'auth.json')],
      made: [data],
      loose,
    })
  })
})
