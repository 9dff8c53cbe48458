/** How Claude Code is found and set up, against stand-ins for its program; the real one is in `agents/`. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { claude } from '../../src/agents/claude/agent.ts'
import { nameProject } from '../../src/agents/claude-configuration.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import type { PermissionMode } from '../../src/domain/permissions.ts'
import type { LaunchRequest } from '../../src/ports/agent.ts'

const ID = '0f6f3e2a-9d8c-4a7b-8c1d-5e4f3a2b1c0d'

let root: string
let environment: Record<string, string>

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-claude-')))
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

const find = () => claude.findInstallation(environment, [], root)
const look = () => claude.look(environment)
const settings = (value: object) => write('.claude/settings.json', JSON.stringify(value))
const setVariable = (name: string, value = 'x') => {
  environment[name] = value
}
const logIn = (expiresAt: number | null = null) => {
  const claudeAiOauth = { accessToken: 'a', refreshToken: 'r', expiresAt }
  return write('.claude/.credentials.json', JSON.stringify({ claudeAiOauth }))
}

/** Says its version, and by its exit code whether it is logged in; leaves a trace of being asked. */
const program = (version = '2.1.329', code = 0) =>
  write(
    'bin/claude',
    `#!/bin/sh
[ "$1" = --version ] && echo "${version} (Claude Code)" && exit
echo "$@" >> "$HOME/asked"
echo "Not logged in. Run claude auth login to authenticate."
exit ${code}
`,
    0o755,
  )
const asked = () =>
  existsSync(join(root, 'asked')) ? readFileSync(join(root, 'asked'), 'utf8') : ''

/** The npm package, as its install script leaves it. */
function installPackage(bin: string, version = '2.1.329'): string {
  const modules = 'lib/node_modules/@anthropic-ai'
  write(`${modules}/claude-code/package.json`, JSON.stringify({ version }))
  const file = write(`${modules}/claude-code/${bin}`, '#!/bin/sh\nexit 9\n', 0o755)
  symlinkSync(file, join(root, 'bin/claude'))
  return file
}

describe('finding Claude Code', () => {
  beforeEach(() => setVariable('ANTHROPIC_API_KEY'))

  it('takes the native binary behind the link of npm, and the version of its package', async () => {
    const native = installPackage('bin/claude.exe')
    expect(await find()).toEqual({
      program: native,
      leadingArguments: [],
      version: '2.1.329',
      environment: {},
    })
  })

  it('takes that of the package of this platform, where a Node program stands in front', async () => {
    installPackage('cli-wrapper.cjs')
    const platform = `claude-code-${process.platform}-${process.arch}`
    write(`lib/node_modules/@anthropic-ai/${platform}/package.json`, '{}')
    const native = write(`lib/node_modules/@anthropic-ai/${platform}/claude`, '#!/bin/sh\n', 0o755)
    expect(await find()).toMatchObject({ program: native, version: '2.1.329' })
  })

  it('takes the program itself, and asks for its version, where neither is there', async () => {
    const file = program('2.1.400')
    expect(await find()).toMatchObject({ program: file, version: '2.1.400' })
  })

  it('refuses a version that nobody has tried', async () => {
    program('2.0.14')
    await expect(find()).rejects.toMatchObject({ code: 'agent_too_old' })
    rmSync(join(root, 'bin/claude'))
    installPackage('bin/claude.exe', '1.0.128')
    await expect(find()).rejects.toMatchObject({ code: 'agent_too_old' })
  })

  it('says that it is not there', async () => {
    await expect(find()).rejects.toMatchObject({ code: 'agent_missing' })
    expect(await look()).toMatchObject({ installation: null, trouble: { code: 'agent_missing' } })
  })
})

