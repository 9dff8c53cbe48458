/** How Pi is found and set up, against stand-ins for its program; the real one is in `agents/`. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pi } from '../../src/agents/pi/agent.ts'
import { longWaitsModule } from '../../src/agents/pi/long-waits.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import type { LaunchRequest } from '../../src/ports/agent.ts'

let root: string
let environment: Record<string, string>

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-pi-'))
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

const find = () => pi.findInstallation(environment, [], root)
const look = () => pi.look(environment)

/** An npm package with its program on the PATH. */
function installPackage(name: string, version: string): string {
  write(`lib/node_modules/${name}/package.json`, JSON.stringify({ name, version }))
  const script = write(`lib/node_modules/${name}/dist/cli.js`, '#!/bin/sh\nexit 9\n', 0o755)
  symlinkSync(script, join(root, 'bin/pi'))
  return script
}

describe('finding Pi', () => {
  it.each([
    ['@mariozechner/pi-coding-agent', '0.73.1'],
    ['@earendil-works/pi-coding-agent', '0.87.1'],
  ])('runs the program of %s by the node of the PATH', async (name, version) => {
    const node = write('bin/node', '#!/bin/sh\nexit 9\n', 0o755)
    const script = installPackage(name, version)
    expect(await find()).toEqual({
      program: node,
      leadingArguments: ['--import', longWaitsModule, script],
      version,
      environment: {},
    })
  })

  it('says so where there is no node', async () => {
    installPackage('@mariozechner/pi-coding-agent', '0.73.1')
    await expect(find()).rejects.toMatchObject({
      code: 'agent_missing',
      message: expect.stringContaining('needs node'),
    })
  })

  it('asks a program of another origin for its version, and runs it as it is', async () => {
    const program = write('bin/pi', '#!/bin/sh\necho 0.80.2\n', 0o755)
    expect(await find()).toEqual({
      program,
      leadingArguments: [],
      version: '0.80.2',
      environment: {},
    })
  })

  it('refuses a version that nobody has tried', async () => {
    write('bin/pi', '#!/bin/sh\necho 0.73.0\n', 0o755)
    await expect(find()).rejects.toMatchObject({ code: 'agent_too_old' })
    expect(await look()).toMatchObject({ trouble: { code: 'agent_too_old' } })
  })

  it('takes no other program of this name for it', async () => {
    write('bin/pi', 'no program')
    await expect(find()).rejects.toMatchObject({ code: 'agent_missing' })
    expect(await look()).toMatchObject({ installation: null, trouble: { code: 'agent_missing' } })
  })
})

describe('the login', () => {
  const auth = (text: string) => write('.pi/agent/auth.json', text)

  it.each<[string, () => unknown]>([
    ['a key in auth.json', () => auth('{"openai":{"type":"api_key","key":"sk-1"}}')],
    ['a subscription', () => auth('{"anthropic":{"type":"oauth","refresh":"r"}}')],
    [
      'a provider of its own',
      () => write('.pi/agent/models.json', '{"providers":{"own":{"apiKey":"sk-1"}}}'),
    ],
    [
      'a directory of its own',
      () => {
        environment.PI_CODING_AGENT_DIR = '~/elsewhere'
        write('elsewhere/auth.json', '{"openai":{"type":"api_key","key":"sk-1"}}')
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

  it.each<[string, () => unknown]>([
    ['nothing is there', () => undefined],
    ['auth.json is empty', () => auth('{}')],
    ['auth.json is no JSON', () => auth('{')],
  ])('is not known where %s', async (_name, prepare) => {
    prepare()
    expect((await look()).login).toBe('unknown')
  })
})

describe('the account', () => {
  const account = () => pi.findAccount?.(environment)
  const auth = (login: object) => write('.pi/agent/auth.json', JSON.stringify({ openai: login }))

  it('is another one for another key, and shows none', async () => {
    const names = []
    for (const key of ['sk-secret-1', 'sk-secret-2']) {
      auth({ type: 'api_key', key })
      names.push(await account())
    }
    expect(new Set(names).size).toBe(2)
    expect(names.join()).toMatch(/^pi-[0-9a-f]{16},pi-[0-9a-f]{16}$/)
  })

  it('stays the same where tokens are renewed', async () => {
    auth({ type: 'oauth', access: 'a1', refresh: 'r1', accountId: 'me' })
    const before = await account()
    auth({ type: 'oauth', access: 'a2', refresh: 'r2', accountId: 'me' })
    expect(await account()).toBe(before)
    auth({ type: 'oauth', access: 'a2', refresh: 'r2', accountId: 'you' })
    expect(await account()).not.toBe(before)
  })
})

describe('the launch', () => {
  const request = (changes: Partial<LaunchRequest> = {}): LaunchRequest => ({
    installation: {
      program: '/n/node',
      leadingArguments: ['/p/cli.js'],
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
    workingDirectory: '/w',
    environment,
    ...changes,
  })

  it('names model and effort in Pi’s own words', () => {
    const argv = (changes: Partial<LaunchRequest>) => pi.planLaunch(request(changes)).argv.slice(2)
    const plain = ['--mode', 'rpc']
    expect(argv({})).toEqual(plain)
    expect(argv({ oneShot: true })).toEqual(['--print', '--mode', 'json'])
    expect(argv({ model: 'openrouter/openai/gpt', effort: 'xhigh' })).toEqual([
      ...plain,
      ...['--model', 'openrouter/openai/gpt', '--thinking', 'xhigh'],
    ])
    expect(argv({ effort: 'none' })).toEqual([...plain, '--thinking', 'off'])
    const session = asSessionId('s1')
    expect(argv({ mode: { kind: 'resume', session, why: 'x' } })).toEqual([
      ...plain,
      '--session',
      's1',
    ])
  })

  it('leaves Pi its sessions to write, and its logins only where they are renewed', () => {
    const home = join(root, '.pi/agent')
    const own = () => pi.planLaunch(request()).own
    write('.pi/agent/auth.json', '{"openai":{"type":"api_key","key":"k"}}')
    expect(own()).toEqual({
      readable: [join(home, 'auth.json')],
      writable: [],
      made: [join(home, 'sessions')],
      loose: [{ path: home, locks: ['auth.json.lock', 'settings.json.lock'] }],
    })
    write('.pi/agent/auth.json', '{"anthropic":{"type":"oauth"}}')
    write('.pi/agent/settings.json', '{"sessionDir":"~/sessions"}')
    expect(own()).toMatchObject({
      writable: [join(home, 'auth.json')],
      made: [join(root, 'sessions')],
    })
  })
})