describe('the login', () => {
  it.each<[string, () => void]>([
    ['ANTHROPIC_API_KEY', () => setVariable('ANTHROPIC_API_KEY')],
    ['ANTHROPIC_AUTH_TOKEN', () => setVariable('ANTHROPIC_AUTH_TOKEN')],
    ['CLAUDE_CODE_OAUTH_TOKEN', () => setVariable('CLAUDE_CODE_OAUTH_TOKEN')],
    ['Bedrock', () => setVariable('CLAUDE_CODE_USE_BEDROCK', '1')],
    ['Vertex', () => setVariable('CLAUDE_CODE_USE_VERTEX', '1')],
    ['a helper in the settings', () => void settings({ apiKeyHelper: '/bin/key' })],
    ['a key in the settings', () => void settings({ env: { ANTHROPIC_API_KEY: 'k' } })],
    ['a subscription', () => void logIn()],
    ['a subscription for hours', () => void logIn(Date.now() + 3_600_000)],
    ['a key of the Console', () => void write('.claude.json', '{"primaryApiKey":"sk"}')],
    [
      'a directory of its own',
      () => {
        write('c/.credentials.json', '{"claudeAiOauth":{"accessToken":"a"}}')
        setVariable('CLAUDE_CONFIG_DIR', join(root, 'c'))
      },
    ],
  ])('is there without asking: %s', async (_name, prepare) => {
    program('2.1.329', 1)
    prepare()
    expect(await look()).toMatchObject({ login: 'present', trouble: null })
    await expect(find()).resolves.toBeDefined()
    expect(asked()).toBe('')
  })

  it.each<[string, () => void]>([
    ['nothing is there', () => undefined],
    ['an empty key', () => setVariable('ANTHROPIC_API_KEY', '')],
    ['the login is torn', () => void write('.claude/.credentials.json', '{"claudeAi')],
    ['the settings are no settings', () => void write('.claude/settings.json', '[1]')],
  ])('is asked for where %s', async (_name, prepare) => {
    prepare()
    program()
    await expect(find()).resolves.toBeDefined()
    expect(asked()).toBe('auth status --text\n')
    program('2.1.329', 1)
    await expect(find()).rejects.toMatchObject({
      code: 'agent_logged_out',
      message: expect.stringContaining('Not logged in'),
      hint: expect.stringContaining('claude auth login'),
    })
  })

  it('is not asked for by whoever only looks', async () => {
    program('2.1.329', 1)
    const login = process.platform === 'darwin' ? 'unknown' : 'missing'
    expect(await look()).toMatchObject({ login, installation: { version: '2.1.329' } })
    expect(asked()).toBe('')
  })

  it('is renewed by Claude Code itself where it is about to run out', async () => {
    program()
    logIn(Date.now() + 60_000)
    await find()
    expect(asked()).toBe('auth status --text\n')
    setVariable('ANTHROPIC_API_KEY')
    await find()
    expect(asked()).toBe('auth status --text\n')
  })
})

describe('the account', () => {
  const account = () => claude.findAccount?.(environment)

  it('is the same for the same login, and another for another; and holds no secret', async () => {
    const seen = new Set([await account()])
    const expectNew = async () => {
      const name = await account()
      expect(name).toMatch(/^[0-9a-f]{16}$/)
      expect(seen).not.toContain(name)
      expect(await account()).toBe(name)
      seen.add(name)
    }
    write('.claude.json', '{"oauthAccount":{"accountUuid":"u1","organizationUuid":"o1"}}')
    await expectNew()
    write('.claude.json', '{"oauthAccount":{"accountUuid":"u1","organizationUuid":"o2"}}')
    await expectNew()
    setVariable('ANTHROPIC_API_KEY', 'sk-one')
    await expectNew()
    setVariable('ANTHROPIC_API_KEY', 'sk-two')
    await expectNew()
    setVariable('ANTHROPIC_BASE_URL', 'http://proxy')
    await expectNew()
  })

  it('stays when a login is renewed', async () => {
    write('.claude.json', '{"oauthAccount":{"accountUuid":"u1"}}')
    logIn(1)
    const before = await account()
    logIn(2)
    expect(await account()).toBe(before)
  })
})

describe('the mode in the user’s settings', () => {
  const mode = () => claude.configuredMode?.(environment)

  it.each<[object, PermissionMode | null]>([
    [{}, null],
    [{ permissions: { defaultMode: 'plan' } }, 'read-only'],
    [{ permissions: { defaultMode: 'acceptEdits' } }, null],
    [{ permissions: { defaultMode: 'bypassPermissions' } }, null],
    [{ permissions: { defaultMode: 7 } }, null],
    [{ permissions: [] }, null],
  ])('%j', async (value, expected) => {
    settings(value)
    expect(await mode()).toBe(expected)
  })

  it('that forbids to go without asking is a refusal, and names the file', async () => {
    const file = settings({ permissions: { disableBypassPermissionsMode: 'disable' } })
    await expect(mode()).rejects.toMatchObject({
      code: 'permissions_unavailable',
      message: expect.stringContaining(file),
    })
  })
})

describe('a launch', () => {
  const request: LaunchRequest = {
    installation: { program: '/c/claude', leadingArguments: [], version: null, environment: {} },
    mode: { kind: 'fresh', sessionToBe: ID },
    prompt: Buffer.from('p'),
    argv: [],
    model: 'opus',
    effort: 'high',
    permissions: { asked: 'workspace', effective: 'workspace', enforcedBy: 'system' },
    asks: false,
    handOver: null,
    worktree: '/w/a',
    workingDirectory: '/w/a/sub',
    environment: { HOME: '/home/me' },
  }
  const resume: LaunchRequest = {
    ...request,
    mode: { kind: 'resume', session: asSessionId('s1'), why: 'reboot' },
  }
  const withMode = (effective: PermissionMode): LaunchRequest => ({
    ...request,
    permissions: { asked: effective, effective, enforcedBy: 'system' },
  })

  it('names session, mode, model and effort, fresh and resumed', () => {
    const options = [
      ...['--permission-mode', 'bypassPermissions'],
      ...['--disallowedTools', 'EnterWorktree,ExitWorktree'],
      ...['--model', 'opus', '--effort', 'high'],
    ]
    const head = ['/c/claude', '-p', '--output-format', 'stream-json', '--verbose']
    head.push('--input-format', 'stream-json', '--replay-user-messages')
    const fresh = claude.planLaunch(request)
    expect(fresh.argv).toEqual([...head, '--session-id', ID, ...options])
    expect(fresh.session).toBe(ID)
    const outputSchema = { json: '{"type":"object"}', file: '/t/output-schema.json' }
    expect(claude.planLaunch({ ...request, outputSchema }).argv).toEqual([
      ...fresh.argv,
      ...['--json-schema', '{"type":"object"}'],
    ])
    const resumed = claude.planLaunch(resume)
    expect(resumed.argv).toEqual([...head, '--resume', 's1', ...options])
    expect(resumed.session).toBe('s1')
    const alone = claude.planLaunch({ ...request, oneShot: true })
    expect(alone.argv).toEqual([...head.slice(0, 5), '--session-id', ID, ...options])
    expect([alone.brief, Buffer.from(alone.stdin).toString().endsWith('p')]).toEqual([
      undefined,
      true,
    ])
  })

  it('to read has no tools that edit', () => {
    const { argv } = claude.planLaunch(withMode('read-only'))
    expect(argv).toContain('EnterWorktree,ExitWorktree,Edit,MultiEdit,NotebookEdit,Write')
  })

  it.each([
    ['none', 'low'],
    ['minimal', 'low'],
    ['low', 'low'],
    ['xhigh', 'xhigh'],
    ['max', 'max'],
    ['one-day', 'one-day'],
  ])('takes the effort %s for %s, and no variable wins over it', (effort, given) => {
    const environment = { CLAUDE_CODE_EFFORT_LEVEL: 'max' }
    const launch = claude.planLaunch({ ...request, effort, environment })
    expect(launch.argv.at(-1)).toBe(given)
    expect(launch.environment).not.toHaveProperty('CLAUDE_CODE_EFFORT_LEVEL')
    const unasked = claude.planLaunch({ ...request, effort: null, environment })
    expect(unasked.environment.CLAUDE_CODE_EFFORT_LEVEL).toBe('max')
  })

  it('says that it is in a sandbox where it is, or where root wants everything', () => {
    expect(claude.planLaunch(withMode('workspace')).environment.IS_SANDBOX).toBe('1')
    expect(claude.planLaunch(withMode('read-only')).environment.IS_SANDBOX).toBe('1')
    const isRoot = process.getuid?.() === 0
    expect(claude.planLaunch(withMode('full')).environment.IS_SANDBOX).toBe(
      isRoot ? '1' : undefined,
    )
  })

  it('leaves it its directory to read, and the sessions of its working directory to write', () => {
    expect(claude.planLaunch(request).own).toEqual({
      readable: ['/home/me/.claude', '/home/me/.claude.json'],
      writable: [],
      made: ['/home/me/.claude/projects/-w-a-sub', `/home/me/.claude/tasks/${ID}`],
    })
    const environment = { CLAUDE_CONFIG_DIR: '/c', CLAUDE_SECURESTORAGE_CONFIG_DIR: '/login' }
    expect(claude.planLaunch({ ...request, environment }).own).toEqual({
      readable: ['/c', '/c/.claude.json', '/login'],
      writable: [],
      made: ['/c/projects/-w-a-sub', `/c/tasks/${ID}`],
    })
  })

  it('names the directory of sessions as Claude Code does', () => {
    expect(nameProject('/home/dev/my app_1.x')).toBe('-home-dev-my-app-1-x')
    const long = `/root/.cache/holdfast/exp-l8WQ58/${'l'.repeat(120)}/${'m'.repeat(120)}`
    expect(nameProject(long)).toMatch(/^-root--cache-holdfast-exp-l8WQ58-l{120}-m+-84geo$/)
    expect(nameProject(long)).toHaveLength(206)
  })
})
